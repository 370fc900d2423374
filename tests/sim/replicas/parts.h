/* What the files of this simulator ask of each other. */
#ifndef HORDE_TESTS_SIM_REPLICAS_PARTS_H
#define HORDE_TESTS_SIM_REPLICAS_PARTS_H

#include "tests/sim/replicas/replicas.h"

/* ---- chance.c ---- */
uint64_t chance(struct world *w);
uint64_t below(struct world *w, uint64_t limit);
bool percent(struct world *w, unsigned p);
void mix(struct world *w, uint64_t value); /* into the trace hash */
void tracef(struct world *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
void fail(struct world *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
#define must(call) must_be_ok((call), #call)
void must_be_ok(enum err e, const char *call); /* here nothing runs out of memory */

/* ---- disk.c: what a replica finds again ---- */
/* One transaction: everything that a step changed. */
void disk_commit(struct world *w, struct disk *d, const struct changes *changes);
void disk_load(struct world *w, const struct disk *d, struct map *m);
/* The last transactions are lost; at least `keep` in a hundred rows stay. */
void disk_lose(struct world *w, struct disk *d, unsigned keep_percent);
void disk_copy(struct disk *to, const struct disk *from);

/* ---- replica.c: lives and writes ---- */
enum writing { WRITE_PUT, WRITE_REMOVE, WRITE_RESOLVE, WRITE_REPAIR };
void replica_boot(struct world *w, struct replica *r, bool same_origin);
void replica_stop(struct replica *r);
void replica_write(struct world *w, struct replica *r);
void replica_truncate(struct world *w, struct replica *r);
void replica_renew(struct world *w, struct replica *r);
/* After every step of `r`: judged, then stored. */
void replica_stepped(struct world *w, struct replica *r, const char *what);

/* ---- network.c ---- */
struct message *message_new(struct world *w, int client, int server);
void message_free(struct world *w, struct message *m);
void message_send(struct world *w, struct message *m);
void network_request(struct world *w, struct replica *client, struct replica *server, bool all);
/* Block sums, after a NEED or for a repair. */
void network_post(struct world *w, struct replica *client, int server, bool repair);
/* Delivers, loses or doubles one message. */
void network_step(struct world *w);
void network_drain(struct world *w); /* all that is under way, in order */
void network_clear(struct world *w);

/* ---- copies.c: what outlives the map it was made from ---- */
/* The texts of a borrowed fragment become copies, or the history's own. */
void fragment_settle(struct world *w, struct fragment *f);
void fragment_copy(const struct fragment *f, struct fragment *ret);
void blocks_copy(const struct block_sums *b, struct block_sums *ret);

/* ---- serve.c and take.c: the two sides of a link ---- */
void serve(struct world *w, struct replica *server, const struct message *request);
void stream_pump(struct world *w, struct replica *server); /* one piece of an open stream */
void stream_close(struct replica *server);
void take(struct world *w, struct replica *client, struct message *reply);
/* A life that is lived twice takes a fresh origin; for others it is only an alarm. */
void fork_seen(struct world *w, struct replica *r, struct origin_id forked);

/* ---- chaos.c ---- */
void chaos_step(struct world *w);
void heal(struct world *w);

/* ---- oracle.c ---- */
/* Before oracle_step, when the replica wrote: its new events become history. */
void oracle_minted(struct world *w, struct replica *r, enum writing what, unsigned key);
/* The changes of the step, and the state they lead to. */
void oracle_step(struct world *w, struct replica *r, const char *what);
void oracle_loaded(struct world *w, struct replica *r); /* a new life: all of it is looked at */

/* ---- judge.c ---- */
void oracle_kill_log(struct world *w, struct replica *r);
void oracle_fragment(struct world *w, const struct message *q, const struct fragment *f);
void oracle_contents(struct world *w, const struct replica *r, struct contents *ret);
void oracle_repaired(struct world *w, const struct replica *r, const struct contents *before,
	const struct fragment *f);
bool oracle_agree(const struct replica *a, const struct replica *b);

#endif
