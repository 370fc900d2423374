/* Freeing many names: unregisterSelect. Each is a write for itself; the walk goes on over many
 * turns of the loop, and waits for the disk where that is behind. */
#include <stdlib.h>
#include <string.h>

#include "api/queries.h"
#include "api/registry.h"
#include "api/scan.h"

/* How long it waits, at the most, before it tries again where the node could not keep up. */
#define PURGE_RETRY_MS 100

struct purge { /* in write.kept */
	struct match match;
	struct scan scan;
	struct owner owner;
	bool walked;
	uint64_t freed;
};

static struct purge *purge_of(const struct write *w)
{
	return (struct purge *)(void *)w->kept;
}

/* A process speaks for itself alone, also where there is nothing to free. */
static bool is_own(struct exchange *x, const struct owner *owner)
{
	const struct credential *by = exchange_child(x);

	if (!by || (owner->kind == OWNER_CHILD && strcmp(owner->id, by->ref) == 0))
		return true;
	exchange_problem(x, PROBLEM_FORBIDDEN, "child '%s' speaks for itself alone", by->ref);
	return false;
}

static bool begin_purge(struct exchange *x, struct purge *p, bool *ret_owned)
{
	struct event claim = {.kind = EVENT_UNREGISTER};

	if (!resource_registry(x) || !registry_claim(x, &claim, &p->owner))
		return false;
	*ret_owned = claim.entry.owner_given;
	if (*ret_owned && !is_own(x, &p->owner))
		return false;
	if (!queries_compile(x, &p->match)) {
		queries_refuse(x);
		return false;
	}
	return true;
}

static struct write *begin(struct exchange *x)
{
	struct purge *p = calloc(1, sizeof(*p));
	struct write *w = NULL;
	bool owned = false;

	if (!p)
		exchange_fail(x, ERR_NO_MEMORY);
	if (p && begin_purge(x, p, &owned))
		w = write_begin(x, WAIT_ACK_MS);
	if (!w) {
		free(p);
		return NULL;
	}
	scan_begin(&p->scan, &p->match, entry_family(x), exchange_path(x, "reg"), NULL, 0);
	p->scan.only = owned ? &p->owner : NULL;
	w->kept = (char *)p; /* freed with the write */
	return w;
}

static enum err free_one(struct exchange *x, struct write *w, struct purge *p)
{
	struct event e = {.kind = EVENT_UNREGISTER};
	enum err err;

	e.entry.key = p->scan.at;
	e.entry.key_bytes = p->scan.at_bytes;
	e.entry.owner_given = p->scan.only != NULL;
	e.entry.owner_kind = p->owner.kind;
	e.entry.owner_id = p->owner.id;
	err = write_command(x, &e, w);
	p->freed += err == ERR_OK;
	return err;
}

/* It was freed in part: how far it came is part of the problem. */
static void break_off(struct exchange *x, const struct write *w, enum err e)
{
	json_put_uint(exchange_extra(x), "unregistered", purge_of(w)->freed);
	write_headers(x, w, NULL);
	resource_fail(x, e);
}

/* Walks on, and says in `walked` whether that was all. False: it goes on in another turn, or a
 * problem was answered. */
static bool walk(struct exchange *x, struct write *w, struct purge *p)
{
	size_t steps = SCAN_TURN_STEPS;
	enum err err = ERR_OK;
	const struct entry *e;
	enum scan_result r;

	while ((r = scan_next(&p->scan, resource_horde(x), &steps, &e)) == SCAN_FOUND) {
		err = free_one(x, w, p);
		if (err != ERR_OK)
			break;
		steps -= steps < SCAN_WRITE_STEPS ? steps : SCAN_WRITE_STEPS;
	}
	p->walked = r == SCAN_DONE;
	if (r == SCAN_FAILED)
		err = ERR_NO_MEMORY;
	if (err == ERR_LIMIT && p->freed > 0) { /* the disk is behind */
		p->scan.again = true;
		exchange_watch_commit(x, w->result.batch);
		exchange_park(x, exchange_now_ms(x) + PURGE_RETRY_MS);
	} else if (err != ERR_OK) {
		break_off(x, w, err);
	} else if (r == SCAN_PAUSED) {
		queries_yield(x);
	}
	return p->walked;
}

static void unregister_select(struct exchange *x)
{
	struct write *w = exchange_state(x);
	struct text body = TEXT_INIT;
	struct purge *p;

	if (!w && !(w = begin(x)))
		return;
	p = purge_of(w);
	if (!p->walked && !walk(x, w, p))
		return;
	if (p->freed == 0)
		write_nothing(w);
	if (!write_settled(x, w))
		return;
	json_object(&body);
	json_put_uint(&body, "unregistered", p->freed);
	json_end_object(&body);
	write_headers(x, w, NULL);
	exchange_reply(x, 200, &body);
}

const struct binding queries_write_bindings[] = {
	{"unregisterSelect", unregister_select},
	{NULL, NULL},
};
