/* Renewing a lease where it is held. */
#include <stdio.h>
#include <string.h>

#include "api/json_read.h"
#include "api/lease.h"

#define TICKET_KEY_BYTES 32

void renewal_fini(struct renewal *r)
{
	if (r->calling)
		r->service->call_end(r->service->node, r->ticket);
	r->calling = false;
	text_fini(&r->lost);
}

bool renewal_told(struct exchange *x, struct renewal *r)
{
	struct text *out = exchange_extra(x);

	if (r->lost.used == 0)
		return false;
	json_key(out, "lost");
	json_array(out);
	text_add(out, r->lost.bytes, r->lost.used);
	json_end_array(out);
	exchange_problem(x, PROBLEM_CONFLICT_LOST,
		"the lease was renewed, and has lost names to other owners");
	return true;
}

static enum err renew_here(struct renewal *r, const char *id, bool take)
{
	struct event e = {.kind = EVENT_RENEW_LEASE};
	struct command_result result;
	enum err err;

	text_clear(&r->lost);
	e.lease.id = id;
	e.lease.take = take;
	e.lease.ret_lost = &r->lost;
	err = r->service->command(r->service->node, &e, &result);
	/* It may be here already: then nothing was written that could be waited for. */
	if (err == ERR_OK && result.created)
		r->batch = result.batch;
	return err;
}

static enum renewal_state state_of(struct exchange *x, enum err e)
{
	if (e == ERR_OK)
		return RENEWAL_DONE;
	if (e == ERR_NOT_FOUND)
		return RENEWAL_OVER;
	resource_fail(x, e);
	return RENEWAL_REFUSED;
}

/* A takeover is a write, and on disk before it is told. */
static enum renewal_state settle(struct exchange *x, struct renewal *r)
{
	enum err e = ERR_OK;

	if (r->batch && !exchange_stored(x, r->batch, &e)) {
		exchange_watch_commit(x, r->batch);
		return RENEWAL_UNDER_WAY;
	}
	r->batch = 0;
	return state_of(x, e);
}

static enum renewal_state take(struct exchange *x, struct renewal *r, const char *id)
{
	enum err e = renew_here(r, id, true);

	return e == ERR_OK ? settle(x, r) : state_of(x, e);
}

/* What the holder said is told; false: it did not say it in the way it should. */
static bool take_lost(struct renewal *r, const char *answer, size_t bytes)
{
	json_t *body = NULL;
	const json_t *lost;
	bool whole;

	if (json_read(answer, bytes, 0, &body) != ERR_OK)
		return false;
	lost = json_object_get(body, "lost");
	whole = json_is_array(lost);
	text_clear(&r->lost);
	for (size_t i = 0; i < json_array_size(lost); i++) {
		const char *key = json_string_value(json_array_get(lost, i));

		if (key)
			json_string(&r->lost, key);
	}
	json_decref(body);
	return whole;
}

static enum renewal_state look_at_answer(struct exchange *x, struct renewal *r, const char *id)
{
	char key[TICKET_KEY_BYTES];
	const char *answer;
	unsigned status;
	size_t bytes;
	enum call_state state =
		r->service->call_result(r->service->node, r->ticket, &status, &answer, &bytes);
	bool told = state == CALL_ANSWERED && status == 200 && take_lost(r, answer, bytes);
	bool over = state == CALL_ANSWERED && status == problem_status(PROBLEM_LEASE_EXPIRED);
	int length = snprintf(key, sizeof(key), "call/%llu", (unsigned long long)r->ticket);

	if (state == CALL_PENDING) {
		exchange_watch_key(x, key, (size_t)length);
		return RENEWAL_UNDER_WAY;
	}
	r->service->call_end(r->service->node, r->ticket);
	r->calling = false;
	if (told)
		return RENEWAL_DONE;
	return over ? RENEWAL_OVER : take(x, r, id);
}

/* False: there is nobody to ask. */
static bool ask_holder(struct exchange *x, struct renewal *r, const char *id)
{
	const struct entry *e = lease_find(x, id);
	const struct member *m =
		e ? horde_member_by_id(resource_horde(x), e->record->lease.node) : NULL;
	struct text body = TEXT_INIT;
	enum err err = ERR_NO_MEMORY;

	if (!m || m->self || !member_reachable(m))
		return false;
	json_object(&body);
	json_put_string(&body, "lease", id);
	json_end_object(&body);
	if (text_ok(&body))
		err = r->service->call(r->service->node, m->record->url, "/peer/v1/renew",
			body.bytes, body.used, LEASE_CALL_MS, &r->ticket);
	text_fini(&body);
	r->calling = err == ERR_OK;
	return r->calling;
}

enum renewal_state renewal_go(struct exchange *x, struct renewal *r, const char *id)
{
	enum err e;

	r->service = resource_service(x);
	if (r->batch)
		return settle(x, r);
	if (!r->calling) {
		e = renew_here(r, id, false);
		if (e != ERR_ELSEWHERE)
			return state_of(x, e);
		if (!ask_holder(x, r, id))
			return take(x, r, id);
	}
	return look_at_answer(x, r, id);
}
