#include "tests/bench/names.h"

#include "tests/bench/bench.h"
#include "tests/lib/check.h"
#include "tests/lib/children.h"
#include "tests/lib/expect.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PUT_CONNECTIONS = 64, UPDATE_CONNECTIONS = 16, LOOK_MS = 2 };

#define COUNT "/v1/registries/default/count"

/* The finalizer of splitmix64: each number gives digits that look like chance. */
static uint64_t mix(uint64_t x)
{
	x += 0x9e3779b97f4a7c15u;
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
	return x ^ (x >> 31);
}

const char *name_path(unsigned long number)
{
	return text_of(ENTRIES "/bench-%08lu%016llx", number, (unsigned long long)mix(number));
}

const char *name_body(unsigned long number, unsigned generation)
{
	uint64_t chance = mix(number << 16 | generation);

	return text_of("{\"owner\":{\"kind\":\"static\",\"id\":\"b\"},"
		       "\"value\":\"%04u-%016llx%09llx\"}",
		generation, (unsigned long long)chance, (unsigned long long)(mix(chance) >> 28));
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

void names_fill(
	const struct node *node, unsigned long first, unsigned long count, unsigned generation)
{
	struct range range = {.first = first, .generation = generation};

	if (count > 1)
		load_rate(&(struct load){.port = node->port,
			.connections = PUT_CONNECTIONS,
			.requests = count - 1,
			.write = write_next,
			.data = &range});
	expect_success(node_call(node, "PUT", name_body(first + count - 1, generation), "%s",
		name_path(first + count - 1)));
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

/* ---- until they are there ---- */

static bool has_name(const struct node *node, unsigned long number, unsigned generation)
{
	struct http_reply *reply = node_call(node, "GET", NULL, "%s", name_path(number));
	bool has = reply->status == 200 &&
		   strtoul(json_str(reply->json, "value"), NULL, 10) == generation;

	http_reply_free(reply);
	return has;
}

static bool counts(const struct node *node, unsigned long total)
{
	struct http_reply *reply = node_call(node, "GET", NULL, COUNT);
	bool same =
		reply->status == 200 && json_number_at(reply->json, "count") == (long long)total;

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
