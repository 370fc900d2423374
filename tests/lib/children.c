#include "tests/lib/children.h"

#include "tests/lib/check.h"
#include "tests/lib/expect.h"
#include "tests/lib/procs.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TRIES_MAX = 40, LOOK_MS = 10, TEXT_BYTES = 8192, TEXTS = 32 };

const char *text_of(const char *format, ...)
{
	static char ring[TEXTS][TEXT_BYTES];
	static unsigned next;
	char *out = ring[next++ % TEXTS];
	va_list args;

	va_start(args, format);
	CHECK(vsnprintf(out, TEXT_BYTES, format, args) < TEXT_BYTES, "text too long");
	va_end(args);
	return out;
}

/* ---- one child ---- */

struct http_reply *child_put(const struct node *at, const char *id, const char *spec)
{
	return node_call(at, "PUT", spec, CHILDREN "/%s", id);
}

struct http_reply *child_start(const struct node *at, const char *id, const char *spec)
{
	struct http_reply *reply = expect_status(child_put(at, id, spec), 201);

	CHECK_STR(json_str(reply->json, "status.state"), "running");
	CHECK(json_number_at(reply->json, "status.pid") > 0, "no pid in %s", reply->body);
	return reply;
}

struct http_reply *child_get(const struct node *at, const char *id)
{
	return expect_status(node_call(at, "GET", NULL, CHILDREN "/%s", id), 200);
}

struct http_reply *child_until(const struct node *at, const char *id, const char *state, long ms)
{
	return http_until_str(
		node_url(at, CHILDREN "/%s", id), "status.state", state, check_ms(ms));
}

static bool has_new_pid(const struct http_reply *reply, const void *argument)
{
	long long pid = json_number_at(reply->json, "status.pid");

	return pid > 0 && pid != *(const pid_t *)argument &&
	       strcmp(json_str(reply->json, "status.state"), "running") == 0;
}

pid_t child_until_new_pid(const struct node *at, const char *id, pid_t old, long ms)
{
	struct http_reply *reply = http_until(
		node_url(at, CHILDREN "/%s", id), has_new_pid, &old, check_ms(ms), "another pid");

	return (pid_t)json_number_at(reply->json, "status.pid");
}

static bool runs_on(const struct http_reply *reply, const void *argument)
{
	const struct node *node = argument;

	return strcmp(json_str(reply->json, "status.state"), "running") == 0 &&
	       strcmp(json_str(reply->json, "status.node"), node->name) == 0;
}

struct http_reply *child_until_on(
	const struct node *at, const char *id, const struct node *node, long ms)
{
	return http_until(node_url(at, CHILDREN "/%s", id), runs_on, node, check_ms(ms),
		text_of("it to run on %s", node->name));
}

void child_delete(struct cluster *cluster, const struct node *at, const char *id)
{
	struct http_reply *reply = node_call(at, "DELETE", NULL, CHILDREN "/%s", id);

	CHECK(reply->status == 204 || reply->status == 202, "DELETE %s gave %ld: %s%s", reply->url,
		reply->status, reply->error, reply->body);
	for (int i = 0; i < cluster->count; i++)
		if (cluster->nodes[i].pid)
			http_until_status(node_url(&cluster->nodes[i], CHILDREN "/%s", id), 404,
				check_ms(CLUSTER_SOON_MS));
}

struct node *child_owner(struct cluster *cluster, const struct http_reply *child)
{
	const char *name = json_str(child->json, "status.node");

	for (int i = 0; i < cluster->count; i++)
		if (strcmp(cluster->nodes[i].name, name) == 0)
			return &cluster->nodes[i];
	CHECK(false, "no node is named '%s': %s", name, child->body);
	return NULL;
}

void child_start_on(struct cluster *cluster, struct node *node, const char *prefix,
	const char *spec, char *ret_id, size_t size)
{
	int found = -1;

	for (int i = 0; i < TRIES_MAX && found < 0; i++) {
		struct http_reply *reply = child_start(node, text_of("%s-%d", prefix, i), spec);

		if (strcmp(json_str(reply->json, "status.node"), node->name) == 0)
			found = i;
	}
	CHECK(found >= 0, "none of %d children was placed on %s", TRIES_MAX, node->name);
	for (int i = 0; i < found; i++)
		child_delete(cluster, node, text_of("%s-%d", prefix, i));
	snprintf(ret_id, size, "%s-%d", prefix, found);
}

/* ---- many ---- */

static const struct node *running_node(const struct cluster *cluster, int turn)
{
	for (int i = 0; i < cluster->count; i++) {
		const struct node *node = &cluster->nodes[(turn + i) % cluster->count];

		if (node->pid)
			return node;
	}
	CHECK(false, "no node runs");
	return NULL;
}

char *children_items(const char *prefix, int count, const char *spec)
{
	size_t size = (size_t)count * (strlen(prefix) + strlen(spec) + 40) + 3, used = 1;
	char *text = malloc(size);

	CHECK(text, "no memory");
	text[0] = '[';
	text[1] = '\0';
	for (int i = 0; i < count; i++)
		used += (size_t)snprintf(text + used, size - used,
			"%s{\"id\":\"%s-%d\",\"spec\":%s}", i ? "," : "", prefix, i, spec);
	snprintf(text + used, size - used, "]");
	return text;
}

void children_start(struct cluster *cluster, const char *prefix, int count, const char *spec)
{
	static struct http_request requests[HTTP_ALL_MAX];
	static struct http_reply *replies[HTTP_ALL_MAX];
	static char urls[HTTP_ALL_MAX][CHILD_URL_BYTES];

	for (int i = 0; i < count; i++) {
		snprintf(urls[i], sizeof urls[i], "%s" CHILDREN "/%s-%d",
			running_node(cluster, i)->url, prefix, i);
		requests[i] = (struct http_request){.method = "PUT", .url = urls[i], .body = spec};
	}
	http_send_all(requests, replies, count);
	for (int i = 0; i < count; i++) {
		CHECK(replies[i]->status == 201 || replies[i]->status == 202,
			"PUT %s gave %ld: %s%s", urls[i], replies[i]->status, replies[i]->error,
			replies[i]->body);
		http_reply_free(replies[i]);
	}
}

void children_until_active(struct cluster *cluster, int count, long ms)
{
	for (int i = 0; i < cluster->count; i++)
		if (cluster->nodes[i].pid)
			http_until_int(
				node_url(&cluster->nodes[i], "/v1/supervisors/default/count"),
				"active", count, check_ms(ms));
}

int children_processes(const char *text)
{
	static pid_t pids[PROCS_MAX];
	int total = procs_descendants(getpid(), pids, PROCS_MAX), count = 0;

	for (int i = 0; i < total; i++)
		count += strstr(procs_command(pids[i]), text) != NULL;
	return count;
}

void children_until_processes(const char *text, int count, long ms)
{
	int64_t end = check_now_ms() + check_ms(ms);
	int now;

	while ((now = children_processes(text)) != count) {
		CHECK(check_now_ms() < end, "%d processes of '%s', not %d, after %ld ms", now, text,
			count, ms);
		check_pause_ms(LOOK_MS);
	}
}

/* ---- what children write ---- */

static const char trace_prelude[] =
	"exec 9>>\"$1.$HORDE_CHILD.lock\"\n"
	"flock -n 9 || echo \"overlap $HORDE_CHILD $HORDE_EPOCH $HORDE_NODE\" >>\"$1\"\n"
	"read up idle </proc/uptime\n"
	"echo \"start $HORDE_CHILD $HORDE_EPOCH $HORDE_NODE $$$$ $up\" >>\"$1\"\n";

char *trace_script(const struct cluster *cluster, const char *script, const char *members)
{
	const char *whole = text_of("%s%s", trace_prelude, script);
	json_t *command =
		json_pack("[s,s,s,s,s+]", "/bin/sh", "-c", whole, "sh", cluster->dir, "/trace");
	char *text = json_dumps(command, JSON_COMPACT), *spec = NULL;

	CHECK(text && asprintf(&spec, "{\"command\":%s%s%s}", text, members ? "," : "",
			      members ? members : "") > 0,
		"out of memory");
	free(text);
	json_decref(command);
	return spec;
}

char *trace_spec(const struct cluster *cluster, const char *members)
{
	return trace_script(cluster, "exec sleep 1000", members);
}

static int trace_count(
	const struct cluster *cluster, const char *kind, const char *child, const char *node)
{
	FILE *file = fopen(text_of("%s/trace", cluster->dir), "re");
	char is[16], whose[160], epoch[32], where[160], line[512];
	int count = 0;

	while (file && fgets(line, sizeof line, file)) {
		CHECK(sscanf(line, "%15s %159s %31s %159s", is, whose, epoch, where) == 4,
			"trace line '%s'", line);
		count += strcmp(is, kind) == 0 && (!child || strcmp(whose, child) == 0) &&
			 (!node || strcmp(where, node) == 0);
	}
	if (file)
		fclose(file);
	return count;
}

int trace_starts(const struct cluster *cluster, const char *child, const char *node)
{
	return trace_count(cluster, "start", child, node);
}

void trace_until_starts(
	const struct cluster *cluster, const char *child, const char *node, int count, long ms)
{
	int64_t end = check_now_ms() + check_ms(ms);
	int now;

	while ((now = trace_starts(cluster, child, node)) < count) {
		CHECK(check_now_ms() < end, "%d starts of %s on %s, not %d, after %ld ms", now,
			child ? child : "all", node ? node : "any", count, ms);
		check_pause_ms(LOOK_MS);
	}
	CHECK_INT(now, count);
}

void trace_no_overlap(const struct cluster *cluster)
{
	int overlaps = trace_count(cluster, "overlap", NULL, NULL);

	CHECK(overlaps == 0, "%d times a child started while its older life went on; see %s/trace",
		overlaps, cluster->dir);
}

void trace_stays(const struct cluster *cluster, long ms)
{
	int before = trace_starts(cluster, NULL, NULL);

	for (int64_t end = check_now_ms() + ms; check_now_ms() < end; check_pause_ms(LOOK_MS)) {
		int now = trace_starts(cluster, NULL, NULL);

		CHECK(now == before, "%d processes were started that should not be", now - before);
	}
}

const char *file_wait(const char *path, long ms)
{
	static char text[65536];
	int64_t end = check_now_ms() + check_ms(ms);
	FILE *file;

	while (!(file = fopen(path, "re"))) {
		CHECK(check_now_ms() < end, "waited %ld ms for the file %s", ms, path);
		check_pause_ms(LOOK_MS);
	}
	text[fread(text, 1, sizeof text - 1, file)] = '\0';
	fclose(file);
	return text;
}

void file_until(const char *path, const char *all, long ms)
{
	int64_t end = check_now_ms() + check_ms(ms);
	const char *text;

	while (strcmp(text = file_wait(path, ms), all) != 0 && check_now_ms() < end)
		check_pause_ms(LOOK_MS);
	CHECK_STR(text, all);
}

void file_write(const char *path, const char *bytes, size_t size, mode_t mode)
{
	const char *fresh = text_of("%s.new", path);
	FILE *file = fopen(fresh, "we");

	CHECK(file && fwrite(bytes, 1, size, file) == size && fclose(file) == 0 &&
			chmod(fresh, mode) == 0 && rename(fresh, path) == 0,
		"cannot write %s", path);
}
