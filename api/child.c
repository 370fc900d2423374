#include "api/child.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "api/json_read.h"
#include "api/json_text.h"
#include "server/core/digest.h"

void child_look(const struct exchange *x, const char *sup, const char *id, struct child *ret_child)
{
	struct child *c = ret_child;
	int length = snprintf(c->ref, sizeof(c->ref), "%s/%s", sup, id);

	assert(length > 0 && (size_t)length < sizeof(c->ref));
	c->sup = sup;
	c->id = c->ref + strlen(sup) + 1;
	horde_child(resource_horde(x), c->ref, &c->view);
	c->value = c->view.spec ? entry_text(c->view.spec, NULL) : NULL;
	c->value_bytes = c->view.spec ? c->view.spec->value_bytes : 0;
}

void child_of_path(const struct exchange *x, struct child *ret_child)
{
	child_look(x, exchange_path(x, "sup"), exchange_path(x, "child"), ret_child);
}

void child_watch(struct exchange *x, const struct child *c)
{
	static const char *const families[] = {"spec", "assign", "status"};
	char key[KEY_BYTES_MAX + 1];

	for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++)
		exchange_watch_key(x, key, resource_key(key, families[i], c->sup, c->id));
	/* Whether its node is lost is an opinion about a member. */
	exchange_watch_prefix(x, "member/", strlen("member/"));
}

bool child_gone(const struct child *c)
{
	return !c->view.spec && !c->view.assign && !c->view.status;
}

bool child_wanted(const struct child *c)
{
	const struct entry *spec = c->view.spec;

	return spec && (!spec->record || spec->record->spec.desired_running);
}

bool child_from_file(const struct child *c)
{
	const struct entry *spec = c->view.spec;

	return spec && spec->record && spec->record->spec.from_file;
}

const char *child_labels(const struct entry *spec, size_t *ret_bytes)
{
	struct spec_parts parts;

	if (!spec || spec_split(entry_text(spec, NULL), spec->value_bytes, &parts) != ERR_OK)
		return NULL;
	return json_member(parts.spec, parts.spec_bytes, "labels", ret_bytes);
}

bool child_labels_match(const struct entry *spec, const struct selector *selector)
{
	size_t bytes;
	const char *text = child_labels(spec, &bytes);
	json_t *labels = NULL;
	bool matches;

	if (text && json_read(text, bytes, 0, &labels) != ERR_OK)
		labels = NULL;
	matches = selector_matches(selector, labels);
	json_decref(labels);
	return matches;
}

const struct status_record *child_status(const struct child *c)
{
	const struct entry *assign = c->view.assign, *status = c->view.status;

	if (!status || !status->record)
		return NULL;
	if (assign && assign->record &&
		assign->record->assign.epoch != status->record->status.epoch)
		return NULL;
	return &status->record->status;
}

bool child_is_ready(const struct child *c)
{
	const struct status_record *s = child_status(c);

	return c->view.state == CHILD_RUNNING && s && s->ready;
}

/* ---- ETags ---- */

static uint64_t spec_hash(const struct child *c)
{
	const struct entry *spec = c->view.spec;

	const struct spec_record *s = spec && spec->record ? &spec->record->spec : NULL;

	if (!spec)
		return 0;
	if (!s)
		return entry_content(spec);
	return s->given & GIVEN_RETAIN ? hash_pair(s->hash, (uint64_t)s->retain_ms) : s->hash;
}

static uint64_t rest_hash(const struct child *c)
{
	uint64_t assign = c->view.assign ? entry_content(c->view.assign) : 0;
	uint64_t status = c->view.status ? entry_content(c->view.status) : 0;

	return hash_pair(hash_pair(assign, status), child_wanted(c) + 2u * child_from_file(c));
}

struct etag child_etag(const struct child *c)
{
	return etag_pair(spec_hash(c), rest_hash(c));
}

uint64_t child_hash(const struct child *c)
{
	return hash_pair(spec_hash(c), rest_hash(c));
}

/* ---- JSON ---- */

/* How a process ended: by itself or by a signal. A start that failed is no end of a process. */
static void put_end(struct text *out, int code, int signal, bool core_dumped, bool oom_killed)
{
	if (signal > 0)
		json_put_int(out, "signal", signal);
	else if (code >= 0)
		json_put_int(out, "code", code);
	if (core_dumped)
		json_put_bool(out, "core_dumped", true);
	if (oom_killed)
		json_put_bool(out, "oom_killed", true);
}

static void put_last_exit(struct text *out, const struct exit_record *e, const char *tail)
{
	if (!e->known)
		return;
	if (e->error[0])
		json_put_string(out, "error", e->error);
	if (e->code < 0 && e->signal <= 0)
		return;
	json_key(out, "last_exit");
	json_object(out);
	put_end(out, e->code, e->signal, e->core_dumped, e->oom_killed);
	json_put_time(out, "at", e->at_ms);
	json_put_int(out, "uptime_ms", e->uptime_ms > 0 ? e->uptime_ms : 0);
	if (tail)
		json_put_string(out, "tail", tail);
	json_end_object(out);
}

static void put_transition(struct text *out, const struct horde *h, const struct transition *x)
{
	json_object(out);
	json_put_time(out, "at", x->at_ms);
	json_put_string(out, "state", child_state_name(x->state));
	json_put_string(out, "reason", reason_name(x->reason));
	json_put_string(out, "node", horde_member_name(h, x->node));
	json_put_uint(out, "epoch", x->epoch);
	if (x->error[0])
		json_put_string(out, "error", x->error);
	if (x->ended && (x->code >= 0 || x->signal > 0)) {
		put_end(out, x->code, x->signal, x->core_dumped, x->oom_killed);
		json_put_int(out, "uptime_ms", x->uptime_ms > 0 ? x->uptime_ms : 0);
	}
	json_end_object(out);
}

void child_put_history(struct text *out, const struct horde *h, const struct child *c)
{
	const struct entry *status = c->view.status;
	const struct trail *t = status && status->record ? &status->record->status.trail : NULL;

	json_key(out, "items");
	json_array(out);
	for (uint32_t i = 0; t && i < t->count; i++)
		put_transition(out, h, &t->items[i]);
	json_end_array(out);
}

static void put_node(struct text *out, const struct horde *h, const struct child *c)
{
	const struct entry *assign = c->view.assign;

	if (c->view.node && c->view.node->recorded)
		json_put_string(out, "node", c->view.node->record->name);
	else if (assign && assign->record)
		json_put_string(out, "node", horde_member_name(h, assign->record->assign.node));
}

static void put_ports(struct text *out, const struct ports *p)
{
	if (p->count == 0)
		return;
	json_key(out, "ports");
	json_object(out);
	for (uint32_t i = 0; i < p->count; i++)
		json_put_int(out, p->items[i].name, p->items[i].number);
	json_end_object(out);
}

void child_put_status(struct text *out, const struct horde *h, const struct child *c)
{
	const struct status_record *s = child_status(c);
	const struct entry *assign = c->view.assign;

	json_key(out, "status");
	json_object(out);
	json_put_string(out, "state", child_state_name(c->view.state));
	json_put_string(out, "reason", reason_name(c->view.reason));
	put_node(out, h, c);
	if (s && s->pid > 0)
		json_put_int(out, "pid", s->pid);
	if (assign && assign->record)
		json_put_uint(out, "epoch", assign->record->assign.epoch);
	else if (s)
		json_put_uint(out, "epoch", s->epoch);
	json_put_uint(out, "restarts", s ? s->restarts : 0);
	if (s && s->pid > 0 && s->started_at_ms > 0)
		json_put_time(out, "started_at", s->started_at_ms);
	if (c->view.state == CHILD_RUNNING)
		json_put_bool(out, "ready", child_is_ready(c));
	if (s && s->ready_at_ms > 0)
		json_put_time(out, "ready_at", s->ready_at_ms);
	if (s && s->text && s->text[0])
		json_put_string(out, "status_text", s->text);
	if (s && s->pid > 0)
		put_ports(out, &s->ports);
	if (s)
		put_last_exit(out, &s->last_exit, s->exit_tail);
	json_end_object(out);
}

void child_open(struct text *out, const struct horde *h, const struct child *c)
{
	struct spec_parts parts = {0};
	bool known = c->value && spec_split(c->value, c->value_bytes, &parts) == ERR_OK;

	json_object(out);
	/* The members of the spec's own object become members of this one, if there are any; a peer
	 * may have written it with spaces. */
	if (known && parts.spec[1 + strspn(parts.spec + 1, " \t\r\n")] != '}')
		json_raw(out, parts.spec + 1, parts.spec_bytes - 2);
	json_put_string(out, "id", c->id);
	json_put_string(out, "supervisor", c->sup);
	if (known) {
		json_put_time(out, "created_at", parts.created_at_ms);
		json_put_string(out, "desired", parts.running ? "running" : "stopped");
		json_put_string(out, "source", parts.from_file ? "file" : "api");
	}
	child_put_status(out, h, c);
}

void child_put_warnings(struct text *out, const struct child *c)
{
	const struct status_record *s = child_status(c);

	if (c->view.state != CHILD_BACKOFF && c->view.state != CHILD_FAILED &&
		c->view.state != CHILD_EXITED)
		return;
	if (!s || !s->last_exit.known || !s->last_exit.error[0])
		return;
	json_key(out, "warnings");
	json_array(out);
	json_object(out);
	json_put_string(out, "code",
		s->last_exit.code < 0 && s->last_exit.signal <= 0 ? "spawn-error" : "unhealthy");
	json_put_string(out, "detail", s->last_exit.error);
	json_end_object(out);
	json_end_array(out);
}

void child_write(struct text *out, const struct horde *h, const struct child *c)
{
	struct etag etag = child_etag(c);

	child_open(out, h, c);
	etag_put(out, &etag);
	json_end_object(out);
}

void applied_put(struct text *out, enum applied applied)
{
	static const char *const words[] = {
		[APPLIED_NONE] = "none", [APPLIED_LIVE] = "live", [APPLIED_REPLACED] = "replaced"};

	if (applied != APPLIED_UNSAID)
		json_put_string(out, "applied", words[applied]);
}

void child_reply(struct exchange *x, unsigned status, const struct child *c, const struct write *w)
{
	struct etag etag = child_etag(c);
	struct text body = TEXT_INIT;

	child_open(&body, resource_horde(x), c);
	if (w)
		applied_put(&body, w->result.applied);
	child_put_warnings(&body, c);
	etag_put(&body, &etag);
	json_end_object(&body);
	if (w)
		write_headers(x, w, &etag);
	exchange_reply(x, status, &body);
}

void child_not_found(struct exchange *x, const struct child *c)
{
	exchange_problem(x, PROBLEM_CHILD_NOT_FOUND, "there is no child '%s' in supervisor '%s'",
		c->id, c->sup);
}
