/* Bodies that are refused, and exactly which faults of theirs are named. */
#ifndef HORDE_TESTS_FAULTS_H
#define HORDE_TESTS_FAULTS_H

#include "tests/integration/suite.h"

enum { POINTERS_MAX = 512 };

/* Where faults are expected; zero bytes are none. Each is to be told once, whatever is wrong there.
 */
struct pointers {
	char *all[POINTERS_MAX];
	int count;
};

/* `text` is copied. */
static inline void pointers_add(struct pointers *p, const char *text)
{
	CHECK(p->count < POINTERS_MAX, "too many");
	p->all[p->count] = strdup(text);
	CHECK(p->all[p->count++], "no memory");
}

static inline void pointers_clear(struct pointers *p)
{
	while (p->count)
		free(p->all[--p->count]);
}

static inline bool pointers_has(const struct pointers *p, const char *text)
{
	for (int i = 0; i < p->count; i++)
		if (strcmp(p->all[i], text) == 0)
			return true;
	return false;
}

/* A JSON text in which `@N` stands for N letters a. */
static inline json_t *value_of(const char *text)
{
	char *whole = NULL;
	size_t bytes = 0;
	FILE *out = open_memstream(&whole, &bytes);
	json_t *value;

	CHECK(out, "no memory");
	while (*text) {
		char *end = (char *)(uintptr_t)text;
		long count = *text == '@' ? strtol(text + 1, &end, 10) : 0;

		for (long i = 0; i < count; i++)
			fputc('a', out);
		if (!count)
			fputc(*text, out);
		text = count ? end : text + 1;
	}
	fclose(out);
	value = json_loads(whole, JSON_DECODE_ANY, NULL);
	CHECK(value, "no JSON: %.200s", whole);
	free(whole);
	return value;
}

static inline struct http_reply *send_json(
	const struct node *n, const char *method, const char *path, json_t *body_take)
{
	char *body = json_dumps(body_take, JSON_COMPACT);
	struct http_reply *r = node_call(n, method, body, "%s", path);

	json_decref(body_take);
	free(body);
	return r;
}

/* These faults, all of them, and no others; `what` is for messages. Frees the reply. */
static inline void is_refused(
	struct http_reply *r, const char *code, const struct pointers *p, const char *what)
{
	json_t *error;
	size_t i;

	CHECK(r->status == 422, "%s %s with %s gave %ld: %s%.300s", r->method, r->url, what,
		r->status, r->error, r->body);
	expect_problem(r, 422, code);
	for (int k = 0; k < p->count; k++)
		expect_fault(r, p->all[k]);
	json_array_foreach(json_at(r->json, "errors"), i, error)
	{
		CHECK(pointers_has(p, json_str(error, "pointer")),
			"%s with %s: nobody expects the fault at %s: %s", r->method, what,
			json_str(error, "pointer"), r->body);
	}
	http_reply_free(r);
}

#endif
