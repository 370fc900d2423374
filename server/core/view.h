/* One child as the map shows it, between supervise.c, which decides, carry_out.c and view.c. */
#ifndef HORDE_CORE_VIEW_H
#define HORDE_CORE_VIEW_H

#include "server/core/parts.h"

struct view { /* what is known of one child at this moment */
	const struct entry *spec_entry;
	const struct entry *assign_entry;
	const struct entry *status_entry;
	const struct spec_record *spec;     /* NULL: none, or undecodable; else `effective` */
	const struct spec_record *defaults; /* of its supervisor, or NULL */
	struct spec_record effective;       /* its spec with what it inherits */
	const struct assign_record *assign;
	const struct status_record *status;
	enum assigned assigned;
};

/*
 * The process here has all that only a new one could have. What a temporary child inherits it has
 * from its start: it is never started twice, so a change of its supervisor leaves it alone.
 */
bool view_process_current(const struct child *c, const struct view *v);
/* Exited or failed in the winning epoch, of the present spec. */
bool view_finished(const struct child *c, const struct view *v);
/* What its life here came to: a status without a process. */
struct status_record view_life(const struct horde *h, const struct child *c);
/* What status ought to say; false when there is nothing to say yet. */
bool view_status(const struct horde *h, const struct child *c, const struct view *v,
	struct status_record *ret);
bool view_status_right(const struct horde *h, const struct child *c, const struct view *v);
/* Of another life, or of an assign that lost: what is not of this epoch here. */
bool view_of_another(const struct horde *h, const struct child *c, const struct status_record *s);
/* Some status, the winner or one that lost, tells of a run of the present spec that is not ours. */
bool view_ran_elsewhere(const struct horde *h, const struct child *c, const struct view *v);

/* ---- retain.c ---- */
/* It has exited, was kept long enough, and is on this node to remove; if later, notes when. */
bool retain_over(struct horde *h, struct child *c, const struct view *v);

/* ---- supervise.c, carry_out.c ---- */
/* Who holds the records of a child that is gone: the assigned node, or else the one that ran it. */
bool view_records_ours(struct horde *h, const char *ref, const struct view *v);
/* Siblings of its assign are there, and it is on this node to resolve them. */
bool view_assign_resolvable(struct horde *h, const char *ref, const struct view *v);
/* Does what was decided. Errors: NO_MEMORY (to be decided anew). */
enum err carry_out(struct horde *h, struct child *c, const struct view *v, enum decision d);

/* withdraw.c: reconcile, of a process that may be on its way out. */
enum decision withdraw_decide(const struct horde *h, struct child *c, const struct situation *s);

#endif
