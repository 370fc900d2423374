#include "tests/bench/names.h"

#include "storage/sqlite.h"
#include "tests/bench/bench.h"
#include "tests/lib/check.h"
#include "tests/lib/children.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	PUT_CONNECTIONS = 64,
	UPDATE_CONNECTIONS = 16,
	SEED_BATCH = 50000,
	LOOK_MS = 2,
	MODEL_BYTES = 4096
};

#define COUNT "/v1/registries/default/count"

const char *name_path(unsigned long number)
{
	return text_of(ENTRIES "/bench-%024lu", number);
}

const char *name_body(unsigned long number, unsigned generation)
{
	return text_of("{\"owner\":{\"kind\":\"static\",\"id\":\"b\"},\"value\":\"%04u-%023lu\"}",
		generation, number);
}

/* ---- through the API ---- */

struct range {
	unsigned long first, total;
	unsigned generation;
};

static size_t write_request(unsigned long number, unsigned generation, char *out, size_t size)
{
	const char *body = name_body(number, generation);

	return (size_t)snprintf(out, size,
		"PUT %s?ack=memory HTTP/1.1\r\nHost: 127.0.0.1\r\n"
		"Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
		name_path(number), strlen(body), body);
}

static size_t write_next(
	const void *data, unsigned connection, unsigned long number, char *out, size_t size)
{
	const struct range *range = data;

	(void)connection;
	return write_request(range->first + number, range->generation, out, size);
}

void names_put(
	const struct node *node, unsigned long first, unsigned long count, unsigned generation)
{
	struct range range = {.first = first, .generation = generation};

	load_rate(&(struct load){.port = node->port,
		.connections = PUT_CONNECTIONS,
		.requests = count,
		.write = write_next,
		.data = &range});
}

/* A multiplier that is odd and no power of two spreads the numbers over all names. */
static size_t write_somewhere(
	const void *data, unsigned connection, unsigned long number, char *out, size_t size)
{
	const struct range *range = data;

	(void)connection;
	return write_request(
		number * 2654435761u % range->total, (unsigned)(number % 9999) + 1, out, size);
}

unsigned long names_update(const struct node *node, unsigned long total, unsigned rate, long ms)
{
	struct range range = {.total = total};
	struct load_result result = load_end(load_begin(&(struct load){.port = node->port,
		.connections = UPDATE_CONNECTIONS,
		.ms = ms,
		.rate = rate,
		.write = write_somewhere,
		.data = &range}));

	CHECK(result.bad == 0 && result.good > 0, "%lu updates were refused", result.bad);
	return result.good;
}

/* ---- into the file ---- */

struct model {
	char key[MODEL_BYTES], value[MODEL_BYTES];
	size_t key_bytes, value_bytes;
	uint64_t clock;
};

static enum err ignore_setting(
	void *data, const char *name, size_t name_length, const char *text, size_t text_length)
{
	(void)data;
	(void)name;
	(void)name_length;
	(void)text;
	(void)text_length;
	return ERR_OK;
}

/* The name has the tail of its key to itself; the last such entry is as good as any. */
static enum err take_model(void *data, struct dot dot, uint64_t clock, const char *key,
	size_t key_length, const char *value, size_t value_length)
{
	struct model *m = data;

	(void)dot;
	if (key_length < NAME_KEY_BYTES || key_length > MODEL_BYTES || value_length > MODEL_BYTES ||
		memcmp(key, "entry/", 6) != 0)
		return ERR_OK;
	memcpy(m->key, key, key_length);
	memcpy(m->value, value, value_length);
	m->key_bytes = key_length;
	m->value_bytes = value_length;
	m->clock = clock;
	return ERR_OK;
}

static struct model read_model(struct store store)
{
	struct model m = {0};
	struct store_visitor visitor = {
		.data = &m, .setting = ignore_setting, .entry = take_model};

	CHECK(store_load(store, &visitor) == ERR_OK && m.key_bytes, "no name in the file");
	return m;
}

/* The number is the tail of the key; the value stays that of the model. */
static void add_name(
	struct store_batch *batch, struct model *m, struct dot dot, unsigned long number)
{
	char digits[25];

	snprintf(digits, sizeof digits, "%024lu", number);
	memcpy(m->key + m->key_bytes - 24, digits, 24);
	CHECK(batch_put(batch, dot, m->clock, m->key, m->key_bytes, m->value, m->value_bytes) ==
			ERR_OK,
		"a batch cannot be filled");
}

void names_seed(const struct node *node, unsigned long first, unsigned long count)
{
	static const struct origin_id origin = {0x243f6a8885a308d3u, 0x13198a2e03707344u};
	struct store_problem problem = {0};
	struct store_batch batch = {0};
	const struct store_batch *const batches[] = {&batch};
	struct store store;
	struct model m;

	CHECK(sqlite_open(text_of("%s/" SQLITE_FILE, node->dir), &store, &problem) == ERR_OK, "%s",
		problem.detail);
	m = read_model(store);
	for (unsigned long i = 0; i < count; i++) {
		add_name(&batch, &m, (struct dot){origin, i + 1}, first + i);
		if ((i + 1) % SEED_BATCH && i + 1 < count)
			continue;
		CHECK(batch_vector(&batch, origin, i + 1, 0, 0) == ERR_OK &&
				store_commit(store, batches, 1) == ERR_OK,
			"the names cannot be written");
		batch_clear(&batch);
	}
	batch_fini(&batch);
	store_close(store);
}

/* ---- until they are there ---- */

static bool has_name(const struct node *node, unsigned long number, unsigned generation)
{
	struct http_reply *reply = node_call(node, "GET", NULL, "%s", name_path(number));
	bool has = reply->status == 200 && strtoul(json_str(reply->json, "value"), NULL, 10) ==
						   generation;

	http_reply_free(reply);
	return has;
}

static bool counts(const struct node *node, unsigned long total)
{
	struct http_reply *reply = node_call(node, "GET", NULL, COUNT);
	bool same = reply->status == 200 &&
		    json_number_at(reply->json, "count") == (long long)total;

	http_reply_free(reply);
	return same;
}

static bool is_ready(const struct node *node)
{
	struct http_reply *reply = node_call(node, "GET", NULL, "/readyz");
	bool ready = reply->status == 200;

	http_reply_free(reply);
	return ready;
}

/* The count walks all names, so it is asked for last. */
int64_t names_until_ns(const struct node *node, unsigned long last, unsigned generation,
	unsigned long total, long ms)
{
	int64_t end_ms = check_now_ms() + check_ms(ms);

	while (!is_ready(node) || !has_name(node, last, generation) || !counts(node, total)) {
		CHECK(check_now_ms() < end_ms, "waited %ld ms for %s to have %lu names", ms,
			node->name, total);
		check_pause_ms(LOOK_MS);
	}
	return check_now_ns();
}
