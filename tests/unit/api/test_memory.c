/*
 * Out of memory while handling a request: an answer (503, or the right one) or a closed connection,
 * and a server that lives on. The n-th allocation of the server's thread fails, n = 0, 1, 2, ...
 */
#include <criterion/criterion.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__ 1
#endif
#endif

/* The sanitizer has its own malloc, and then there is nothing to do here. */
#if !defined(__SANITIZE_ADDRESS__)

#include "tests/unit/api/served.h"

static int countdown = -1; /* allocations until the one that fails; -1: none does */
static int failures;

static bool fails(void)
{
	if (!served.http || !pthread_equal(pthread_self(), served.thread))
		return false;
	if (__atomic_load_n(&countdown, __ATOMIC_ACQUIRE) < 0 ||
		__atomic_fetch_sub(&countdown, 1, __ATOMIC_ACQ_REL) != 0)
		return false;
	failures++;
	return true;
}

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);

void *malloc(size_t size)
{
	return fails() ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
	return fails() ? NULL : __libc_calloc(count, size);
}

void *realloc(void *old, size_t size)
{
	return fails() ? NULL : __libc_realloc(old, size);
}

TestSuite(memory, .init = served_setup, .fini = served_stop, .timeout = 120);

/* Which of the allocations fails is up to the row; true while there still was one to fail. */
static bool survives(const char *what, const char *headers, const char *body, int n, int status)
{
	struct answer *a;
	bool failed;

	failures = 0;
	__atomic_store_n(&countdown, n, __ATOMIC_RELEASE);
	a = ask(what, headers, body);
	failed = __atomic_load_n(&countdown, __ATOMIC_ACQUIRE) < 0;
	__atomic_store_n(&countdown, -1, __ATOMIC_RELEASE);
	cr_assert(a->status == 0 || a->status == 500 || a->status == 503 || a->status == status,
		"%s, allocation %d: %s", what, n, a->bytes);
	if (a->status == 503)
		cr_expect(says(a, "\"code\":\"overloaded\""), "%s", a->bytes);
	a = ask("GET /value", "", NULL);
	cr_assert_eq(a->status, 200, "%s, allocation %d, afterwards", what, n);
	return failed;
}

Test(memory, a_failed_allocation_costs_one_answer_at_most)
{
	static const struct {
		const char *what, *headers, *body;
		int status;
	} rows[] = {
		{"GET /value", "", NULL, 200},
		{"GET /value?pretty", "", NULL, 200},
		{"PUT /entries/a%2Fb", "", "{\"value\":[1,{\"a\":\"b\"}]}", 201},
		{"PUT /entries/a", "", "{\"valu\":1,\"name\":7}", 422},
		{"PUT /entries/a", "", "{", 400},
		{"GET /numbers?limit=2&state=up", "", NULL, 200},
		{"GET /wait?key=a&prefix=b&wait=5ms", "", NULL, 200},
		{"GET /owned", "", NULL, 409},
		{"GET /blob/README.md", "", NULL, 200},
		{"PUT /blob/a", "Content-Type: application/octet-stream\r\n", "some bytes", 200},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int n = 0;

		while (survives(rows[i].what, rows[i].headers, rows[i].body, n, rows[i].status))
			n++;
		cr_expect_gt(n, 3, "row %zu: only %d allocations", i, n);
	}
}

#endif
