/*
 * The children of the configuration file: at the start, and again at each SIGHUP. What is to be
 * done about one is server/core/declared.h's to say; here it is looked up, and carried out as the
 * event that a request would cause.
 *
 * A round goes over all that is remembered and no longer declared, which makes room, and then over
 * the file. It is level-triggered: what was refused is looked at anew in the next round.
 */
#include "server/node_inside.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/spec_prepare.h"
#include "server/core/declared.h"
#include "server/log.h"

/* ---- what is remembered ---- */

static enum err load_declared(
	void *data, const char *ref, size_t ref_bytes, const char *digest, size_t digest_bytes)
{
	char name[REF_BYTES_MAX], hex[DECLARED_DIGEST_BYTES];

	if (ref_bytes >= sizeof name || digest_bytes >= sizeof hex)
		return ERR_STORAGE_CORRUPT;
	snprintf(name, sizeof name, "%.*s", (int)ref_bytes, ref);
	snprintf(hex, sizeof hex, "%.*s", (int)digest_bytes, digest);
	return declared_set(data, name, hex);
}

enum err node_load_declared(struct node *n)
{
	struct store_visitor visitor = {.data = &n->declared.remembered, .declared = load_declared};

	return store_load(n->config.store, &visitor);
}

enum err node_dump_declared(struct node *n)
{
	const struct declared *d = &n->declared.remembered;
	enum err e = ERR_OK;

	for (size_t i = 0; i < d->count && !e; i++)
		e = batch_declared(&n->batch, d->items[i].ref, d->items[i].digest);
	return e;
}

/*
 * Into the batch that the spec's own change is in, never an earlier one. A batch that cannot be
 * completed is replaced by all there is, this among it.
 */
static void store_digest(struct node *n, const char *ref, const char *digest)
{
	if (!n->rewrite && batch_declared(&n->batch, ref, digest))
		n->rewrite = true;
}

static enum err remember(struct node *n, const struct declared_child *c)
{
	enum err e = declared_set(&n->declared.remembered, c->ref, c->digest);

	/* Without memory it stays to be done: the spec is equal by then. */
	if (!e)
		store_digest(n, c->ref, c->digest);
	return e;
}

static void forget(struct node *n, const char *ref)
{
	store_digest(n, ref, "");
	declared_remove(&n->declared.remembered, ref);
}

/* ---- one child ---- */

static size_t key_of(char ret_key[KEY_BYTES_MAX + 1], const char *ref)
{
	return (size_t)snprintf(ret_key, KEY_BYTES_MAX + 1, "spec/%s", ref);
}

/* The value that the file asks for; created_at and `desired` stay what they are. */
static enum err prepare(
	const struct child_view *v, const struct declared_child *c, struct prepared *ret)
{
	struct spec_parts parts;
	struct faults faults = {0};
	enum err e;

	if (!v->spec || spec_split(entry_text(v->spec, NULL), v->spec->value_bytes, &parts))
		parts = (struct spec_parts){.created_at_ms = loop_wall_ms(), .running = true};
	parts.from_file = true;
	parts.spec = c->spec;
	parts.spec_bytes = strlen(c->spec);
	e = spec_prepare_parts(&faults, "", &parts, ret);
	faults_fini(&faults);
	return e;
}

static enum err put(struct node *n, const struct declared_child *c, struct prepared *p)
{
	struct event e = {.kind = EVENT_PUT_SPEC};
	char key[KEY_BYTES_MAX + 1], sup[REF_BYTES_MAX];
	const struct entry *record;
	enum err err;

	snprintf(sup, sizeof sup, "%.*s", (int)strcspn(c->ref, "/"), c->ref);
	if (!horde_supervisor(n->horde, sup, &record))
		return ERR_NOT_FOUND;
	e.put.key = key;
	e.put.key_bytes = key_of(key, c->ref);
	e.put.value = p->value.bytes;
	e.put.value_bytes = p->value.used;
	e.put.record = p->record;
	err = node_command(n, &e, NULL);
	if (!err) {
		p->record = NULL; /* it is the map's */
		n->declared.put++;
	}
	return err;
}

/* The act that changes nothing needs no look at the spec's text. */
static bool says_what_it_said(const struct declared_child *c, const struct declared_child *known)
{
	struct declared_view v = {.digest = c->digest, .remembered = known ? known->digest : NULL};

	return declared_decide(&v) == DECLARED_NOTHING;
}

static enum err settle(struct node *n, const struct declared_child *c)
{
	const struct declared_child *known = declared_find(&n->declared.remembered, c->ref);
	struct declared_view v = {.digest = c->digest, .remembered = known ? known->digest : NULL};
	struct prepared p = {0};
	struct child_view child;
	enum err e;

	if (says_what_it_said(c, known))
		return ERR_OK;
	horde_child(n->horde, c->ref, &child);
	e = prepare(&child, c, &p);
	if (!e) {
		const struct record *present = child.spec ? child.spec->record : NULL;

		v.present = child.spec;
		v.from_file = present && present->spec.from_file;
		v.equal = present && spec_applied(&present->spec, &p.record->spec) == APPLIED_NONE;
		if (declared_decide(&v) == DECLARED_PUT)
			e = put(n, c, &p);
	}
	prepared_fini(&p);
	return e ? e : remember(n, c);
}

/* It stands in the file no more. */
static enum err clear(struct node *n, const char *ref)
{
	struct declared_view v = {
		.remembered = declared_find(&n->declared.remembered, ref)->digest};
	struct event e = {.kind = EVENT_REMOVE_SPEC};
	char key[KEY_BYTES_MAX + 1];
	struct child_view child;
	enum err err = ERR_OK;

	horde_child(n->horde, ref, &child);
	v.present = child.spec;
	v.from_file = child.spec && child.spec->record && child.spec->record->spec.from_file;
	if (declared_decide(&v) == DECLARED_DELETE) {
		e.put.key = key;
		e.put.key_bytes = key_of(key, ref);
		err = node_command(n, &e, NULL);
		n->declared.removed += !err;
	}
	if (!err)
		forget(n, ref);
	return err;
}

/* ---- a round ---- */

/* Said once for each child and reason, however often it is tried. */
static void tell_refused(struct node *n, const char *ref, enum err e)
{
	struct node_declared *d = &n->declared;
	char why[DECLARED_DIGEST_BYTES];

	d->refused++;
	snprintf(why, sizeof why, "%d", (int)e);
	if (declared_find(&d->told, ref) && !strcmp(declared_find(&d->told, ref)->digest, why))
		return;
	(void)declared_set(&d->told, ref, why);
	log_event(LOG_LEVEL_WARN, "declared.refused", ref, "%s; it is tried again",
		e == ERR_NOT_FOUND            ? "there is no such supervisor"
		: e == ERR_FULL               ? "the supervisor has no room for it"
		: e == ERR_NAME_TAKEN ? "another owner has one of its names"
					      : err_text(e));
}

/* False: the round is over. */
static bool next(struct node *n)
{
	struct node_declared *d = &n->declared;
	enum err e = ERR_OK;

	if (d->clearing < d->remembered.count) {
		const char *ref = d->remembered.items[d->clearing].ref;
		size_t before = d->remembered.count;

		if (!declared_find(d->file, ref) && (e = clear(n, ref)))
			tell_refused(n, ref, e);
		d->clearing += d->remembered.count == before; /* else the next one moved up */
		return true;
	}
	if (d->at == d->file->count)
		return false;
	if ((e = settle(n, &d->file->items[d->at])))
		tell_refused(n, d->file->items[d->at].ref, e);
	d->at++;
	return true;
}

static void begin_round(struct node *n)
{
	struct node_declared *d = &n->declared;

	d->busy = true;
	d->clearing = d->at = 0;
	d->put = d->removed = d->refused = 0;
}

static void end_round(struct node *n)
{
	struct node_declared *d = &n->declared;

	d->busy = false;
	if (d->fresh || d->put || d->removed)
		log_event(LOG_LEVEL_INFO, "declared.done", n->config.options->config,
			"%zu of %zu put, %zu deleted, %zu refused", d->put, d->file->count,
			d->removed, d->refused);
	d->fresh = false;
	if (!d->refused)
		return;
	d->retry_ms = loop_now_ms(n->config.loop) + d->backoff_ms;
	d->backoff_ms *= 2;
	if (d->backoff_ms > DECLARED_RETRY_MS_MAX)
		d->backoff_ms = DECLARED_RETRY_MS_MAX;
}

static bool may_act(const struct node *n)
{
	struct readiness r = horde_readiness(n->horde);

	return n->declared.file && !n->terminating && r.cluster && r.synced && r.storing &&
	       r.running;
}

int64_t node_declare(struct node *n)
{
	struct node_declared *d = &n->declared;

	if (!may_act(n))
		return INT64_MAX; /* what makes it so is an event, and a turn */
	if (!d->busy && d->refused && loop_now_ms(n->config.loop) >= d->retry_ms)
		begin_round(n);
	for (int i = 0; d->busy && i < DECLARED_STEPS_MAX; i++)
		if (!next(n))
			end_round(n);
	if (d->busy)
		return 0;
	return d->refused ? d->retry_ms : INT64_MAX;
}

/* ---- what the file says ---- */

static void adopt(struct node *n, const struct declared *file)
{
	struct node_declared *d = &n->declared;

	d->file = file;
	d->fresh = true;
	d->backoff_ms = DECLARED_RETRY_MS_MIN;
	declared_fini(&d->told);
	begin_round(n);
}

void node_begin_declared(struct node *n)
{
	if (n->config.options->config)
		adopt(n, &n->config.options->children);
}

static void tell_faults(const char *path, struct text *faults, enum err e)
{
	const char *line = e == ERR_MALFORMED ? text_cstr(faults) : NULL;

	if (!line)
		line = err_text(e);
	for (; *line; line += strcspn(line, "\n"), line += *line == '\n')
		log_event(LOG_LEVEL_ERROR, "declared.unreadable", path, "nothing is changed: %.*s",
			(int)strcspn(line, "\n"), line);
}

void node_reload(struct node *n)
{
	const char *path = n->config.options->config;
	struct declared found = {0};
	struct text faults = TEXT_INIT;
	enum err e;

	if (!path) {
		log_event(LOG_LEVEL_INFO, "declared.none", NULL,
			"told to read the configuration file again, and there is no --config");
		return;
	}
	e = options_read_children(path, &found, &faults);
	if (e) {
		tell_faults(path, &faults, e);
	} else {
		log_event(LOG_LEVEL_INFO, "declared.read", path,
			"declares %zu children; the other options count from the next start",
			found.count);
		declared_fini(&n->declared.own);
		n->declared.own = found;
		adopt(n, &n->declared.own);
	}
	text_fini(&faults);
}

void node_declared_fini(struct node *n)
{
	declared_fini(&n->declared.own);
	declared_fini(&n->declared.remembered);
	declared_fini(&n->declared.told);
}
