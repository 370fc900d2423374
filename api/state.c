/*
 * What a child leaves for its next life, wherever that is: bytes of its own choice. The value of
 *the map's key state/SUP/CHILD is
 *	{"at":<wall ms>,"epoch":<of the assignment then>,"bytes":"<base64>"}
 */
#include "api/state.h"

#include <stdio.h>
#include <string.h>

#include "api/base64.h"
#include "api/child.h"
#include "api/json_text.h"

#define MEDIA_TYPE "application/octet-stream"

static const struct entry *find(const struct exchange *x, const struct child *c)
{
	char key[KEY_BYTES_MAX + 1];

	return map_get(resource_map(x), key, resource_key(key, "state", c->sup, c->id));
}

/* False: there is no such supervisor, or it is another child that asks; that was answered. */
static bool of_path(struct exchange *x, struct child *ret_child)
{
	const struct credential *by = exchange_child(x);

	if (!resource_supervisor(x))
		return false;
	child_of_path(x, ret_child);
	if (!by || strcmp(by->ref, ret_child->ref) == 0)
		return true;
	exchange_problem(x, PROBLEM_FORBIDDEN, "child '%s' speaks for itself alone", by->ref);
	return false;
}

static void not_found(struct exchange *x, const struct child *c)
{
	if (!c->view.spec)
		child_not_found(x, c);
	else
		exchange_problem(x, PROBLEM_KEY_NOT_FOUND, "child '%s' has left no state", c->id);
}

/* ---- reading ---- */

/* Its base64 within the value; NULL: it is no state. */
static const char *text_of_state(const struct entry *e, size_t *ret_bytes)
{
	size_t bytes;
	const char *value = entry_text(e, NULL);
	const char *text = value ? json_member(value, e->value_bytes, "bytes", &bytes) : NULL;

	if (!text || bytes < 2 || text[0] != '"')
		return NULL;
	*ret_bytes = bytes - 2;
	return text + 1;
}

static void get_state(struct exchange *x)
{
	struct text body = TEXT_INIT;
	const struct entry *e;
	const char *text;
	struct etag etag;
	struct child c;
	char quoted[sizeof(etag.text) + 2];
	size_t bytes;

	if (!of_path(x, &c))
		return;
	e = c.view.spec ? find(x, &c) : NULL;
	text = e ? text_of_state(e, &bytes) : NULL;
	if (!text) {
		not_found(x, &c);
		return;
	}
	if (!base64_decode(&body, text, bytes)) {
		text_fini(&body);
		exchange_fail(x, ERR_MALFORMED);
		return;
	}
	etag = etag_of(entry_content(e));
	snprintf(quoted, sizeof(quoted), "\"%s\"", etag.text);
	exchange_header_set(x, "ETag", quoted);
	exchange_reply_text(x, 200, MEDIA_TYPE, &body);
}

/* ---- writing ---- */

/* Its epoch is the present one, whoever puts it. */
static struct record *record_of(const struct child *c)
{
	struct record *r = record_new(FAMILY_STATE);

	if (r && c->view.assign && c->view.assign->record)
		r->state.epoch = c->view.assign->record->assign.epoch;
	return r;
}

static enum err put(struct exchange *x, struct write *w, const struct child *c)
{
	char key[KEY_BYTES_MAX + 1];
	struct event event = {.kind = EVENT_PUT_STATE};
	struct text value = TEXT_INIT;
	struct record *r = record_of(c);
	size_t bytes;
	const char *body = exchange_body_text(x, &bytes);
	enum err e = ERR_NO_MEMORY;

	json_object(&value);
	json_put_int(&value, "at", wall_now_ms());
	json_put_uint(&value, "epoch", r ? r->state.epoch : 0);
	json_key(&value, "bytes");
	base64_string(&value, body ? body : "", bytes);
	json_end_object(&value);
	event.put.key = key;
	event.put.key_bytes = resource_key(key, "state", c->sup, c->id);
	event.put.value = value.bytes;
	event.put.value_bytes = value.used;
	event.put.record = r;
	if (r && text_ok(&value))
		e = write_command(x, &event, w);
	if (e != ERR_OK)
		record_free(r);
	text_fini(&value);
	return e;
}

static enum err remove_state(struct exchange *x, struct write *w, const struct child *c)
{
	char key[KEY_BYTES_MAX + 1];
	struct event event = {.kind = EVENT_REMOVE_STATE};

	event.put.key = key;
	event.put.key_bytes = resource_key(key, "state", c->sup, c->id);
	return write_command(x, &event, w);
}

static struct write *begin(struct exchange *x, const struct child *c,
	enum err (*change)(struct exchange *x, struct write *w, const struct child *c))
{
	struct write *w = write_begin(x, WAIT_ACK_MS);
	enum err e;

	if (!w)
		return NULL;
	e = change(x, w, c);
	if (e == ERR_NOT_FOUND && exchange_query_bool(x, "missing_ok", false)) {
		write_missing(w);
		return w;
	}
	if (e == ERR_NOT_FOUND)
		not_found(x, c);
	else if (e != ERR_OK)
		resource_fail(x, e);
	return e == ERR_OK ? w : NULL;
}

static void put_state(struct exchange *x)
{
	struct write *w = exchange_state(x);
	struct child c;

	if (!of_path(x, &c))
		return;
	if ((!w && !(w = begin(x, &c, put))) || !write_settled(x, w))
		return;
	write_headers(x, w, NULL);
	exchange_reply_empty(x, 204);
}

static void delete_state(struct exchange *x)
{
	struct write *w = exchange_state(x);
	struct child c;

	if (!of_path(x, &c))
		return;
	if ((!w && !(w = begin(x, &c, remove_state))) || !write_settled(x, w))
		return;
	write_headers(x, w, NULL);
	exchange_reply_empty(x, 204);
}

const struct binding state_bindings[] = {
	{"getChildState", get_state},
	{"putChildState", put_state},
	{"deleteChildState", delete_state},
	{NULL, NULL},
};
