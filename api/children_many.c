/*
 * Many children in one request: startChildren, applyChildren. First everything that is wrong is
 * found, and nothing is written then; what follows is one write for each child that differs, and
 * one wait until all of them are where they belong.
 */
#include "api/children.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/child.h"
#include "api/child_put.h"

enum outcome {
	OUTCOME_UNCHANGED,
	OUTCOME_CREATED,
	OUTCOME_UPDATED,
	OUTCOME_DELETED,
	OUTCOME_REFUSED,
	OUTCOMES
};

struct fate { /* what becomes of one child */
	char id[129];
	enum outcome outcome;
	enum applied applied;
	bool taken_over;           /* UNCHANGED, but from now on it is no file's */
	enum problem_code refused; /* REFUSED: why */
};

struct many {         /* what a request of this file remembers: in write.kept */
	size_t items; /* the first fates are theirs; behind them stand those to be deleted */
	size_t count;
	size_t settled; /* so many of them, the first, are waited for no longer */
	bool dry_run;
	struct fate fates[];
};

static struct many *many_of(const struct write *w)
{
	return (struct many *)(void *)w->kept;
}

/* ---- who is named ---- */

struct names { /* all ids of the request, in order, without those that the server makes */
	const char **sorted;
	size_t count;
};

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool is_named(const struct names *n, const char *id)
{
	return bsearch(&id, n->sorted, n->count, sizeof(*n->sorted), by_name) != NULL;
}

/* Notes each id that stands there twice, at its later place. */
static void note_twice(struct exchange *x, const json_t *items, const struct names *n)
{
	for (size_t i = 0; i + 1 < n->count; i++) {
		char pointer[48];
		size_t at = json_array_size(items);

		if (strcmp(n->sorted[i], n->sorted[i + 1]) != 0)
			continue;
		while (at-- > 0) {
			const char *id =
				json_string_value(json_object_get(json_array_get(items, at), "id"));

			if (id && strcmp(id, n->sorted[i]) == 0)
				break;
		}
		snprintf(pointer, sizeof(pointer), "/items/%zu/id", at);
		exchange_fault(x, pointer, "duplicate", "'%s' is named twice", n->sorted[i]);
	}
}

/* Errors: NO_MEMORY, MALFORMED (faults were noted). */
static enum err read_names(struct exchange *x, const json_t *items, struct names *ret)
{
	size_t count = json_array_size(items);
	struct names n = {.sorted = exchange_alloc(x, (count + 1) * sizeof(*n.sorted))};

	if (!n.sorted)
		return ERR_NO_MEMORY;
	for (size_t i = 0; i < count; i++) {
		const json_t *item = json_array_get(items, i);
		const char *id = json_string_value(json_object_get(item, "id"));

		if (id)
			n.sorted[n.count++] = id;
	}
	qsort(n.sorted, n.count, sizeof(*n.sorted), by_name);
	*ret = n;
	for (size_t i = 0; i + 1 < n.count; i++) {
		if (strcmp(n.sorted[i], n.sorted[i + 1]) == 0) {
			note_twice(x, items, &n);
			return ERR_MALFORMED;
		}
	}
	return ERR_OK;
}

/* The next child of the supervisor, from `e` on, that nobody has named; or NULL. */
static const struct entry *unnamed(const struct exchange *x, const struct names *n,
	const struct entry *e, const char *prefix, size_t bytes)
{
	while (e && e->key_bytes >= bytes && memcmp(e->key, prefix, bytes) == 0) {
		if (!is_named(n, e->key + bytes))
			return e;
		e = map_after(resource_map(x), e->key, e->key_bytes);
	}
	return NULL;
}

/* How many children nobody has named; into `fates`, if there are any, as to be deleted. */
static size_t prune(const struct exchange *x, const struct names *n, struct fate *fates)
{
	char prefix[KEY_BYTES_MAX + 1];
	size_t bytes = resource_key(prefix, "spec", exchange_path(x, "sup"), ""), count = 0;
	const struct entry *e = map_from(resource_map(x), prefix, bytes);

	while ((e = unnamed(x, n, e, prefix, bytes))) {
		if (fates) {
			fates[count].outcome = OUTCOME_DELETED;
			snprintf(fates[count].id, sizeof(fates[count].id), "%s", e->key + bytes);
		}
		count++;
		e = map_after(resource_map(x), e->key, e->key_bytes);
	}
	return count;
}

/* ---- what is asked for ---- */

/* Of the item's id, or of one that is made. Errors: as resource_new_id. */
static enum err name_fate(const struct exchange *x, struct fate *f, size_t i, const json_t *item)
{
	const char *id = json_string_value(json_object_get(item, "id"));

	if (!id)
		return resource_new_id(x, i, f->id);
	snprintf(f->id, sizeof(f->id), "%s", id);
	return ERR_OK;
}

/* The present spec in its parts, or those of a new one. */
static void parts_of(const struct child *c, struct spec_parts *ret_parts)
{
	if (!c->view.spec || spec_split(c->value, c->value_bytes, ret_parts) != ERR_OK)
		*ret_parts = (struct spec_parts){.created_at_ms = wall_now_ms(), .running = true};
}

/* Prepares item `i`, and says what would become of its child. Errors: as child_prepare. */
static enum err prepare_item(
	struct exchange *x, struct fate *f, size_t i, const json_t *item, struct prepared *ret)
{
	const json_t *spec = json_object_get(item, "spec");
	struct spec_parts parts;
	char pointer[48];
	struct child c;
	enum err e;

	snprintf(pointer, sizeof(pointer), "/items/%zu/spec", i);
	child_look(x, exchange_path(x, "sup"), f->id, &c);
	parts_of(&c, &parts);
	if (json_object_get(item, "id"))
		e = child_prepare(x, pointer, spec, &parts, ret);
	else
		e = child_prepare_unnamed(x, pointer, spec, &parts, ret);
	if (e != ERR_OK)
		return e;
	f->outcome = !c.view.spec ? OUTCOME_CREATED : OUTCOME_UPDATED;
	f->applied =
		spec_applied(c.view.spec && c.view.spec->record ? &c.view.spec->record->spec : NULL,
			&ret->record->spec);
	if (f->applied == APPLIED_NONE)
		f->outcome = OUTCOME_UNCHANGED;
	f->taken_over = f->outcome == OUTCOME_UNCHANGED && child_from_file(&c);
	return ERR_OK;
}

static enum err prepare_items(
	struct exchange *x, struct many *m, const json_t *items, struct prepared *ret)
{
	enum err all = ERR_OK;

	for (size_t i = 0; i < m->items; i++) {
		const json_t *item = json_array_get(items, i);
		enum err e = name_fate(x, &m->fates[i], i, item);

		if (e == ERR_OK)
			e = prepare_item(x, &m->fates[i], i, item, &ret[i]);
		if (e != ERR_OK && e != ERR_MALFORMED)
			return e;
		all = all == ERR_OK ? e : all;
	}
	return all;
}

/* Room for all fates, with those to be deleted; the write's from now on. Errors: NO_MEMORY. */
static enum err make_many(
	const struct exchange *x, struct write *w, const struct names *n, struct many **ret_many)
{
	const json_t *body = exchange_body(x);
	bool prunes = json_is_true(json_object_get(body, "prune"));
	size_t items = json_array_size(json_object_get(body, "items"));
	size_t count = items + (prunes ? prune(x, n, NULL) : 0);
	struct many *m = calloc(1, sizeof(*m) + count * sizeof(m->fates[0]));

	if (!m)
		return ERR_NO_MEMORY;
	m->items = items;
	m->count = count;
	m->dry_run = json_is_true(json_object_get(body, "dry_run"));
	if (prunes)
		prune(x, n, m->fates + items);
	w->kept = (char *)m;
	*ret_many = m;
	return ERR_OK;
}

/* ---- carrying it out ---- */

static void refuse(struct fate *f, enum err e)
{
	f->outcome = OUTCOME_REFUSED;
	f->refused = problem_of(e);
}

/* False: a problem was answered. What is refused to one child is told as its fate. */
static bool write_one(
	struct exchange *x, struct write *w, struct fate *f, struct prepared *prepared)
{
	enum err e = ERR_OK;

	if (f->outcome == OUTCOME_DELETED)
		e = child_remove(x, w, f->id);
	else if (f->outcome != OUTCOME_UNCHANGED || f->taken_over)
		e = child_commit(x, w, f->id, prepared);
	if (e != ERR_OK && e != ERR_FULL && e != ERR_NAME_TAKEN && !w->done) {
		child_put_failed(x, e);
		return false;
	}
	if (e != ERR_OK)
		refuse(f, e);
	return true;
}

/* Deletions first: they make room. False: a problem was answered. */
static bool write_all(struct exchange *x, struct write *w, struct prepared *prepared)
{
	struct many *m = many_of(w);
	bool ok = true;

	for (size_t i = m->items; ok && i < m->count; i++)
		ok = write_one(x, w, &m->fates[i], NULL);
	for (size_t i = 0; ok && i < m->items; i++)
		ok = write_one(x, w, &m->fates[i], &prepared[i]);
	if (ok && !w->done)
		write_nothing(w);
	return ok;
}

/* Finds all faults, then writes; false: a problem was answered. */
static bool carry_out(
	struct exchange *x, struct write *w, const struct names *n, struct prepared *prepared)
{
	struct many *m = NULL;
	enum err e = make_many(x, w, n, &m);

	if (e == ERR_OK)
		e = prepare_items(x, m, json_object_get(exchange_body(x), "items"), prepared);
	if (e != ERR_OK) {
		child_put_failed(x, e);
		return false;
	}
	if (!m->dry_run)
		return write_all(x, w, prepared);
	write_nothing(w);
	return true;
}

static struct write *begin(struct exchange *x)
{
	const json_t *items = json_object_get(exchange_body(x), "items");
	size_t count = json_array_size(items);
	struct prepared *prepared;
	struct names names;
	struct write *w;
	enum err e = read_names(x, items, &names);
	bool ok;

	if (e != ERR_OK) {
		child_put_failed(x, e);
		return NULL;
	}
	if (!(w = write_begin(x, WAIT_START_MS)))
		return NULL;
	prepared = calloc(count + 1, sizeof(*prepared));
	if (!prepared) {
		exchange_fail(x, ERR_NO_MEMORY);
		return NULL;
	}
	ok = carry_out(x, w, &names, prepared);
	for (size_t i = 0; i < count; i++)
		prepared_fini(&prepared[i]);
	free(prepared);
	return ok ? w : NULL;
}

/* ---- waiting, and what is answered ---- */

/* It is where it belongs, or nothing more will bring it there. */
static bool is_settled(const struct fate *f, const struct child *c)
{
	if (f->outcome == OUTCOME_DELETED)
		return child_gone(c) || c->view.spec; /* put anew by somebody */
	if (f->outcome != OUTCOME_CREATED && f->outcome != OUTCOME_UPDATED)
		return true;
	return !c->view.spec || !c->view.wanted ||
	       (c->view.current && c->view.state != CHILD_STARTING);
}

/* Goes on from the first that is not settled, and watches that one alone. */
static bool all_settled(struct exchange *x, struct many *m)
{
	struct child c;

	for (; m->settled < m->count; m->settled++) {
		child_look(x, exchange_path(x, "sup"), m->fates[m->settled].id, &c);
		if (!is_settled(&m->fates[m->settled], &c)) {
			child_watch(x, &c);
			return false;
		}
	}
	return true;
}

static void put_fate(struct text *body, const struct fate *f, const struct child *c)
{
	static const char *const words[OUTCOMES] = {
		[OUTCOME_UNCHANGED] = "unchanged",
		[OUTCOME_CREATED] = "created",
		[OUTCOME_UPDATED] = "updated",
		[OUTCOME_DELETED] = "deleted",
		[OUTCOME_REFUSED] = "refused",
	};

	json_object(body);
	json_put_string(body, "id", f->id);
	json_put_string(body, "outcome", words[f->outcome]);
	if (f->outcome == OUTCOME_UPDATED)
		applied_put(body, f->applied);
	if (f->outcome == OUTCOME_REFUSED)
		json_put_string(body, "code", problem_slug(f->refused));
	if (c->view.spec)
		json_put_string(body, "state", child_state_name(c->view.state));
	child_put_warnings(body, c);
	json_end_object(body);
}

static void reply(struct exchange *x, const struct write *w, bool all)
{
	const struct many *m = many_of(w);
	struct text body = TEXT_INIT;
	struct child c;

	json_object(&body);
	json_key(&body, "items");
	json_array(&body);
	for (size_t i = 0; i < m->count; i++) {
		child_look(x, exchange_path(x, "sup"), m->fates[i].id, &c);
		put_fate(&body, &m->fates[i], &c);
	}
	json_end_array(&body);
	json_put_bool(&body, "dry_run", m->dry_run);
	json_end_object(&body);
	write_headers(x, w, NULL);
	exchange_reply(x, all ? 200 : 202, &body);
}

static void put_many(struct exchange *x)
{
	struct write *w = exchange_state(x);
	bool all;

	if (!w && (!resource_supervisor(x) || !(w = begin(x))))
		return;
	if (!write_settled(x, w))
		return;
	all = many_of(w)->dry_run || all_settled(x, many_of(w));
	if (all || resource_late(x, w->deadline_ms))
		reply(x, w, all);
	else
		exchange_park(x, w->deadline_ms);
}

const struct binding children_many_bindings[] = {
	{"startChildren", put_many},
	{"applyChildren", put_many},
	{NULL, NULL},
};
