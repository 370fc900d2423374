/*
 * The files behind horde_step, and what they ask of each other.
 *
 *	step.c       one event in            link.c       connections to peers
 *	sync.c       what they carry         diverge.c    forks, divergence and its repair
 *	serve.c      answers to polls        acks.c       what members have on disk
 *	supervise.c  the children, and what  contact.c    first contact: one cluster or two
 *	             is decided for each     member.c     who is there, and what we think of them
 *	carry_out.c  what was decided, done
 *	command.c    what the API asks       registry.c   who may register what, and when names end
 *	orphan.c     who takes what          write.c      records into the map, actions out
 *	child.c      one process, as a table view.c       one child, as the map shows it
 *	start_queue.c  who may start now      retain.c     how long one that finished is kept
 *	probe.c      who is ready, and well  child_ports.c  which ports each has
 *	withdraw.c   the way out of a process
 *	registries.c  which there are         locks.c      who may not have a name yet
 *	lease.c      who holds which lease, and until when (lease.h)
 *	tell.c       what is an event        tell_key.c   what it says, family by family
 */
#ifndef HORDE_CORE_PARTS_H
#define HORDE_CORE_PARTS_H

#include "server/core/owned.h"
#include "server/core/state.h"

/* ---- write.c ---- */
struct action *act(struct horde *h, enum action_kind kind); /* NULL without memory */
void say(struct horde *h, const char *event, const char *subject, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
uint64_t stamp(struct horde *h);
/* Encodes `r` and puts it under "family/rest". Errors: NO_MEMORY. */
enum err write_record(
	struct horde *h, const char *family, const char *rest, const struct record *r);
/* `put` of a command, as it came; says whether it was new. */
enum err put_as_it_is(struct horde *h, const struct event *e);
enum err remove_key(struct horde *h, const char *family, const char *rest);
/* A child's spec, and what it has left for a next life: there is none. Errors: NO_MEMORY,
 * NOT_FOUND. */
enum err spec_remove(struct horde *h, const char *ref);
enum err resolve_key(struct horde *h, const char *family, const char *rest);
const struct entry *get(const struct horde *h, const char *family, const char *rest);

/* ---- tell.c: what those hear who listen (events.h) ---- */
void tell_changes(struct horde *h); /* what the latest changes mean */
/* What was said, when it is an event too. */
void tell_said(struct horde *h, const char *event, const char *subject, const char *detail);
void tell_quorum(struct horde *h); /* that it was lost, or is there again */
enum err tell_guardian(struct horde *h, const struct event *e);

/* ---- tell_key.c ---- */
/* Another entry is the winner of a key now; one of the two may be NULL. */
void tell_key(struct horde *h, const struct entry *before, const struct entry *now);
/* `loser` has come, and stands beside the winner. */
void tell_beside(struct horde *h, const struct entry *winner, const struct entry *loser);
/* The beginning of one, in h->telling, and its end. */
struct text *tell_open(struct horde *h, const char *type);
void tell_close(struct horde *h, const char *topic);

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
/* It has a request for deltas under way, or about to be. */
static inline bool link_polls(const struct link *l)
{
	return l->state == LINK_POLLING || l->state == LINK_STORING;
}
/* The first sync is not over because of this one; `patient` says that there is time left for it. */
bool link_blocks(const struct horde *h, const struct link *l, bool patient);
void links_tick(struct horde *h); /* starts what is due */
int64_t links_deadline_ms(const struct horde *h);
void links_goodbye(struct horde *h);
void link_answered(struct horde *h, struct link *l, const struct hello *peer);
void link_contact(struct horde *h, struct link *l);                 /* its peer is alive */
void link_retry(struct horde *h, struct link *l, int64_t least_ms); /* with back-off */
void link_again(struct horde *h, struct link *l, int64_t least_ms); /* its answer was lost */
void link_anew(struct horde *h, struct link *l, const char *url);
void link_refused(struct horde *h, struct link *l);
void link_lost(struct horde *h, struct link *l);
void link_silent(struct horde *h, struct link *l);
void link_rejected(struct horde *h, struct link *l, enum err err);

/* ---- sync.c: what links carry ---- */
void sync_poll(struct horde *h, struct link *l);  /* the next request of a link */
void sync_begin(struct horde *h, struct link *l); /* a hello was answered: all anew */
void sync_answered(struct horde *h, struct link *l, const struct event *e);
void sync_down(struct horde *h, struct link *l); /* it has stopped polling */
void sync_stored(struct horde *h);               /* polls that waited for the disk go out */
void sync_tick(struct horde *h);
int64_t sync_deadline_ms(const struct horde *h);
void sync_fini(struct link *l);

/* ---- diverge.c: forks and divergence (replication.md part 6, "Forks") ---- */
void diverge_compare(struct horde *h, struct link *l, const struct fragment *f);
bool diverge_due(const struct horde *h, const struct link *l); /* post block sums now */
void diverge_answered(struct horde *h, struct link *l, struct fragment *f_take);
void diverge_tick(struct horde *h);
int64_t diverge_deadline_ms(const struct horde *h);
/* A peer knows more of this life than has happened here, or other things. */
bool diverge_forked(const struct horde *h, const struct poll *p);
/* From now on this node is another life. */
void diverge_renew(struct horde *h, struct origin_id fresh);

/* ---- acks.c: what members have on disk, and what that allows to forget ---- */
void acks_received(struct horde *h, struct member *m, const struct poll *p);
void acks_cut(struct horde *h, uint64_t batch);
void acks_stored(struct horde *h, uint64_t batch);
bool acks_wanted(const struct horde *h);
void acks_changed(struct horde *h); /* kill records came, or members changed */
void acks_tick(struct horde *h);
void acks_fini(struct horde *h);

/* ---- contact.c ---- */
enum err contact_hello(struct horde *h, const struct hello *peer); /* as server */
/* Agrees on a cluster id with a peer that answered. Errors: CLUSTER_MISMATCH. */
enum err contact_agree(struct horde *h, const struct hello *peer);
void contact_found(struct horde *h); /* makes the id when it is on us */
bool contact_virgin(const struct horde *h);
/* It joins, and has nothing of the cluster yet, nor heard from anybody that there is nothing. */
bool contact_hollow(const struct horde *h);

struct view;

/* ---- child.c ---- */
struct child *child_find(const struct horde *h, const char *ref);
void child_mark(struct horde *h, const char *ref); /* to be looked at before the step ends */
/* The child that owns a name, marked; NULL: none does, or there was no memory (h->rescan). */
struct child *child_of_name(struct horde *h, const struct entry *e);
void child_mark_it(struct horde *h, struct child *c);
void children_mark_all(struct horde *h);
void child_bury(struct horde *h, struct child *c); /* it is gone; freed by children_sweep */
void children_sweep(struct horde *h);
void child_start(struct horde *h, struct child *c, const struct view *v);
/* What the spec says now of a process that runs already. */
void child_follow(struct child *c, const struct view *v);
void child_stop(struct horde *h, struct child *c, int64_t timeout_max_ms, enum stop_reason why);
/* One more transition in its trail, with the end that was not told yet. */
void child_note(struct horde *h, struct child *c, enum child_state state, enum reason reason);
/* What another life of it went through comes before what it goes through here; `s` may be NULL. */
void child_follow_trail(struct horde *h, struct child *c, const struct status_record *s);
/* What it printed last before it failed; NULL or "": nothing. */
void child_keep_tail(struct child *c, const char *tail);
/* Its last end here becomes its status, before it goes elsewhere (carry_out.c). */
enum err child_tell_end(struct horde *h, struct child *c);
void child_started(struct horde *h, struct child *c, int pid);
/* Its start failed because a stranger has this port. True: it is started again with another one,
 * and nothing has happened. */
bool child_port_taken(
	struct horde *h, struct child *c, uint16_t port, const struct spec_record *spec);
void child_ended(struct horde *h, struct child *c, const struct process_end *end, const char *error,
	const struct spec_record *spec);
bool children_running(const struct horde *h);

/* ---- withdraw.c ---- */
/* Stops its process, after its names have been withdrawn. */
void child_withdraw(struct horde *h, struct child *c, enum stop_reason why);
void withdraw_tick(struct horde *h);

/* ---- identity.c: what a process is told of itself, as "NAME=value", ended by NULL ---- */
/* NULL: no memory. The caller's identity_free. */
char **identity_make(const struct horde *h, const struct child *c, uint64_t epoch);
/* Only what is the same on every node. */
char **identity_of_ref(const char *ref);

/* ---- child_ports.c ---- */
/*
 * Gives the child the ports that its spec asks for, in c->ports: those that it had, if nobody else
 * has them now. Errors: NO_MEMORY, LIMIT (`ret_why` says which it cannot have: "ports.admin:
 * EADDRINUSE").
 */
enum err ports_take(
	struct horde *h, struct child *c, const struct ports *asked, char ret_why[ERROR_BYTES_MAX]);
/* A stranger has this one. True: it has another one now, and is to be started again at once. */
bool ports_refused(
	struct horde *h, struct child *c, uint16_t number, const struct spec_record *spec);
/* What it had in an earlier life here is its own; what it needs no more is anybody's. */
void ports_follow(struct horde *h, struct child *c, const struct view *v);
/* Bars the candidates that run a child with a number that this one asks for too. */
void ports_bar(const struct horde *h, const char *ref, struct candidate *candidates, size_t count);
/* This node is not barred. */
bool ports_room_here(const struct horde *h, const char *ref);

/* ---- probe.c: readiness and health of the processes here ---- */
/* It has what its spec asks for; false without memory. */
bool probe_prepare(struct child *c, const struct checks *checks);
/* The process runs, or follows another spec: its checks are armed. */
void probe_arm(struct horde *h, struct child *c, const struct checks *checks);
void probe_drop(struct horde *h, struct child *c); /* what is tried is of no interest now */
void probe_end(struct horde *h, struct child *c);  /* it has no process any more */
bool probe_ready(const struct child *c);           /* it runs, and is ready */
void probe_tick(struct horde *h);
enum err probe_tried(struct horde *h, const struct event *e);
enum err probe_notified(struct horde *h, const struct event *e);

/* ---- supervise.c ---- */
void supervise(struct horde *h);         /* until nothing is marked */
void supervise_changes(struct horde *h); /* marks what the latest changes touch */
void supervise_tick(struct horde *h);
enum err supervise_put(struct horde *h, const struct event *e);
enum err supervise_restart(struct horde *h, const char *ref);
enum err supervise_signal(struct horde *h, const struct event *e);
enum err supervise_assign(struct horde *h, const char *ref, struct origin_id node, const char *why);
enum err assign_avoiding(struct horde *h, const char *ref, struct origin_id node, const char *why,
	struct avoid *avoid, uint32_t avoid_count);

/* ---- start_queue.c ---- */
/* Counts it among those that are starting, or not any more, as its process is now. */
void starts_count(struct horde *h, struct child *c);
/* It stands in the queue while it may start, and leaves it when it may not; true: its turn. */
bool starts_turn(struct horde *h, struct child *c, bool may_start);

/* ---- retain.c ---- */
void retain_tick(struct horde *h); /* marks those whose time may be over */

/* ---- replies.c: what was answered to idempotency keys ---- */
enum err replies_keep(struct horde *h, const struct event *e);
void replies_begin(struct horde *h); /* the store is loaded */
void replies_changed(struct horde *h, const struct change *change);
void replies_tick(struct horde *h); /* removes some of those whose time is over */

/* ---- supervisor.c ---- */
enum err supervisor_remove(struct horde *h, const struct event *e);
/* By what the child `ref` runs: `own`, what it inherits, and whether its supervisor is stopped. */
struct spec_record supervisor_spec(const struct horde *h, const char *ref,
	const struct spec_record *own, const struct spec_record **ret_defaults);
/* on_max_restarts: stop_supervisor. Stops all children of the supervisor of `ref`. */
void supervisor_halt(struct horde *h, const char *ref);
enum err supervisor_start(struct horde *h, const struct event *e);
enum err supervisor_vacate(struct horde *h, const struct event *e);
/* Whether the child counts against the limits; looked at in each look_at, kept in `occupies`. */
bool supervisor_occupied(const struct horde *h, const char *ref);
/* One more child, `ref`, may run. Errors: FULL. */
enum err supervisor_room(struct horde *h, const char *ref);
/* Bars the candidates that have as many children of this supervisor as one node may have. */
void supervisor_bar(struct horde *h, const char *ref, struct candidate *candidates, size_t count);
/* This node may take one more. */
bool supervisor_room_here(struct horde *h, const char *ref);
/* A child runs whose supervisor was deleted at the same moment: it is there again. */
enum err supervisor_restore(struct horde *h, const char *ref);
/* All children of it are looked at. */
void supervisor_mark(struct horde *h, const char *name);

/* ---- reschedule.c ---- */
/* The nodes that the child avoids now; how many. */
uint32_t avoided(const struct horde *h, const char *ref, struct avoid ret[AVOID_MAX]);
/* Bars them, unless nobody else is left. */
void avoided_bar(
	const struct horde *h, const char *ref, struct candidate *candidates, size_t count);
/* Assigns the child elsewhere; false: there is nowhere. */
bool reschedule(struct horde *h, struct child *c, const char *why);
/* It leaves this node, unless it never starts twice, has ended, or nobody else may have it. */
void child_move(struct horde *h, struct child *c);

/* ---- orphan.c ---- */
enum assigned classify(struct horde *h, const struct assign_record *a);
void orphans_plan(struct horde *h);
bool orphan_place(
	struct horde *h, const char *ref, struct origin_id *ret_node, const char **ret_why);

/* ---- registries.c ---- */
enum err registries_put(struct horde *h, const struct event *e);
enum err registries_remove(struct horde *h, const struct event *e);
/* Is there the registry of this key, "entry/REG/KEY"? */
bool registries_have(const struct horde *h, const char *key);
/* What holds in it; all by default when nobody has described it. */
struct registry_record registries_rules(const struct horde *h, const char *key);
void registries_changed(struct horde *h, const char *name);
/* A name was put, or has gone. */
void registries_named(struct horde *h, const struct change *change);
void registries_tick(struct horde *h);

/* ---- locks.c ---- */
void locks_init(struct horde *h);
void locks_fini(struct horde *h);
void locks_named(struct horde *h, const struct change *change); /* a name was put, or has gone */
/* So long this owner may not have the key that nobody has; 0: it may. */
int64_t locks_left_ms(const struct horde *h, const char *key, size_t key_bytes,
	enum owner_kind kind, const char *owner_id);
void locks_tick(struct horde *h);

/* ---- registry.c ---- */
enum err registry_register(struct horde *h, const struct event *e);
enum err registry_update(struct horde *h, const struct event *e);
enum err registry_unregister(struct horde *h, const struct event *e);
/*
 * Gives a child that is ready the names that its spec asks for, once for each spec and assignment.
 * `ret_taken` is one that another owner has, or NULL. Errors: NO_MEMORY (to be done again).
 */
enum err registry_hold(struct horde *h, struct child *c, const struct claims *claims,
	const struct entry **ret_taken);
/* Could it have the names that it does not run without? Errors: NAME_TAKEN, NO_MEMORY. */
enum err registry_free(struct horde *h, const char *ref, const struct claims *claims);
/* A key is free: who waits for one looks again. */
void registry_wake_standbys(struct horde *h);
/* The same name under another epoch of its owner, which is here now. */
enum err registry_own(struct horde *h, const struct entry *e, uint64_t epoch);
/* Who has lost a name to another owner by this change is to see that. */
void registry_lost(struct horde *h, const struct change *change);
/* Ends the names of a child that its spec asked for before and does not now; NULL: it has none. */
void registry_unlist(
	struct horde *h, const char *ref, const struct claims *before, const struct claims *now);
/* vote.c */
enum err vote_confirm(struct horde *h, const struct event *e);
/* credential.c: may who sends this command do so? Errors: FORBIDDEN, STALE_EPOCH, AHEAD. */
enum err credential_judge(const struct horde *h, const struct event *e);

/* Ends the names of an owner that ended, of its epochs up to `epoch`. */
void registry_end(struct horde *h, enum owner_kind kind, const char *id, uint64_t epoch);
bool registry_names(const struct horde *h, const char *ref); /* this child has one */

#endif
