/*
 * Real daemons for tests and the bench: started in a temporary directory on free loopback ports,
 * killed, frozen, restarted, and gone without a trace at the end.
 *
 * The caller becomes a subreaper, so whatever a daemon leaves behind falls to it, and
 * cluster_stop() can say so. The program is $HORDED, or build/horded. A failed wait fails the test
 * with what it waited for (check.h). One cluster at a time for each process; one thread.
 */
#ifndef HORDE_TESTS_CLUSTER_H
#define HORDE_TESTS_CLUSTER_H

#include "tests/lib/http.h"
#include "tests/lib/proxy.h"

#include <stdbool.h>
#include <sys/types.h>

enum {
	CLUSTER_NODES_MAX = 8,
	CLUSTER_ARGS_MAX = 48,
	NODE_ENV_MAX = 8,
	CLUSTER_START_MS = 10000, /* from exec to listening, ready, and known to all */
	CLUSTER_SOON_MS = 2000,   /* the "soon" of the scenarios: what one hop may take */
	CLUSTER_FAIL_MS = 5000    /* after the kill of a daemon: everything runs elsewhere */
};

struct node {
	char name[16];
	char dir[256]; /* its data directory */
	char log[300]; /* its stderr, and its stdout unless `out` says where that goes */
	char out[300]; /* a file or a pipe that is there; set before it starts */
	char url[64];  /* where to reach it; set once it listens, kept over restarts */
	char host[32]; /* the loopback address that it listens on; 127.0.0.1 */
	int port;
	pid_t pid; /* 0 while it does not run */
	char *args[CLUSTER_ARGS_MAX];
	char *env[NODE_ENV_MAX]; /* NAME=VALUE, beyond those of the test */
	struct proxy *proxy;     /* NULL unless the cluster is proxied */
};

struct cluster {
	char dir[200]; /* TMP; tests may put their own files here */
	struct node nodes[CLUSTER_NODES_MAX];
	int count;
	bool proxied;
};

struct cluster_options {
	const char *const *args; /* further flags for every daemon, ending with NULL */
	bool proxied;            /* peers reach each node through a proxy of its own */
};

/* `count` daemons, n2... joining n1; returns once all are ready and list each other as alive. */
struct cluster *cluster_start(int count, const struct cluster_options *options);

/* An empty cluster, for tests that start their daemons themselves. */
struct cluster *cluster_new(const struct cluster_options *options);

/*
 * Adds a node and starts it without waiting for more than its address; it joins `join` unless that
 * is NULL. `args` are further flags (NULL: none); one that the harness gives too replaces that.
 */
struct node *cluster_add(struct cluster *cluster, const struct node *join, const char *const *args);

/* The same without a process; for nodes that are to fail. node_start() starts it. */
struct node *cluster_declare(
	struct cluster *cluster, const struct node *join, const char *const *args);

/*
 * A loopback port that was free a moment ago. Set `port` of a declared node to it when others must
 * know its address before it starts.
 */
int cluster_free_port(void);

/* Waits until every running node is ready and lists every running node as alive. */
void cluster_settle(struct cluster *cluster);

/* Bytes that all proxies have passed so far, both ways. */
long cluster_bytes(const struct cluster *cluster);

/* Waits until nothing has passed the proxies for `still_ms`; returns cluster_bytes(). */
long cluster_quiet(const struct cluster *cluster, long still_ms);

/*
 * Kills the daemons, and fails when one of their descendants still lives soon after. The directory
 * goes when nothing failed; otherwise the logs are printed and it stays. NULL does nothing.
 */
void cluster_stop(struct cluster *cluster);

/* The present cluster, or NULL; for teardown. */
struct cluster *cluster_present(void);

/* ---- one node ---- */

/* The program: $HORDED, or build/horded. */
const char *node_program(void);

/* Gives a flag its value, in place of the one it has; only --join may come twice. */
void node_set_flag(struct node *node, const char *flag, const char *value);
void node_set_listen(struct node *node, int port); /* at `host` */

/* Sets an environment variable of the daemon from its next start on; NULL takes it away. */
void node_set_env(struct node *node, const char *name, const char *value);

/* Many at once, ending with NULL; one that another flag or nothing follows has no value. */
void node_add_flags(struct node *node, const char *const *flags);

/* Starts the daemon (again), on the port it had; returns at once. */
void node_start(struct node *node);

/* Waits until it listens and `url` is known; then until /readyz says 200. */
void node_wait_listening(struct node *node);
void node_wait_ready(struct node *node);

/* SIGKILL, and waits for the daemon's own end. Its children die by the guardian's hand. */
void node_kill(struct node *node);
/* The same after so many microseconds, from a thread, whatever the test does meanwhile; the wait.
 */
void node_kill_later(struct node *node, long after_us);
void node_wait_killed(struct node *node);

/* Any other signal; SIGSTOP and SIGCONT too. */
void node_signal(struct node *node, int sig);

/* Whether it ended by itself, and then how; reaps it. */
bool node_has_ended(struct node *node, int *ret_code);

/* Waits for the end by itself; returns the exit code, or 128 + signal. */
int node_wait_exit(struct node *node, long ms);

/* SIGTERM, then node_wait_exit(). */
int node_term(struct node *node, long ms);

/* All of its stderr so far; valid until the next call. */
const char *node_log(const struct node *node);

/* The last bytes of it, to be freed; NULL without memory. */
char *node_log_tail(const struct node *node, long limit);

/* Waits until its stderr holds `text`. */
void node_wait_log(const struct node *node, const char *text, long ms);

/* A URL on this node: printf into one of 16 turning buffers. */
const char *node_url(const struct node *node, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* One call: method, body (NULL: none), then the path as printf. */
struct http_reply *node_call(const struct node *node, const char *method, const char *body,
	const char *format, ...) __attribute__((format(printf, 4, 5)));

#endif
