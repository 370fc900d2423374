/*
 * The registry's rules: one owner per key, only the owner or an admin changes it, and a name ends
 * with its owner (design.md, "Registry"). Clean-up removes only what the ended epochs registered,
 * so that a loser's end never takes the winner's name.
 */
#include "server/core/parts.h"
#include "server/core/shared.h"

#include <stdlib.h>
#include <string.h>

static bool same_owner(const struct entry_record *r, enum owner_kind kind, const char *id)
{
	return r->owner_kind == kind && strcmp(r->owner_id, id) == 0;
}

static bool ended(enum child_state s)
{
	return s == CHILD_EXITED || s == CHILD_FAILED || s == CHILD_STOPPED;
}

static enum err find_lease(const struct horde *h, const char *id, struct entry_record *ret)
{
	const struct lease_record *lease = lease_of(h, id);

	if (!lease)
		return ERR_OWNER_UNKNOWN;
	ret->node = lease->node;
	ret->epoch = lease->epoch;
	return ERR_OK;
}

/* Fills who the owner is now. */
static enum err find_owner(struct horde *h, const struct event *e, struct entry_record *ret)
{
	struct child_view view;

	ret->owner_kind = e->entry.owner_kind;
	if (e->entry.owner_kind == OWNER_STATIC)
		return ERR_OK;
	if (e->entry.owner_kind == OWNER_LEASE)
		return find_lease(h, e->entry.owner_id, ret);
	horde_child(h, e->entry.owner_id, &view);
	if (!view.spec)
		return ERR_OWNER_UNKNOWN;
	if (ended(view.state))
		return ERR_WRONG_STATE;
	if (view.assign && view.assign->record) {
		ret->node = view.assign->record->assign.node;
		ret->epoch = view.assign->record->assign.epoch;
	}
	return ERR_OK;
}

/* Writes an entry; `value_at` is found anew, since the text is made here. */
static enum err put_entry(struct horde *h, const struct event *e, const struct entry_record *fields,
	const char *owner_id)
{
	struct entry_record copy = *fields;
	struct text text = TEXT_INIT;
	enum err err = ERR_NO_MEMORY;
	struct record *r;

	copy.owner_id = owner_id;
	r = record_new_entry(&copy, strlen(owner_id));
	if (!r)
		return ERR_NO_MEMORY;
	record_encode(r, e->entry.value, e->entry.value_bytes, &text);
	if (!text_cstr(&text))
		goto out;
	r->entry.value_bytes = (uint32_t)e->entry.value_bytes;
	/* It stands last, before the '}'. */
	r->entry.value_at = (uint32_t)(text.used - 1 - e->entry.value_bytes);
	err = map_put(h->map, e->entry.key, e->entry.key_bytes, text.bytes, text.used, r, stamp(h),
		&h->out->changes);
	if (err == ERR_OK)
		r = NULL;
out:
	record_free(r);
	text_fini(&text);
	return err;
}

/* Among concurrent owners of a key, the one that had it first is to have it. */
static bool is_first(const struct horde *h, const struct event *e)
{
	return registries_rules(h, e->entry.key).conflict == WINS_FIRST;
}

enum err registry_register(struct horde *h, const struct event *e)
{
	const struct entry *present = map_get(h->map, e->entry.key, e->entry.key_bytes);
	struct entry_record fields = {0}, old;
	bool renewed = present && entry_name(present, &old) &&
		       same_owner(&old, e->entry.owner_kind, e->entry.owner_id);
	enum err err = registries_have(h, e->entry.key) ? find_owner(h, e, &fields) : ERR_NOT_FOUND;

	if (err != ERR_OK)
		return err;
	if (present && !renewed)
		return ERR_ALREADY_REGISTERED;
	if (locks_left_ms(h, e->entry.key, e->entry.key_bytes, e->entry.owner_kind,
		    e->entry.owner_id) > 0)
		return ERR_HELD_BACK;
	fields.created = renewed ? old.created : stamp(h);
	fields.first = is_first(h, e);
	fields.voted = e->entry.voted || (renewed && old.voted);
	h->out->created = !renewed;
	return put_entry(h, e, &fields, e->entry.owner_id);
}

enum err registry_own(struct horde *h, const struct entry *e, uint64_t epoch)
{
	struct event event = {.kind = EVENT_REGISTER};
	struct entry_record fields;

	if (!entry_name(e, &fields))
		return ERR_OK;
	event.entry.key = e->key;
	event.entry.key_bytes = e->key_bytes;
	event.entry.value = entry_raw(e, &event.entry.value_bytes);
	fields.node = h->config.node_id;
	fields.epoch = epoch;
	return put_entry(h, &event, &fields, fields.owner_id);
}

/* The present entry, if it exists and the caller may change it. */
static enum err may_change(struct horde *h, const struct event *e, const struct entry **ret)
{
	const struct entry *present = map_get(h->map, e->entry.key, e->entry.key_bytes);
	struct entry_record owner;

	if (!present)
		return ERR_NOT_FOUND;
	if (e->entry.owner_given &&
		(!entry_name(present, &owner) ||
			!same_owner(&owner, e->entry.owner_kind, e->entry.owner_id)))
		return ERR_NOT_OWNER;
	*ret = present;
	return ERR_OK;
}

enum err registry_update(struct horde *h, const struct event *e)
{
	const struct entry *present;
	struct entry_record fields;
	enum err err = may_change(h, e, &present);

	if (err != ERR_OK)
		return err;
	if (!entry_name(present, &fields))
		return ERR_NOT_OWNER; /* nobody can say whose it is: unregister it first */
	return put_entry(h, e, &fields, fields.owner_id);
}

enum err registry_unregister(struct horde *h, const struct event *e)
{
	const struct entry *present;
	enum err err = may_change(h, e, &present);

	if (err != ERR_OK)
		return err;
	return map_remove(h->map, e->entry.key, e->entry.key_bytes, stamp(h), &h->out->changes);
}

/* ---- what specs ask for ---- */

/* Where in the map a name stands that a child's spec asks for: it depends on the registry. */
struct place {
	const char *key;
	size_t bytes;
	char room[KEY_BYTES_MAX + 1];
};

static struct place *place_of(
	const struct horde *h, const char *ref, const struct claim *claim, struct place *p)
{
	const char *rest = key_rest(claim->key);

	p->key = claim->key;
	p->bytes = claim->key_bytes;
	if (registries_rules(h, claim->key).keys != KEYS_DUPLICATE)
		return p;
	p->key = p->room;
	p->bytes = shared_key(p->room, rest, strcspn(rest, "/"), key_rest(rest), OWNER_CHILD, ref);
	return p;
}

static const struct entry *entry_at(const struct horde *h, const struct place *p)
{
	return p->bytes ? map_get(h->map, p->key, p->bytes) : NULL;
}

/* It is this child's, whatever its epoch. */
static bool is_of(const struct entry *e, const char *ref)
{
	struct entry_record owner;

	return entry_name(e, &owner) && same_owner(&owner, OWNER_CHILD, ref);
}

/* The entry says already what the claim does, of the present assignment. */
static bool is_held(const struct horde *h, const struct entry *e, const struct claim *claim,
	const struct child *c)
{
	struct entry_record owner;
	char room[ENTRY_ROOM];

	return e && !e->sibling && entry_name(e, &owner) && owner.epoch == c->epoch &&
	       origin_equal(owner.node, h->config.node_id) &&
	       owner.value_bytes == strlen(claim->value) &&
	       memcmp(entry_text(e, room) + owner.value_at, claim->value, owner.value_bytes) == 0;
}

static enum err hold_one(struct horde *h, const struct child *c, const struct claim *claim)
{
	struct place place;
	const struct entry *present = entry_at(h, place_of(h, c->ref, claim, &place));
	struct entry_record fields = {.owner_kind = OWNER_CHILD,
		.node = h->config.node_id,
		.epoch = c->epoch,
		.created = stamp(h)};
	struct event e = {.kind = EVENT_REGISTER};
	struct entry_record old;

	if (place.bytes == 0 || is_held(h, present, claim, c))
		return ERR_OK;
	if (present && entry_name(present, &old)) {
		fields.created = old.created;
		fields.voted = old.voted;
	}
	e.entry.key = place.key;
	e.entry.key_bytes = place.bytes;
	e.entry.value = claim->value;
	e.entry.value_bytes = strlen(claim->value);
	fields.first = is_first(h, &e);
	return put_entry(h, &e, &fields, c->ref);
}

static const struct entry *taken(const struct horde *h, const char *ref, const struct claim *claim)
{
	struct place place;
	const struct entry *e = entry_at(h, place_of(h, ref, claim, &place));

	return e && !is_of(e, ref) && registries_have(h, e->key) ? e : NULL;
}

/* Of the names that it does not run without, one that another owner has. */
static const struct entry *missing(
	const struct horde *h, const char *ref, const struct claims *claims)
{
	for (uint32_t i = 0; i < claims->count; i++) {
		const struct claim *one = &claims->items[i];
		const struct entry *e = one->on_taken == TAKEN_FAIL ? taken(h, ref, one) : NULL;

		if (e)
			return e;
	}
	return NULL;
}

/* Nobody has it, but its last owner was lost just now. */
static bool held_back(const struct horde *h, const char *ref, const struct claim *one)
{
	struct place place;

	place_of(h, ref, one, &place);
	return locks_left_ms(h, place.key, place.bytes, OWNER_CHILD, ref) > 0;
}

static enum err are_free(const struct horde *h, const char *ref, const struct claims *claims)
{
	for (uint32_t i = 0; i < claims->count; i++)
		if (claims->items[i].on_taken == TAKEN_FAIL && held_back(h, ref, &claims->items[i]))
			return ERR_NAME_TAKEN;
	return missing(h, ref, claims) ? ERR_NAME_TAKEN : ERR_OK;
}

enum err registry_free(struct horde *h, const char *ref, const struct claims *claims)
{
	char **identity = claims->expands ? identity_of_ref(ref) : NULL;
	struct claims own = {0};
	enum err err = ERR_NO_MEMORY;

	if (!claims->expands)
		return are_free(h, ref, claims);
	if (identity && claims_expand(claims, identity, &own))
		err = are_free(h, ref, &own);
	claims_fini(&own);
	identity_free(identity);
	return err;
}

void registry_wake_standbys(struct horde *h)
{
	if (!h->standbys)
		return;
	h->standbys = false;
	for (struct child *c = h->all; c; c = c->next)
		if (c->names_wait)
			child_mark_it(h, c);
}

/* What it is to have, as a number that changes with it: only what there are registries for. */
static uint64_t wanted_names(
	const struct horde *h, const struct child *c, const struct claims *claims)
{
	uint64_t wanted = claims_hash(claims) ^ c->epoch;

	for (uint32_t i = 0; i < claims->count; i++)
		wanted = 2 * wanted + registries_have(h, claims->items[i].key);
	return wanted;
}

void registry_lost(struct horde *h, const struct change *change)
{
	const struct entry *winner =
		h->claims ? map_get(h->map, change->entry->key, change->entry->key_bytes) : NULL;
	struct child *c = winner ? child_of_name(h, change->entry) : NULL;

	if (c && change->kind == CHANGE_DROP && !is_of(winner, c->ref))
		c->name_lost = true;
	for (const struct entry *s = winner ? winner->sibling : NULL; s; s = s->sibling) {
		c = child_of_name(h, s);
		if (c && !is_of(winner, c->ref))
			c->name_lost = true;
	}
}

/* One name, unless another owner has it or may have it back. */
static enum err hold_or_wait(
	struct horde *h, struct child *c, const struct claim *one, uint16_t bit)
{
	bool held = held_back(h, c->ref, one);

	if (!held && !taken(h, c->ref, one))
		return hold_one(h, c, one);
	if (held || one->on_taken == TAKEN_WAIT)
		c->names_wait |= bit;
	return ERR_OK;
}

/* One that an admin has freed since stays free, and whoever takes it then may have it. */
static enum err hold_these(
	struct horde *h, struct child *c, const struct claims *claims, uint16_t which)
{
	enum err err = ERR_OK;

	c->names_wait = 0;
	for (uint32_t i = 0; err == ERR_OK && i < claims->count; i++)
		if (which >> i & 1 && registries_have(h, claims->items[i].key))
			err = hold_or_wait(h, c, &claims->items[i], (uint16_t)(1u << i));
	h->standbys = h->standbys || c->names_wait;
	return err;
}

/* Those that it had, as far as another owner has them now. */
static uint16_t lost(const struct horde *h, const struct child *c, const struct claims *claims)
{
	uint16_t which = 0;

	for (uint32_t i = 0; c->name_lost && i < claims->count; i++)
		if (taken(h, c->ref, &claims->items[i]))
			which |= (uint16_t)(1u << i);
	return which;
}

static enum err hold(struct horde *h, struct child *c, const struct claims *claims,
	const struct entry **ret_taken)
{
	uint64_t wanted = wanted_names(h, c, claims);
	bool anew = c->claimed != wanted;
	uint16_t which = anew ? UINT16_MAX : c->names_wait | lost(h, c, claims);
	enum err err;

	*ret_taken = c->name_lost || anew ? missing(h, c->ref, claims) : NULL;
	c->name_lost = false;
	if (*ret_taken || which == 0)
		return ERR_OK;
	err = hold_these(h, c, claims, which);
	h->claims = true;
	if (err == ERR_OK)
		c->claimed = wanted;
	return err;
}

enum err registry_hold(struct horde *h, struct child *c, const struct claims *claims,
	const struct entry **ret_taken)
{
	char **identity = claims->expands ? identity_make(h, c, c->process_epoch) : NULL;
	struct claims own;
	enum err err = ERR_NO_MEMORY;

	*ret_taken = NULL;
	if (!claims->expands)
		return hold(h, c, claims, ret_taken);
	if (identity && claims_expand(claims, identity, &own)) {
		err = hold(h, c, &own, ret_taken);
		claims_fini(&own);
	}
	identity_free(identity);
	return err;
}

struct ended { /* an owner, and which of its lives are over */
	enum owner_kind kind;
	const char *id;
	uint64_t epoch; /* this one and those before */
};

static enum err end_one(struct horde *h, const struct entry *e, const struct ended *o);

static void unlist(
	struct horde *h, const char *ref, const struct claims *before, const struct claims *now)
{
	const struct ended all = {OWNER_CHILD, ref, UINT64_MAX};

	for (uint32_t i = 0; i < before->count; i++) {
		const struct claim *claim = &before->items[i];
		struct place place;
		const struct entry *e = entry_at(h, place_of(h, ref, claim, &place));

		if (e && !(now && claims_have(now, claim->key)))
			end_one(h, e, &all);
	}
}

/* Their keys are the same on every node. Without memory a name stands until its owner ends. */
void registry_unlist(
	struct horde *h, const char *ref, const struct claims *before, const struct claims *now)
{
	static const struct claims none;
	char **identity;
	struct claims old = {0}, fresh = {0};

	now = now ? now : &none;
	if (!before->expands && !now->expands) {
		unlist(h, ref, before, now);
		return;
	}
	identity = identity_of_ref(ref);
	if (identity && claims_expand(before, identity, &old) &&
		claims_expand(now, identity, &fresh))
		unlist(h, ref, &old, &fresh);
	claims_fini(&old);
	claims_fini(&fresh);
	identity_free(identity);
}

/* ---- the end of an owner ---- */

static bool names(const struct entry *e, const struct ended *o)
{
	struct entry_record name;

	return entry_name(e, &name) && same_owner(&name, o->kind, o->id) && name.epoch <= o->epoch;
}

/* The winner goes with its siblings; a losing sibling goes alone, by resolve. */
static enum err end_one(struct horde *h, const struct entry *e, const struct ended *o)
{
	if (names(e, o))
		return map_remove(h->map, e->key, e->key_bytes, stamp(h), &h->out->changes);
	for (const struct entry *s = e->sibling; s; s = s->sibling)
		if (names(s, o))
			return map_resolve(
				h->map, e->key, e->key_bytes, stamp(h), &h->out->changes);
	return ERR_OK;
}

void registry_end(struct horde *h, enum owner_kind kind, const char *id, uint64_t epoch)
{
	const struct ended o = {kind, id, epoch};
	const struct entry *e = map_owned_after(h->map, kind, id, "", 0);

	while (e) {
		const char *key = e->key; /* readable until the sweep, even when it dies here */
		size_t key_bytes = e->key_bytes;

		if (end_one(h, entry_winner(e), &o) != ERR_OK)
			h->rescan = true;
		e = map_owned_after(h->map, kind, id, key, key_bytes);
	}
}

bool registry_names(const struct horde *h, const char *ref)
{
	return map_owned(h->map, OWNER_CHILD, ref) > 0;
}
