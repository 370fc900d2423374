/*
 * Children for tests: specs, where they run, and what they wrote about their own lives.
 */
#ifndef HORDE_TESTS_CHILDREN_H
#define HORDE_TESTS_CHILDREN_H

#include "tests/lib/cluster.h"

#define CHILDREN "/v1/supervisors/default/children"
#define ENTRIES "/v1/registries/default/entries"
#define META "/v1/registries/default/meta"

/* A spec that only sleeps. */
#define SLEEPER "{\"command\":[\"/bin/sleep\",\"1000\"]}"

enum { CHILD_URL_BYTES = 256, TRACE_LIVES_MAX = 4096 };

/* PUT; the reply is unchecked. */
struct http_reply *child_put(const struct node *at, const char *id, const char *spec);

/* PUT of a new child, which must answer 201 with state `running`. */
struct http_reply *child_start(const struct node *at, const char *id, const char *spec);

/* GET, which must be 200. */
struct http_reply *child_get(const struct node *at, const char *id);

/* Waits until `status.state` is this. */
struct http_reply *child_until(const struct node *at, const char *id, const char *state, long ms);

/* Waits until it runs under another pid than `old`; returns the new one. */
pid_t child_until_new_pid(const struct node *at, const char *id, pid_t old, long ms);

/* Waits until it runs on `node`. */
struct http_reply *child_until_on(
	const struct node *at, const char *id, const struct node *node, long ms);

/* DELETE, 204 (or 202, then waits), and gone (404) at every running node. */
void child_delete(struct cluster *cluster, const struct node *at, const char *id);

/* The running daemon that has it by `status.node`. */
struct node *child_owner(struct cluster *cluster, const struct http_reply *child);

/*
 * Starts children PREFIX-0, PREFIX-1, ... until one runs on `node` and deletes the others again.
 * Writes its id; the placement decides, so any node may be asked for.
 */
void child_start_on(struct cluster *cluster, struct node *node, const char *prefix,
	const char *spec, char *ret_id, size_t size);

/* [{"id":"PREFIX-0","spec":SPEC}, ...], for batch and apply; to be freed. */
char *children_items(const char *prefix, int count, const char *spec);

/* `count` children PREFIX-0..., put through all running nodes in turn, all at once. */
void children_start(struct cluster *cluster, const char *prefix, int count, const char *spec);

/* Waits until `count.active` is this, at every running node. */
void children_until_active(struct cluster *cluster, int count, long ms);

/* Live processes below this one whose command line holds `text`. */
int children_processes(const char *text);

/*
 * Waits until there are this many. A process that has just called exec has no command line for a
 * moment, and a shell's forks have that of their parent, so a look at once would prove nothing.
 */
void children_until_processes(const char *text, int count, long ms);

/* ---- what children write ---- */

/*
 * A child that appends `start CHILD EPOCH NODE PID UPTIME_S` to the trace of the cluster and then
 * lives until it is killed. While it lives it holds a lock on a file of its own name; a second
 * life that finds it held writes `overlap` first. The kernel lets go of the lock when the process
 * ends, so this sees every overlap, also after a SIGKILL, which no stop time could.
 * `members` are further members of the spec ("\"restart\":\"transient\""), or NULL. To be freed.
 */
char *trace_spec(const struct cluster *cluster, const char *members);

/* The same with a shell script that runs behind the start line in place of the long sleep. */
char *trace_script(const struct cluster *cluster, const char *script, const char *members);

/* How many starts of `child` (NULL: of all) the trace holds, on `node` (NULL: on any). */
int trace_starts(const struct cluster *cluster, const char *child, const char *node);

/*
 * Waits until the trace holds this many starts, and fails when it holds more. `running` means that
 * exec succeeded; the line is written a little later.
 */
void trace_until_starts(
	const struct cluster *cluster, const char *child, const char *node, int count, long ms);

/* Fails when two lives of one child ever overlapped. */
void trace_no_overlap(const struct cluster *cluster);

/* Fails when the number of starts changes within `ms`. */
void trace_stays(const struct cluster *cluster, long ms);

/* Waits until a file exists; returns its text, valid until the next call. */
const char *file_wait(const char *path, long ms);

/* Waits until this is all that it holds. */
void file_until(const char *path, const char *all, long ms);

/* Writes a whole file, by renaming it into place. */
void file_write(const char *path, const char *bytes, size_t size, mode_t mode);

/* Text in one of 32 turning buffers. */
const char *text_of(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
