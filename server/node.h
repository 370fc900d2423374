/*
 * The node: the one place that knows every part. It turns what happens outside into events for the
 * core, and the core's actions into system calls; it decides nothing itself.
 *
 *	  api handlers    peers    processes    writer    the clock
 *	        \___________\__________|__________/__________/
 *	                        node_step(event)
 *	                           horde_step              changes -> the turn's batch, watchers
 *	                               |                   actions -> peers, processes, log
 *	                     node_turn, before sleep:
 *	               http, then one commit for the whole turn
 *
 * Durability: all changes of one turn of the loop are one batch and one transaction. While the
 * writer's queue is full the batch grows and is submitted later; past NODE_BATCH_BYTES_MAX requests
 * that write are refused with LIMIT, and what peers and processes cause still goes on. Should
 *memory run out while a change is copied into the batch, the batch is thrown away and the whole map
 *is written instead, as soon as there is memory: that is larger, and never wrong.
 */
#ifndef HORDE_NODE_H
#define HORDE_NODE_H

#include "server/loop.h"
#include "server/options.h"
#include "storage/directory.h"
#include "storage/store.h"

#define NODE_BATCH_BYTES_MAX ((size_t)64 << 20)
/* After its children are stopped: how long a node goes on telling its peers, and storing. */
#define NODE_EXIT_MS 1000
#define NODE_FLUSH_MS 2000
/* How soon something that failed for lack of memory is tried again. */
#define NODE_RETRY_MS 50
#define NODE_WHY_BYTES 640
/* Declared children that are looked at in one turn of the loop. */
#define DECLARED_STEPS_MAX 50
/* How soon those that were refused are tried again: at first, and at most; it doubles. */
#define DECLARED_RETRY_MS_MIN 1000
#define DECLARED_RETRY_MS_MAX 30000

struct node;

struct node_config { /* borrowed, and must outlive the node */
	const struct options *options;
	struct loop *loop;
	const struct directory *directory;
	struct store store;       /* open, not loaded; taken */
	int listen_fd;            /* taken */
	const char *url;          /* where peers reach this node */
	const char *local_url;    /* where its children do */
	const char *const *hosts; /* allowed in the Host header; ends with NULL */
};

/*
 * Starts the guardian, loads the store, starts the writer's thread and serves. The configuration's
 * store and listen_fd are gone in any case. Must be called before any other thread exists.
 * On failure `why` says what is wrong, in one line for people.
 */
enum err node_start(
	const struct node_config *config, struct node **ret_node, char why[NODE_WHY_BYTES]);

/* Runs until it was told to stop and is done; the exit code of the program. */
int node_run(struct node *n);

/*
 * SIGTERM: stops as the options say. The second time it hurries: the children are killed and
 * nobody is told.
 */
void node_terminate(struct node *n);

/*
 * SIGHUP: reads the children of the configuration file again. With a fault in it nothing changes,
 * and that is logged.
 */
void node_reload(struct node *n);

/* Ends everything that still runs. NULL is fine. */
void node_free(struct node *n);

#endif
