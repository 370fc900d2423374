/* What the node*.c files share; nobody else includes it. */
#ifndef HORDE_NODE_INSIDE_H
#define HORDE_NODE_INSIDE_H

#include "api/http.h"
#include "api/service.h"
#include "server/core/horde.h"
#include "server/dispatches.h"
#include "server/node.h"
#include "server/notify.h"
#include "server/peers.h"
#include "server/probes.h"
#include "server/processes.h"
#include "server/run_dirs.h"
#include "storage/batch.h"
#include "storage/snapshots.h"
#include "storage/writer.h"

struct pending {     /* something that an action could not do at once */
	bool failed; /* a start that failed: to be told; else a stop, to be tried again */
	uint64_t epoch;
	int signal;
	int64_t timeout_ms;
	char ref[REF_BYTES_MAX];
	char error[ERROR_BYTES_MAX];
	uint16_t port; /* of a failed start: one that a stranger has; else 0 */
};

struct commit { /* a batch that the writer has */
	uint64_t number;
	struct vector vector; /* what it raises in the stored vector */
};

struct node_declared {               /* the children of the configuration file */
	const struct declared *file; /* what it says; NULL: there is none */
	struct declared own;         /* the same, once it was read again */
	struct declared remembered;  /* what it last said of each, as it is stored */
	struct declared told; /* who was refused and that was said; the error's number as digest */
	bool busy;            /* a round is under way */
	bool fresh;           /* it is the first since the file was read */
	size_t clearing, at;  /* where it is: in `remembered`, then in `file` */
	size_t put, removed, refused; /* by this round */
	int64_t retry_ms, backoff_ms; /* the next one, when something was refused */
};

struct node {
	struct node_config config;
	struct service service;
	struct horde *horde;
	struct http *http;
	struct peers *peers;
	struct processes *processes;
	struct log_lines *lines;   /* NULL: nothing of the children goes to stdout */
	struct run_dirs *run_dirs; /* NULL: there is no place for them */
	struct probes *probes;
	struct notify *notify;
	struct dispatches *dispatches;
	struct writer *writer;
	struct loop_io stored_io;
	struct actions actions; /* of the step under way */
	uint64_t events_told;   /* who listens was woken for those up to it */
	bool stepping;
	bool woken; /* watchers were woken since http last ran */

	struct pending *pending;
	size_t pending_count;
	size_t pending_size;

	/* the turn's batch */
	struct store_batch batch;
	struct vector batch_vector;
	uint64_t batch_number; /* the one that is being filled */
	bool rewrite;          /* the batch is incomplete: write the whole map instead */
	struct origin_id cluster_id;

	/* batches under way, and what is on disk: the `ack` that peers are told */
	struct commit commits[WRITER_QUEUE_MAX];
	size_t commit_first;
	size_t commit_count;
	struct vector acked;
	struct snapshots *snapshots;
	struct loop_io snapshots_io;
	uint64_t stored; /* collected and not told to the core yet; 0 none */

	struct node_declared declared;

	bool terminating;
	bool exiting; /* the core is done */
	bool drained;
	int64_t exit_ms; /* the latest end */
};

/* ---- node.c ---- */
/* One event: its times are set here. Never from inside another step. */
enum err node_step(struct node *n, struct event *e);
void node_wake(struct node *n, const char *key, size_t bytes);

/* ---- node_actions.c ---- */
void node_carry_out(struct node *n);
/* Tells what failed, tries again what had no room. True when some of it has to wait. */
bool node_run_pending(struct node *n);
extern const struct processes_events node_process_events; /* its `data` is the node */

/* ---- node_declared.c ---- */
/* Fills what is remembered from the store. Errors: as store_load. */
enum err node_load_declared(struct node *n);
/* Adds all of it to the batch. Errors: as batch_declared. */
enum err node_dump_declared(struct node *n);
/* From now on the file counts, as soon as the node is ready. */
void node_begin_declared(struct node *n);
/* A turn's share of what is to be done; when to be called again, or INT64_MAX. */
int64_t node_declare(struct node *n);
void node_declared_fini(struct node *n);

/* ---- node_dispatch.c ---- */
extern const struct dispatch_service node_dispatch;
enum err node_make_dispatches(struct node *n);

/* ---- node_dump.c ---- */
/* Keeps both sides of a divergence from `peer` in a file of the data directory, for people. */
void node_dump(struct node *n, const char *peer, const struct fragment *f);

/* ---- node_logs.c ---- */
logs_read_fn node_logs;

/* ---- node_spawn.c ---- */
#define CHILD_KEY_BYTES_MAX ORIGIN_HEX_BYTES
/* What the tokens of children are made with, maybe in `room`: the nodes' secret, or the cluster's
 * id where they have none, and so nothing to keep from each other's processes. */
const char *node_child_key(const struct node *n, char room[CHILD_KEY_BYTES_MAX]);
/* Errors: as processes_spawn. */
enum err node_spawn(struct node *n, const struct action *a, char ret_error[ERROR_BYTES_MAX]);
/* The command of a check, beside the child that it is of, under a name of its own. Errors: the
 * same. */
enum err node_spawn_helper(struct node *n, const struct action *a, const char *name);

/* ---- node_store.c ---- */
/* Fills the map and the cluster's id from the store. On failure `why` says what is wrong. */
enum err node_load(struct node *n, char why[NODE_WHY_BYTES]);
void node_keep_changes(struct node *n, const struct changes *changes);
void node_keep_cluster(struct node *n, struct origin_id cluster_id);
/* Hands the turn's batch to the writer. True when it has to wait. */
bool node_commit(struct node *n);
enum err node_watch_writer(struct node *n);
/* A request that writes has to be refused: too much is waiting for the disk already. */
bool node_overloaded(const struct node *n);
void node_store_fini(struct node *n);

/* ---- node_snapshots.c ---- */
extern const struct snapshot_service node_snapshots;
/* Finds the snapshots of the data directory. On failure `why` says what is wrong. */
enum err node_open_snapshots(struct node *n, char why[NODE_WHY_BYTES]);
void node_snapshots_fini(struct node *n);

/* ---- node_service.c ---- */
/* An event on behalf of a request, as of service.h. */
enum err node_command(void *node, struct event *e, struct command_result *ret);
enum err node_serve(struct node *n, char why[NODE_WHY_BYTES]);

#endif
