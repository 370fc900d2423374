/* What another winner of a key means to those who listen, family by family. */
#include "server/core/parts.h"
#include "server/core/shared.h"

#include <stdio.h>
#include <string.h>

#include "server/core/clock.h"

struct text *tell_open(struct horde *h, const char *type)
{
	struct text *t = &h->telling;
	char id[EVENT_ID_BYTES];

	text_clear(t);
	h->telling_type = type;
	events_id(h->events, events_last(h->events) + 1, id);
	json_object(t);
	json_put_string(t, "id", id);
	json_put_string(t, "type", type);
	json_put_time(t, "at", h->wall_ms);
	return t;
}

void tell_close(struct horde *h, const char *topic)
{
	struct text *t = &h->telling;

	json_end_object(t);
	if (text_ok(t))
		events_add(h->events, topic, h->telling_type, t->bytes, t->used);
	else
		events_lose(h->events, 1);
}

static const char *member_name(const struct horde *h, struct origin_id node)
{
	const struct member *m = horde_member_by_id(h, node);
	char hex[ORIGIN_HEX_BYTES];
	const struct entry *e;

	if (m && m->recorded)
		return m->record->name;
	origin_to_hex(node, hex);
	e = get(h, "member", hex); /* it has come in this very step */
	return e && e->record ? e->record->member.name : "?";
}

static void put_node(const struct horde *h, struct text *t, const char *name, struct origin_id node)
{
	if (!origin_is_zero(node))
		json_put_string(t, name, member_name(h, node));
}

/* ---- entries ---- */

/* The registry, or the supervisor, and what follows it. */
static const char *key_scope(const struct entry *e, size_t *ret_bytes)
{
	const char *rest = key_rest(e->key);

	*ret_bytes = strcspn(rest, "/");
	return rest;
}

static struct text *open_name(struct horde *h, const char *type, const struct entry *e)
{
	struct text *t = tell_open(h, type);
	size_t bytes;
	const char *scope = key_scope(e, &bytes);

	json_key(t, "registry");
	json_string_n(t, scope, bytes);
	json_key(t, "key");
	scope += scope[bytes] ? bytes + 1 : bytes;
	json_string_n(t, scope, shared_key_bytes(scope));
	return t;
}

static void close_of(struct horde *h, const char *kind, const struct entry *e)
{
	char topic[KEY_BYTES_MAX + sizeof "registry:"];

	snprintf(topic, sizeof(topic), "%s:%.*s", kind, (int)shared_key_bytes(key_rest(e->key)),
		key_rest(e->key));
	tell_close(h, topic);
}

static void put_owner(
	const struct horde *h, struct text *t, const char *name, const struct entry *e)
{
	struct entry_record r;

	if (!entry_name(e, &r))
		return;
	json_key(t, name);
	json_object(t);
	json_put_string(t, "kind", owner_kind_name(r.owner_kind));
	json_put_string(t, "id", r.owner_id);
	put_node(h, t, "node", r.node);
	if (r.owner_kind == OWNER_CHILD)
		json_put_uint(t, "epoch", r.epoch);
	json_end_object(t);
}

static void put_value(struct text *t, const struct entry *e)
{
	struct entry_record r;
	const char *raw;
	size_t bytes;

	if (!entry_name(e, &r))
		return;
	raw = entry_raw(e, &bytes);
	json_key(t, "value");
	json_raw(t, raw, bytes);
}

static bool ended(enum child_state s)
{
	return s == CHILD_EXITED || s == CHILD_FAILED || s == CHILD_STOPPED;
}

/* By what is known of the owner now: nobody writes down why a name ends. */
static const char *why_gone(const struct horde *h, const struct entry *e)
{
	const struct entry *spec, *status;
	const struct status_record *s;
	struct entry_record r;

	if (!entry_name(e, &r))
		return "released";
	if (r.owner_kind == OWNER_LEASE)
		return get(h, "lease", r.owner_id) ? "released" : "expired";
	if (r.owner_kind != OWNER_CHILD)
		return "released";
	spec = get(h, "spec", r.owner_id);
	status = get(h, "status", r.owner_id);
	s = status && status->record ? &status->record->status : NULL;
	if (s && ended(s->state) && s->reason == REASON_NODE_DEAD)
		return "node_lost";
	if (!spec || (s && ended(s->state)) ||
		(spec->record && !spec->record->spec.desired_running))
		return "owner_exit";
	return "released";
}

static void tell_unregistered(struct horde *h, const struct entry *e, const char *why)
{
	struct text *t = open_name(h, "entry.unregistered", e);

	put_owner(h, t, "owner", e);
	json_put_string(t, "reason", why);
	close_of(h, "registry", e);
}

static void tell_named(struct horde *h, const char *type, const struct entry *e)
{
	struct text *t = open_name(h, type, e);

	put_owner(h, t, "owner", e);
	put_value(t, e);
	close_of(h, "registry", e);
}

static void tell_conflict(struct horde *h, const struct entry *winner, const struct entry *loser)
{
	struct text *t = open_name(h, "entry.conflict_resolved", winner);

	put_owner(h, t, "owner", winner);
	put_owner(h, t, "loser", loser);
	put_value(t, winner);
	close_of(h, "registry", winner);
}

static bool same_owner(const struct entry *a, const struct entry *b)
{
	struct entry_record x, y;

	return entry_name(a, &x) && entry_name(b, &y) && x.owner_kind == y.owner_kind &&
	       strcmp(x.owner_id, y.owner_id) == 0;
}

static bool same_name(const struct entry *a, const struct entry *b)
{
	struct entry_record x, y;
	const char *left, *right;
	size_t left_bytes, right_bytes;

	if (!entry_name(a, &x) || !entry_name(b, &y) || x.epoch != y.epoch ||
		!origin_equal(x.node, y.node))
		return false;
	left = entry_raw(a, &left_bytes);
	right = entry_raw(b, &right_bytes);
	return left_bytes == right_bytes && memcmp(left, right, left_bytes) == 0;
}

static void on_entry(struct horde *h, const struct entry *before, const struct entry *now)
{
	bool beside = before && !before->dead; /* it has lost, and that is all that is wrong */

	if (before && now && same_owner(before, now)) {
		if (!same_name(before, now))
			tell_named(h, "entry.updated", now);
		return;
	}
	if (before)
		tell_unregistered(h, before, beside ? "conflict" : why_gone(h, before));
	if (now)
		tell_named(h, "entry.registered", now);
	if (beside && now)
		tell_conflict(h, now, before);
}

/* ---- meta ---- */

static bool same_text(const struct entry *a, const struct entry *b)
{
	return a->value_bytes == b->value_bytes &&
	       memcmp(entry_text(a, NULL), entry_text(b, NULL), a->value_bytes) == 0;
}

static void on_meta(struct horde *h, const struct entry *before, const struct entry *now)
{
	struct text *t;

	if (before && now && same_text(before, now))
		return;
	t = open_name(h, now ? "meta.put" : "meta.deleted", now ? now : before);
	if (now) {
		json_key(t, "value");
		json_raw(t, entry_text(now, NULL), now->value_bytes);
	}
	close_of(h, "meta", now ? now : before);
}

/* ---- children ---- */

static struct text *open_child(struct horde *h, const char *type, const struct entry *e)
{
	struct text *t = tell_open(h, type);

	json_put_string(t, "child", key_rest(e->key));
	return t;
}

static void on_spec(struct horde *h, const struct entry *before, const struct entry *now)
{
	if (before && now && same_text(before, now))
		return;
	open_child(h,
		!before ? "child.created"
		: now   ? "child.updated"
			: "child.deleted",
		now ? now : before);
	close_of(h, "child", now ? now : before);
}

static void on_assign(struct horde *h, const struct entry *before, const struct entry *now)
{
	const struct assign_record *a = now && now->record ? &now->record->assign : NULL;
	const struct assign_record *b = before && before->record ? &before->record->assign : NULL;
	struct text *t;

	if (!a || (b && a->epoch == b->epoch && origin_equal(a->node, b->node)))
		return;
	t = open_child(h, "child.assigned", now);
	put_node(h, t, "node", a->node);
	json_put_uint(t, "epoch", a->epoch);
	close_of(h, "child", now);
}

static void put_exit(struct text *t, const struct exit_record *x)
{
	if (!x->known)
		return;
	json_key(t, "last_exit");
	json_object(t);
	if (x->signal > 0)
		json_put_int(t, "signal", x->signal);
	else if (x->code >= 0)
		json_put_int(t, "code", x->code);
	json_put_time(t, "at", x->at_ms);
	json_end_object(t);
	if (x->error[0])
		json_put_string(t, "detail", x->error);
}

static bool same_state(const struct status_record *a, const struct status_record *b)
{
	return a->state == b->state && a->reason == b->reason && a->epoch == b->epoch &&
	       a->pid == b->pid && a->ready == b->ready && a->restarts == b->restarts &&
	       origin_equal(a->node, b->node);
}

static void on_status(struct horde *h, const struct entry *before, const struct entry *now)
{
	const struct status_record *s = now && now->record ? &now->record->status : NULL;
	const struct status_record *b = before && before->record ? &before->record->status : NULL;
	struct text *t;

	if (!s || (b && same_state(s, b)))
		return;
	if (!get(h, "spec", key_rest(now->key)))
		return; /* it is deleted, and that was told */
	t = open_child(h, "child.state_changed", now);
	json_put_string(t, "state", child_state_name(s->state));
	json_put_string(t, "reason", reason_name(s->reason));
	if (b)
		json_put_string(t, "previous_state", child_state_name(b->state));
	put_node(h, t, "node", s->node);
	json_put_uint(t, "epoch", s->epoch);
	if (s->pid)
		json_put_int(t, "pid", s->pid);
	json_put_uint(t, "restarts", s->restarts);
	json_put_bool(t, "ready", s->ready);
	put_exit(t, &s->last_exit);
	close_of(h, "child", now);
}

static void tell_assigns(struct horde *h, const struct entry *winner, const struct entry *loser)
{
	const struct assign_record *a = winner->record ? &winner->record->assign : NULL;
	const struct assign_record *b = loser->record ? &loser->record->assign : NULL;
	struct text *t;

	if (!a || !b || origin_equal(a->node, b->node))
		return;
	t = open_child(h, "child.conflict", winner);
	put_node(h, t, "node", a->node);
	json_put_uint(t, "epoch", a->epoch);
	put_node(h, t, "loser_node", b->node);
	close_of(h, "child", winner);
}

/* ---- members ---- */

static const char *member_type(const struct member_record *before, const struct member_record *now)
{
	bool same = before && now && origin_equal(before->incarnation, now->incarnation);

	if (!now)
		return before ? "member.removed" : NULL;
	if (same && before->state == now->state)
		return NULL;
	switch (now->state) {
	case MEMBER_LEFT:
		return "member.left";
	case MEMBER_DRAINING:
		return "member.draining";
	case MEMBER_JOINING:
	case MEMBER_ALIVE:
	case MEMBER_STATE_COUNT:
		break;
	}
	return same ? NULL : "member.joined";
}

static void on_member(struct horde *h, const struct entry *before, const struct entry *now)
{
	const struct member_record *b = before && before->record ? &before->record->member : NULL;
	const struct member_record *m = now && now->record ? &now->record->member : NULL;
	const char *type = member_type(b, m);
	struct text *t;

	if (!type)
		return;
	t = tell_open(h, type);
	json_put_string(t, "member", (m ? m : b)->name);
	json_put_string(t, "node_id", key_rest((now ? now : before)->key));
	json_put_string(t, "url", (m ? m : b)->url);
	tell_close(h, "member");
}

/* ---- all of them ---- */

void tell_key(struct horde *h, const struct entry *before, const struct entry *now)
{
	const struct entry *e = now ? now : before;

	switch (family_of(e->key, e->key_bytes)) {
	case FAMILY_ENTRY:
		on_entry(h, before, now);
		break;
	case FAMILY_META:
		on_meta(h, before, now);
		break;
	case FAMILY_SPEC:
		on_spec(h, before, now);
		break;
	case FAMILY_ASSIGN:
		on_assign(h, before, now);
		if (before && now && !before->dead)
			tell_assigns(h, now, before);
		break;
	case FAMILY_STATUS:
		on_status(h, before, now);
		break;
	case FAMILY_MEMBER:
		on_member(h, before, now);
		break;
	case FAMILY_OTHER:
	case FAMILY_REGISTRY:
	case FAMILY_LEASE:
	case FAMILY_REPLY:
	case FAMILY_SUPERVISOR:
	case FAMILY_HALT:
	case FAMILY_STATE:
	case FAMILY_COUNT:
		break;
	}
}

void tell_beside(struct horde *h, const struct entry *winner, const struct entry *loser)
{
	enum family f = family_of(loser->key, loser->key_bytes);

	if (f == FAMILY_ASSIGN)
		tell_assigns(h, winner, loser);
	else if (f == FAMILY_ENTRY && !same_owner(winner, loser))
		tell_conflict(h, winner, loser);
}
