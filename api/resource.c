#include "api/resource.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "api/once.h"
#include "api/sha256.h"

#define JSON_COUNT_MAX (((uint64_t)1 << 53) - 1)

const struct service *resource_service(const struct exchange *x)
{
	return exchange_service(x);
}

const struct horde *resource_horde(const struct exchange *x)
{
	return resource_service(x)->horde;
}

const struct map *resource_map(const struct exchange *x)
{
	return horde_map(resource_horde(x));
}

const char *resource_supervisor(struct exchange *x)
{
	const char *name = exchange_path(x, "sup");
	const struct entry *e;

	if (horde_supervisor(resource_horde(x), name, &e))
		return name;
	exchange_problem(x, PROBLEM_SUPERVISOR_NOT_FOUND, "there is no supervisor '%s'", name);
	return NULL;
}

const char *resource_registry(struct exchange *x)
{
	const char *name = exchange_path(x, "reg");
	const struct entry *e;

	if (horde_registry(resource_horde(x), name, &e))
		return name;
	exchange_problem(x, PROBLEM_REGISTRY_NOT_FOUND, "there is no registry '%s'", name);
	return NULL;
}

size_t resource_key(
	char ret_key[KEY_BYTES_MAX + 1], const char *family, const char *scope, const char *rest)
{
	int length = snprintf(ret_key, KEY_BYTES_MAX + 1, "%s/%s/%s", family, scope, rest);

	assert(length > 0 && length <= KEY_BYTES_MAX);
	return (size_t)length;
}

/* Errors: NO_MEMORY. */
static enum err derive_id(
	const struct exchange *x, size_t index, const char *key, char ret_id[UUID_TEXT_BYTES])
{
	char hex[SHA256_HEX_BYTES], cluster[ORIGIN_HEX_BYTES], number[24];
	const struct sha256_part parts[] = {{cluster, sizeof(cluster)}, {key, strlen(key) + 1},
		{number, sizeof(number)}, {exchange_url(x), strlen(exchange_url(x))}};
	struct hello self;
	enum err e;

	horde_hello(resource_horde(x), &self);
	origin_to_hex(self.cluster_id, cluster);
	memset(number, 0, sizeof(number));
	snprintf(number, sizeof(number), "%zu", index);
	e = sha256_hex(parts, sizeof(parts) / sizeof(parts[0]), hex);
	if (e == ERR_OK)
		uuid_of_hash(hex, ret_id);
	return e;
}

enum err resource_new_id(const struct exchange *x, size_t index, char ret_id[UUID_TEXT_BYTES])
{
	const char *key = exchange_once(x);

	if (key)
		return derive_id(x, index, key, ret_id);
	return uuid_make(ret_id) ? ERR_OK : ERR_SYSTEM;
}

/* The finaliser of splitmix64, which spreads every bit of its input over all of its output. */
static uint64_t spread(uint64_t h)
{
	h = (h ^ (h >> 30)) * 0xbf58476d1ce4e5b9u;
	h = (h ^ (h >> 27)) * 0x94d049bb133111ebu;
	return h ^ (h >> 31);
}

uint64_t hash_pair(uint64_t a, uint64_t b)
{
	return spread(spread(a + 0x9e3779b97f4a7c15u) + b);
}

int64_t wall_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void json_put_origin(struct text *t, const char *name, struct origin_id id)
{
	char hex[ORIGIN_HEX_BYTES];

	origin_to_hex(id, hex);
	json_put_string(t, name, hex);
}

void json_put_count(struct text *t, const char *name, uint64_t count)
{
	json_put_uint(t, name, count < JSON_COUNT_MAX ? count : JSON_COUNT_MAX);
}

int64_t resource_deadline_ms(const struct exchange *x, int64_t fallback_ms)
{
	return exchange_started_ms(x) + reads_wait_ms(x, fallback_ms);
}

bool resource_late(const struct exchange *x, int64_t deadline_ms)
{
	return exchange_now_ms(x) >= deadline_ms;
}

bool resource_settled(struct exchange *x, const struct etag *etag, uint64_t opinion)
{
	uint64_t *first = exchange_state(x);

	if (first)
		return *first == opinion && reads_settled(x, etag);
	/* Without memory for it a change of opinion is slept through; the wait itself is fine. */
	first = malloc(sizeof(*first));
	if (first) {
		*first = opinion;
		exchange_state_set(x, first, free);
	}
	return reads_settled(x, etag);
}

void unreachable_add(struct unreachable *u, const struct member *m)
{
	for (size_t i = 0; i < u->count; i++) {
		if (u->members[i] == m)
			return;
	}
	if (m && m->recorded && u->count < MEMBERS_MAX)
		u->members[u->count++] = m;
}

void unreachable_put(struct text *out, const struct unreachable *u)
{
	if (u->count == 0)
		return;
	json_key(out, "unreachable_nodes");
	json_array(out);
	for (size_t i = 0; i < u->count; i++)
		json_string(out, u->members[i]->record->name);
	json_end_array(out);
}

uint64_t unreachable_hash(const struct unreachable *u)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < u->count; i++)
		sum += hash_pair(u->members[i]->node_id.hi, u->members[i]->node_id.lo);
	return sum;
}

void resource_put_silent(struct exchange *x)
{
	const struct horde *h = resource_horde(x);
	struct text *out = exchange_extra(x);
	const char *url;

	if (!horde_silent_at(h, 0))
		return;
	json_key(out, "silent");
	json_array(out);
	for (size_t i = 0; (url = horde_silent_at(h, i)); i++)
		json_string(out, url);
	json_end_array(out);
}

void resource_fail(struct exchange *x, enum err e)
{
	if (e == ERR_NOT_READY)
		resource_put_silent(x);
	if (e == ERR_IO)
		exchange_problem(x, PROBLEM_STORAGE_READ_ONLY, "%s", err_text(e));
	else
		exchange_fail(x, e);
}

/* ---- writes ---- */

static void free_write(void *state)
{
	struct write *w = state;

	vector_fini(&w->known);
	free(w->kept);
	free(w);
}

struct write *write_begin(struct exchange *x, int64_t fallback_ms)
{
	enum ack ack = ack_from(exchange_query(x, "ack"));
	struct write *w;

	if (ack_of_others(ack) && !exchange_has_room(x))
		return NULL;
	w = calloc(1, sizeof(*w));
	if (!w) {
		exchange_fail(x, ERR_NO_MEMORY);
		return NULL;
	}
	w->ack = ack;
	w->deadline_ms = resource_deadline_ms(x, fallback_ms);
	exchange_state_set(x, w, free_write);
	return w;
}

bool write_keep(struct exchange *x, struct write *w, const char *bytes, size_t count)
{
	w->kept = malloc(count + 1);
	if (!w->kept) {
		exchange_fail(x, ERR_NO_MEMORY);
		return false;
	}
	memcpy(w->kept, bytes, count);
	w->kept[count] = '\0';
	w->kept_bytes = count;
	return true;
}

enum err write_command(struct exchange *x, struct event *e, struct write *w)
{
	const struct service *service = resource_service(x);
	enum err err;

	e->ack_wanted = ack_of_others(w->ack);
	if (exchange_child(x))
		e->by = *exchange_child(x);
	err = service->command(service->node, e, &w->result);
	if (err != ERR_OK)
		return err;
	w->done = true;
	exchange_applied_set(x);
	w->stored = w->ack == ACK_MEMORY;
	w->acknowledged = !ack_of_others(w->ack);
	return ERR_OK;
}

void write_nothing(struct write *w)
{
	w->stored = w->acknowledged = true;
}

void write_missing(struct write *w)
{
	write_nothing(w);
	w->missing = true;
}

/* The write was applied, and peers may have it already; only its commit failed or is late. */
static void not_stored(struct exchange *x, const struct write *w, enum err e)
{
	write_headers(x, w, NULL);
	if (e == ERR_OK)
		exchange_problem(x, PROBLEM_WAIT_TIMEOUT, "the write is not on disk yet");
	else
		resource_fail(x, e);
}

/* It was applied and goes on being replicated; only so far it is not yet. */
static void not_acknowledged(struct exchange *x, const struct write *w)
{
	size_t members, have = horde_replicated(resource_horde(x), w->result.dot, &members);

	write_headers(x, w, NULL);
	exchange_problem(x, PROBLEM_NOT_YET_REPLICATED,
		"%zu of %zu members %s it on disk, ack=%s needs %zu", have, members,
		have == 1 ? "has" : "have", ack_name(w->ack), ack_needs(w->ack, members));
}

static bool await_store(struct exchange *x, struct write *w)
{
	bool others = ack_of_others(w->ack);
	int64_t deadline = others ? w->deadline_ms : exchange_started_ms(x) + WRITE_COMMIT_MS_MAX;
	enum err e = ERR_OK;

	if (exchange_stored(x, w->result.batch, &e)) {
		w->stored = e == ERR_OK;
		if (!w->stored)
			not_stored(x, w, e);
	} else if (!resource_late(x, deadline)) {
		exchange_watch_commit(x, w->result.batch);
		exchange_park(x, deadline);
	} else if (others) {
		not_acknowledged(x, w);
	} else {
		not_stored(x, w, ERR_OK);
	}
	return w->stored;
}

static bool await_others(struct exchange *x, struct write *w)
{
	size_t members, have = horde_replicated(resource_horde(x), w->result.dot, &members);

	w->acknowledged = have >= ack_needs(w->ack, members);
	if (w->acknowledged)
		return true;
	if (resource_late(x, w->deadline_ms)) {
		not_acknowledged(x, w);
		return false;
	}
	exchange_watch_key(x, "ack", strlen("ack"));
	/* Who counts may change as well. */
	exchange_watch_prefix(x, "member/", strlen("member/"));
	exchange_park(x, w->deadline_ms);
	return false;
}

bool write_settled(struct exchange *x, struct write *w)
{
	return (w->stored || await_store(x, w)) && (w->acknowledged || await_others(x, w));
}

bool write_known_with(struct exchange *x, struct write *w)
{
	if (!w->known_set &&
		horde_known_with(resource_horde(x), w->result.dot, &w->known) != ERR_OK) {
		exchange_fail(x, ERR_NO_MEMORY);
		return false;
	}
	w->known_set = true;
	if (vector_covers(map_vector(resource_map(x)), &w->known))
		return true;
	if (resource_late(x, w->deadline_ms)) {
		not_acknowledged(x, w);
		return false;
	}
	exchange_watch_prefix(x, "", 0);
	exchange_park(x, w->deadline_ms);
	return false;
}

static void put_replicated(struct exchange *x, const struct write *w)
{
	size_t members, have = horde_replicated(resource_horde(x), w->result.dot, &members);
	char text[48];

	snprintf(text, sizeof(text), "%zu/%zu", have, members);
	exchange_header_set(x, "Horde-Replicated", text);
}

void write_headers(struct exchange *x, const struct write *w, const struct etag *etag)
{
	char dot[DOT_TEXT_BYTES], quoted[sizeof(etag->text) + 2];

	if (w->done && !w->missing) {
		dot_to_text(w->result.dot, dot);
		exchange_header_set(x, "Horde-Dot", dot);
		put_replicated(x, w);
	}
	if (etag) {
		snprintf(quoted, sizeof(quoted), "\"%s\"", etag->text);
		exchange_header_set(x, "ETag", quoted);
	}
}
