#include "server/core/parts.h"

#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#define WHEN_BYTES 16

/* One that is held here, or that is to be looked at. */
struct lease {
	struct tree_node node;  /* first: by id */
	struct tree_node timer; /* by `when`, while it is held */
	char when[WHEN_BYTES];  /* a time not after `until_ms`, and a number, big-endian */
	int64_t until_ms;
	bool held;
	bool marked;
	bool look_for_lost; /* among its names there may be some that others have now */
	struct lease *next_marked;
	char *lost[LEASE_LOST_MAX]; /* keys that others have now, "REG/KEY"; not told yet */
	size_t lost_count;
	char id[];
};

static struct lease *of_node(struct tree_node *n)
{
	return (struct lease *)n; /* its first member */
}

static struct lease *of_timer(struct tree_node *n)
{
	return (struct lease *)(void *)((char *)n - offsetof(struct lease, timer));
}

static struct lease *find(const struct horde *h, const char *id)
{
	size_t bytes = strlen(id);

	return bytes > TREE_NAME_BYTES_MAX ? NULL : of_node(tree_find(&h->leases, id, bytes));
}

const struct lease_record *lease_of(const struct horde *h, const char *id)
{
	const struct entry *e = get(h, "lease", id);

	return e && e->record ? &e->record->lease : NULL;
}

/* ---- the time that is left ---- */

static void put_big(char *to, uint64_t value)
{
	for (int i = 7; i >= 0; i--, value >>= 8)
		to[i] = (char)(value & 0xff);
}

static int64_t when_ms(const struct lease *l)
{
	uint64_t value = 0;

	for (int i = 0; i < 8; i++)
		value = value << 8 | (unsigned char)l->when[i];
	return (int64_t)value;
}

static void queue(struct horde *h, struct lease *l)
{
	put_big(l->when, (uint64_t)l->until_ms);
	put_big(l->when + 8, h->lease_serial++);
	tree_insert(&h->lease_timers, &l->timer, WHEN_BYTES);
}

static void queue_again(struct horde *h, struct lease *l)
{
	tree_remove(&h->lease_timers, &l->timer);
	queue(h, l);
}

/* Cheap when it is for later: its timer finds out when it fires. */
static void hold(struct horde *h, struct lease *l, int64_t ms)
{
	l->until_ms = h->now_ms + ms;
	if (l->held && l->until_ms >= when_ms(l))
		return;
	if (l->held) {
		queue_again(h, l);
		return;
	}
	l->held = true;
	queue(h, l);
}

static void let_go(struct horde *h, struct lease *l)
{
	if (l->held)
		tree_remove(&h->lease_timers, &l->timer);
	l->held = false;
}

/* ---- one lease ---- */

static void free_lost(struct lease *l)
{
	for (size_t i = 0; i < l->lost_count; i++)
		free(l->lost[i]);
	l->lost_count = 0;
}

static void bury(struct horde *h, struct lease *l)
{
	let_go(h, l);
	free_lost(l);
	tree_remove(&h->leases, &l->node);
	free(l);
}

static struct lease *make(struct horde *h, const char *id)
{
	size_t bytes = strlen(id);
	struct lease *l = bytes <= TREE_NAME_BYTES_MAX ? calloc(1, sizeof(*l) + bytes + 1) : NULL;

	if (!l)
		return NULL;
	memcpy(l->id, id, bytes + 1);
	tree_insert(&h->leases, &l->node, bytes);
	return l;
}

void leases_changed(struct horde *h, const char *id)
{
	struct lease *l = find(h, id);

	if (!l)
		l = make(h, id);
	if (!l) {
		h->leases_all = h->leases_all || strlen(id) <= TREE_NAME_BYTES_MAX;
		return;
	}
	if (l->marked)
		return;
	l->marked = true;
	l->next_marked = h->leases_marked;
	h->leases_marked = l;
}

void leases_init(struct horde *h)
{
	h->leases = TREE_INIT(struct lease, node, id);
	h->lease_timers = TREE_INIT(struct lease, timer, when);
}

void leases_fini(struct horde *h)
{
	while (h->leases.count > 0)
		bury(h, of_node(tree_first(&h->leases)));
}

void leases_look(struct horde *h)
{
	h->leases_all = true;
}

/* ---- names that others have now ---- */

static bool is_of(const struct entry *e, const char *id)
{
	struct entry_record r;

	return entry_name(e, &r) && r.owner_kind == OWNER_LEASE && strcmp(r.owner_id, id) == 0;
}

/* Without memory, or beyond so many, it is not told. */
static void lose(struct lease *l, const struct entry *e)
{
	const char *key = key_rest(e->key);

	for (size_t i = 0; i < l->lost_count; i++)
		if (strcmp(l->lost[i], key) == 0)
			return;
	if (l->lost_count < LEASE_LOST_MAX && (l->lost[l->lost_count] = strdup(key)))
		l->lost_count++;
}

/* `e` was, or is, a name of some lease, and `winner` has its key now. */
static void look_at_name(struct horde *h, const struct entry *e, const struct entry *winner)
{
	struct entry_record r;
	struct lease *l;

	if (!entry_name(e, &r) || r.owner_kind != OWNER_LEASE)
		return;
	l = find(h, r.owner_id);
	if (l && l->held && winner && !is_of(winner, r.owner_id)) {
		lose(l, e);
		l->look_for_lost = true;
		leases_changed(h, l->id);
	} else if (!e->dead && !get(h, "lease", r.owner_id)) {
		leases_changed(h, r.owner_id); /* it ended before this came */
	}
}

void leases_named(struct horde *h, const struct change *change)
{
	const struct entry *e = change->entry;
	const struct entry *winner = map_get(h->map, e->key, e->key_bytes);

	look_at_name(h, e, winner);
	for (const struct entry *s = winner ? winner->sibling : NULL; s; s = s->sibling)
		if (s != e)
			look_at_name(h, s, winner);
}

/* What has lost goes; the lease has no say in that, and is told. */
static void resolve_lost(struct horde *h, struct lease *l)
{
	const struct entry *e = map_owned_after(h->map, OWNER_LEASE, l->id, "", 0);

	while (e) {
		const char *key = e->key; /* readable until the sweep */
		size_t key_bytes = e->key_bytes;

		if (!is_of(entry_winner(e), l->id)) {
			lose(l, e);
			if (map_resolve(h->map, key, key_bytes, stamp(h), &h->out->changes) !=
				ERR_OK)
				h->leases_all = true;
		}
		e = map_owned_after(h->map, OWNER_LEASE, l->id, key, key_bytes);
	}
	l->look_for_lost = false;
}

/* ---- taking over ---- */

/* Its names anew under another epoch, so that whoever ends the old one takes none of them. */
static enum err take_names(struct horde *h, struct lease *l, uint64_t epoch)
{
	const struct entry *e = map_owned_after(h->map, OWNER_LEASE, l->id, "", 0);
	enum err err = ERR_OK;

	while (err == ERR_OK && e) {
		const struct entry *winner = entry_winner(e);
		const char *key = e->key;
		size_t key_bytes = e->key_bytes;

		if (is_of(winner, l->id))
			err = registry_own(h, winner, epoch);
		e = map_owned_after(h->map, OWNER_LEASE, l->id, key, key_bytes);
	}
	return err;
}

/* From now on it is held here, as `fields` says; it is looked at when that is written. */
static enum err own(struct horde *h, struct lease *l, const struct lease_record *fields, int64_t ms)
{
	struct record r = {.family = FAMILY_LEASE, .lease = *fields};
	enum err err = take_names(h, l, fields->epoch);

	r.lease.node = h->config.node_id;
	if (err == ERR_OK)
		err = write_record(h, "lease", l->id, &r);
	if (err != ERR_OK)
		return err;
	hold(h, l, ms);
	l->look_for_lost = true;
	return ERR_OK;
}

static enum err take(struct horde *h, struct lease *l)
{
	struct lease_record fields = *lease_of(h, l->id);
	uint64_t most = (uint64_t)fields.ttl_ms / LEASE_JITTER;

	fields.epoch++;
	return own(h, l, &fields,
		fields.ttl_ms + (int64_t)(XXH3_64bits(l->id, strlen(l->id)) % (most + 1)));
}

/* Nobody will renew it there, nor end it. */
static bool is_gone(struct horde *h, struct origin_id node)
{
	const struct member *m = member_by_id(h, node);
	struct assign_record holder = {.node = node};

	if (m)
		holder.incarnation = m->incarnation;
	return classify(h, &holder) == ASSIGNED_GONE;
}

/* ---- looking ---- */

/* Its record is not there: neither are its names, once whoever is first has seen it. */
static void end_names(struct horde *h, struct lease *l)
{
	if (member_first(h, l->id))
		registry_end(h, OWNER_LEASE, l->id, UINT64_MAX);
}

static void look_at_own(
	struct horde *h, struct lease *l, const struct entry *e, const struct lease_record *r)
{
	bool fresh = !l->held;

	if (fresh)
		hold(h, l, r->ttl_ms);
	if (e->sibling && resolve_key(h, "lease", l->id) != ERR_OK)
		h->leases_all = true;
	if (fresh || l->look_for_lost)
		resolve_lost(h, l);
}

static void look_at(struct horde *h, struct lease *l)
{
	const struct entry *e = get(h, "lease", l->id);
	const struct lease_record *r = e && e->record ? &e->record->lease : NULL;
	bool ours = r && origin_equal(r->node, h->config.node_id);

	if (!e) {
		end_names(h, l);
	} else if (ours) {
		look_at_own(h, l, e, r);
	} else if (r && is_gone(h, r->node) && member_first(h, l->id)) {
		ours = take(h, l) == ERR_OK;
		h->leases_all = h->leases_all || !ours;
	}
	if (!ours)
		bury(h, l);
}

/* Every lease, and every one that has a name and is none any more. */
static void mark_all(struct horde *h)
{
	const struct entry *e = map_from(h->map, "lease/", strlen("lease/"));
	const char *owner = "";

	h->leases_all = false;
	for (; e && family_of(e->key, e->key_bytes) == FAMILY_LEASE;
		e = map_after(h->map, e->key, e->key_bytes))
		leases_changed(h, key_rest(e->key));
	while ((owner = map_owner_after(h->map, OWNER_LEASE, owner)))
		if (!find(h, owner))
			leases_changed(h, owner);
}

/* Its time may be over: a renewal has not moved its timer. */
static void look_at_time(struct horde *h, struct lease *l)
{
	const struct entry *e = get(h, "lease", l->id);
	uint64_t epoch = e && e->record ? e->record->lease.epoch : UINT64_MAX;

	if (l->until_ms <= h->now_ms && remove_key(h, "lease", l->id) == ERR_OK) {
		say(h, "lease.expired", e ? key_rest(e->key) : "?", "nobody renewed it");
		registry_end(h, OWNER_LEASE, l->id, epoch);
		bury(h, l);
		return;
	}
	if (l->until_ms <= h->now_ms)
		l->until_ms = h->now_ms + RETRY_NO_MEMORY_MS;
	queue_again(h, l);
}

static bool may_act(const struct horde *h)
{
	return h->synced && !h->stopping && h->lease_work < LEASES_A_STEP;
}

static bool is_due(const struct horde *h)
{
	struct tree_node *n = tree_first(&h->lease_timers);

	return n && when_ms(of_timer(n)) <= h->now_ms;
}

void leases_tick(struct horde *h)
{
	if (!h->synced || h->stopping)
		return;
	if (h->leases_all)
		mark_all(h);
	while (h->leases_marked && may_act(h)) {
		struct lease *l = h->leases_marked;

		h->leases_marked = l->next_marked;
		l->marked = false;
		h->lease_work++;
		look_at(h, l);
	}
	while (!h->leases_marked && may_act(h) && is_due(h)) {
		h->lease_work++;
		look_at_time(h, of_timer(tree_first(&h->lease_timers)));
	}
}

bool leases_busy(const struct horde *h)
{
	return may_act(h) && h->leases_marked;
}

int64_t leases_deadline_ms(const struct horde *h)
{
	struct tree_node *n = tree_first(&h->lease_timers);

	if (!h->synced || h->stopping)
		return INT64_MAX;
	if (h->leases_all)
		return h->now_ms + RETRY_NO_MEMORY_MS;
	if (h->leases_marked)
		return h->now_ms;
	return n ? when_ms(of_timer(n)) : INT64_MAX;
}

/* ---- what is asked ---- */

static struct lease *find_or_make(struct horde *h, const char *id)
{
	struct lease *l = find(h, id);

	return l ? l : make(h, id);
}

enum err leases_put(struct horde *h, const struct event *e)
{
	struct lease_record fields = {
		.ttl_ms = e->lease.ttl_ms, .epoch = 1, .created_at_ms = h->wall_ms};
	const struct lease_record *old = lease_of(h, e->lease.id);
	struct lease *l;
	enum err err;

	if (!old && map_count(h->map, FAMILY_LEASE) >= LEASES_MAX)
		return ERR_LIMIT;
	l = find_or_make(h, e->lease.id);
	if (!l)
		return ERR_NO_MEMORY;
	if (old)
		fields.epoch = old->epoch + 1;
	memcpy(fields.secret, e->lease.secret, sizeof(fields.secret));
	err = own(h, l, &fields, fields.ttl_ms);
	leases_changed(h, e->lease.id);
	return err;
}

/* What is told is told: these keys are the caller's business now. */
static void tell_lost(struct lease *l, struct text *out)
{
	for (size_t i = 0; out && i < l->lost_count; i++)
		json_string(out, l->lost[i]);
	free_lost(l);
}

static enum err take_now(struct horde *h, const char *id)
{
	enum err err = horde_write_refused(h);
	struct lease *l = err == ERR_OK ? find_or_make(h, id) : NULL;

	if (err == ERR_OK)
		err = l ? take(h, l) : ERR_NO_MEMORY;
	h->out->created = err == ERR_OK;
	leases_changed(h, id);
	return err;
}

enum err leases_renew(struct horde *h, const struct event *e)
{
	const struct lease_record *r = lease_of(h, e->lease.id);
	enum err err = ERR_OK;
	struct lease *l;

	if (h->stopping)
		return ERR_SHUTTING_DOWN;
	if (!h->synced)
		return ERR_NOT_READY;
	if (!r)
		return ERR_NOT_FOUND;
	if (!origin_equal(r->node, h->config.node_id))
		err = e->lease.take ? take_now(h, e->lease.id) : ERR_ELSEWHERE;
	l = find(h, e->lease.id);
	if (err != ERR_OK)
		return err;
	if (!l || !l->held)
		return ERR_NOT_READY; /* it has just come, or there was no memory for it */
	hold(h, l, lease_of(h, e->lease.id)->ttl_ms);
	tell_lost(l, e->lease.ret_lost);
	return ERR_OK;
}

enum err leases_remove(struct horde *h, const struct event *e)
{
	enum err err =
		lease_of(h, e->lease.id) ? remove_key(h, "lease", e->lease.id) : ERR_NOT_FOUND;

	if (err == ERR_OK)
		registry_end(h, OWNER_LEASE, e->lease.id, UINT64_MAX);
	return err;
}
