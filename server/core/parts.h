/*
 * The files behind horde_step, and what they ask of each other.
 *
 *	step.c       one event in            link.c       connections to peers
 *	supervise.c  the children, carried   contact.c    first contact: one cluster or two
 *	             out as reconcile says   member.c     who is there, and what we think of them
 *	command.c    what the API asks       registry.c   who may register what, and when names end
 *	orphan.c     who takes what          write.c      records into the map, actions out
 *	child.c      one process, as a table
 */
#ifndef HORDE_CORE_PARTS_H
#define HORDE_CORE_PARTS_H

#include "server/core/state.h"

/* ---- write.c ---- */
struct action *act(struct horde *h, enum action_kind kind); /* NULL without memory */
void say(struct horde *h, const char *event, const char *subject, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
uint64_t stamp(struct horde *h);
/* Encodes `r` and puts it under "family/rest". Errors: NO_MEMORY. */
enum err write_record(
	struct horde *h, const char *family, const char *rest, const struct record *r);
enum err remove_key(struct horde *h, const char *family, const char *rest);
enum err resolve_key(struct horde *h, const char *family, const char *rest);
const struct entry *get(const struct horde *h, const char *family, const char *rest);

/* ---- member.c ---- */
void members_refresh(struct horde *h);
/* Forms opinions anew; marks the children when one changes. */
void members_judge(struct horde *h);
int64_t members_deadline_ms(const struct horde *h);
struct member *member_by_id(struct horde *h, struct origin_id node_id);
/* The same, made when there is none; NULL at MEMBERS_MAX. */
struct member *member_make(struct horde *h, struct origin_id node_id);
bool member_left(const struct member *m);
void member_greeted(struct horde *h, struct member *m, struct origin_id incarnation);
bool member_eligible(const struct horde *h, const struct member *m);
/* Eligible members as candidates with their loads; returns how many. */
size_t member_candidates(const struct horde *h, struct candidate ret[MEMBERS_MAX]);
/* True when this node comes first in rendezvous order among those alive in its view. */
bool member_first(const struct horde *h, const char *ref);
enum err member_announce(struct horde *h, enum member_state state);

/* ---- link.c ---- */
struct link *link_by_id(struct horde *h, uint32_t id);
struct link *link_by_url(struct horde *h, const char *url);
struct link *link_by_node(struct horde *h, struct origin_id node_id);
enum err link_join(struct horde *h, const char *url, bool keep);
void links_follow_members(struct horde *h); /* a link to each recorded member */
bool link_awaited(struct horde *h, const struct link *l);
void links_tick(struct horde *h); /* starts what is due */
int64_t links_deadline_ms(const struct horde *h);
void links_goodbye(struct horde *h);
void link_answered(struct horde *h, struct link *l, const struct hello *peer);
void link_fragment(struct horde *h, struct link *l, struct fragment *f);
void link_anew(struct horde *h, struct link *l, const char *url);
void link_refused(struct horde *h, struct link *l);
void link_lost(struct horde *h, struct link *l);
void link_silent(struct horde *h, struct link *l);
void link_rejected(struct horde *h, struct link *l, enum err err);

/* ---- contact.c ---- */
enum err contact_hello(struct horde *h, const struct hello *peer); /* as server */
/* Agrees on a cluster id with a peer that answered. Errors: CLUSTER_MISMATCH. */
enum err contact_agree(struct horde *h, const struct hello *peer);
void contact_found(struct horde *h); /* makes the id when it is on us */
bool contact_virgin(const struct horde *h);

/* ---- child.c ---- */
struct child *child_find(const struct horde *h, const char *ref);
void child_mark(struct horde *h, const char *ref); /* to be looked at before the step ends */
void child_mark_it(struct horde *h, struct child *c);
void children_mark_all(struct horde *h);
void child_bury(struct horde *h, struct child *c); /* it is gone; freed by children_sweep */
void children_sweep(struct horde *h);
void child_start(struct horde *h, struct child *c, const struct spec_record *spec);
void child_stop(struct horde *h, struct child *c, int64_t timeout_max_ms, const char *why);
void child_started(struct horde *h, struct child *c, int pid);
void child_ended(struct horde *h, struct child *c, const struct process_end *end, const char *error,
	const struct spec_record *spec);
bool children_running(const struct horde *h);

/* ---- supervise.c ---- */
void supervise(struct horde *h);         /* until nothing is marked */
void supervise_changes(struct horde *h); /* marks what the latest changes touch */
void supervise_tick(struct horde *h);
enum err supervise_put(struct horde *h, const struct event *e);
enum err supervise_restart(struct horde *h, const char *ref);
enum err supervise_signal(struct horde *h, const struct event *e);
enum err supervise_assign(struct horde *h, const char *ref, struct origin_id node, const char *why);

/* ---- orphan.c ---- */
enum assigned classify(struct horde *h, const struct assign_record *a);
void orphans_plan(struct horde *h);
bool orphan_place(
	struct horde *h, const char *ref, struct origin_id *ret_node, const char **ret_why);

/* ---- registry.c ---- */
enum err registry_register(struct horde *h, const struct event *e);
enum err registry_update(struct horde *h, const struct event *e);
enum err registry_unregister(struct horde *h, const struct event *e);
/* Ends the names of a child that ended, of its epochs up to `epoch`. */
void registry_end(struct horde *h, const char *ref, uint64_t epoch);

#endif
