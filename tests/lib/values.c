#include "tests/lib/values.h"

#include "tests/lib/check.h"
#include "tests/lib/children.h"
#include "tests/lib/expect.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { AT_ONCE = 64, DOTS = 16 };

static unsigned marks; /* how many rounds of marks there were */

char *value_random(int bytes)
{
	static const char digits[] = "0123456789abcdef";
	char *text = malloc((size_t)bytes + 3);

	CHECK(text, "out of memory");
	text[0] = text[bytes + 1] = '"';
	text[bytes + 2] = '\0';
	for (int i = 1; i <= bytes; i++)
		text[i] = digits[random() % 16];
	return text;
}

static char *name_body(int bytes)
{
	char *value = value_random(bytes), *body = NULL;

	CHECK(asprintf(&body, "{\"value\":%s," BY_ALICE "}", value) > 0, "out of memory");
	free(value);
	return body;
}

/* `count` calls of one method, at most AT_ONCE of them at a time. */
static void send_names(const struct node *at, const char *method, const char *prefix, int from,
	int count, int bytes)
{
	struct http_request requests[AT_ONCE];
	struct http_reply *replies[AT_ONCE];
	char urls[AT_ONCE][256], *bodies[AT_ONCE];

	for (int done = 0, now; done < count; done += now) {
		now = count - done < AT_ONCE ? count - done : AT_ONCE;
		for (int i = 0; i < now; i++) {
			snprintf(urls[i], sizeof urls[i], "%s" ENTRIES "/%s-%d", at->url, prefix,
				from + done + i);
			bodies[i] = bytes ? name_body(bytes) : NULL;
			requests[i] = (struct http_request){
				.method = method, .url = urls[i], .body = bodies[i]};
		}
		http_send_all(requests, replies, now);
		for (int i = 0; i < now; i++) {
			expect_success(replies[i]);
			http_reply_free(replies[i]);
			free(bodies[i]);
		}
	}
}

void names_put(const struct node *at, const char *prefix, int from, int count, int bytes)
{
	send_names(at, "PUT", prefix, from, count, bytes);
}

void names_delete(const struct node *at, const char *prefix, int from, int count)
{
	send_names(at, "DELETE", prefix, from, count, 0);
}

const char *name_put(const struct node *at, const char *key, const char *value)
{
	static char ring[DOTS][128];
	static unsigned next;
	char *out = ring[next++ % DOTS];
	struct http_reply *put = expect_success(node_call(
		at, "PUT", text_of("{\"value\":\"%s\"," BY_ALICE "}", value), ENTRIES "/%s", key));
	const char *dot = http_header(put, "Horde-Dot");

	CHECK(dot, "no Horde-Dot in %s", put->head);
	snprintf(out, sizeof ring[0], "%s", dot);
	http_reply_free(put);
	return out;
}

const char *name_value(const struct node *at, const char *key)
{
	return json_str(
		expect_status(node_call(at, "GET", NULL, ENTRIES "/%s", key), 200)->json, "value");
}

struct http_reply *name_after(const struct node *at, const char *key, const char *dot)
{
	return http_send(&(struct http_request){.url = node_url(at, ENTRIES "/%s?wait=5s", key),
		.headers = {text_of("Horde-Min-Dot: %s", dot)}});
}

long long names_count(const struct node *at, const char *prefix)
{
	struct http_reply *reply =
		expect_status(node_call(at, "GET", NULL, COUNT "?prefix=%s", prefix), 200);
	long long count = json_number_at(reply->json, "count");

	http_reply_free(reply);
	return count;
}

void names_until_count(const struct node *at, const char *prefix, long long count, long ms)
{
	http_until_int(node_url(at, COUNT "?prefix=%s", prefix), "count", count, check_ms(ms));
}

/* ---- the same everywhere ---- */

void values_mark(struct cluster *cluster)
{
	marks++;
	for (int i = 0; i < cluster->count; i++)
		if (cluster->nodes[i].pid)
			http_reply_free(expect_success(node_call(&cluster->nodes[i], "PUT",
				text_of("{\"value\":%u}", marks), META "/mark-%d", i)));
}

void values_arrive(struct cluster *cluster, long ms)
{
	for (int i = 0; i < cluster->count; i++)
		for (int from = 0; cluster->nodes[i].pid && from < cluster->count; from++)
			if (cluster->nodes[from].pid)
				http_reply_free(http_until_int(
					node_url(&cluster->nodes[i], META "/mark-%d", from),
					"value", marks, check_ms(ms)));
}

static struct http_reply *page_of(const struct node *at, const char *list, const char *cursor)
{
	return expect_status(node_call(at, "GET", NULL, "%s?limit=1000%s%s", list,
				     *cursor ? "&cursor=" : "", http_escape(cursor)),
		200);
}

static void same_items(const struct http_reply *a, const struct http_reply *b)
{
	json_t *left = json_at(a->json, "items"), *right = json_at(b->json, "items");
	size_t count = json_array_size(left);

	if (json_equal(left, right))
		return;
	for (size_t i = 0; i < count; i++) {
		json_t *one = json_array_get(left, i), *other = json_array_get(right, i);

		CHECK(json_equal(one, other), "%s has\n%s\n%s has\n%s", a->url, json_dumps(one, 0),
			b->url, other ? json_dumps(other, 0) : "(nothing)");
	}
	CHECK(false, "%s has %zu items, %s has %zu", a->url, count, b->url, json_array_size(right));
}

static void same_list(const struct node *a, const struct node *b, const char *list)
{
	char cursor[4096] = "";

	do {
		struct http_reply *left = page_of(a, list, cursor);
		struct http_reply *right = page_of(b, list, cursor);

		same_items(left, right);
		CHECK_STR(
			json_str(left->json, "next_cursor"), json_str(right->json, "next_cursor"));
		snprintf(cursor, sizeof cursor, "%s", json_str(left->json, "next_cursor"));
		http_reply_free(left);
		http_reply_free(right);
	} while (*cursor);
}

void values_same(struct cluster *cluster)
{
	const struct node *first = NULL;

	for (int i = 0; i < cluster->count; i++) {
		const struct node *node = &cluster->nodes[i];

		if (!node->pid)
			continue;
		if (first) {
			same_list(first, node, ENTRIES);
			same_list(first, node, META);
		} else {
			first = node;
		}
	}
}

void values_settle(struct cluster *cluster, long ms)
{
	values_mark(cluster);
	values_arrive(cluster, ms);
	values_same(cluster);
}
