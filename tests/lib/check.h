/*
 * One way for a test to fail, for the harness and for the tests alike.
 *
 * The harness does not know Criterion, so that the bench can use it too: whoever runs says with
 * check_on_failure() what a failure does. Without that it prints and exits with 1.
 */
#ifndef HORDE_TESTS_CHECK_H
#define HORDE_TESTS_CHECK_H

#include <stdbool.h>
#include <stdint.h>

/* Fails the test unless `condition` holds. The rest is a printf format and its arguments. */
#define CHECK(condition, ...)                                                                      \
	do {                                                                                       \
		if (!(condition))                                                                  \
			check_fail(__FILE__, __LINE__, #condition, __VA_ARGS__);                   \
	} while (0)

/* Text must be equal; NULL equals only NULL. */
#define CHECK_STR(is, should) check_str(__FILE__, __LINE__, #is, (is), (should))

/* Integers must be equal. */
#define CHECK_INT(is, should)                                                                      \
	check_int(__FILE__, __LINE__, #is, (long long)(is), (long long)(should))

_Noreturn void check_fail(const char *file, int line, const char *what, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
void check_str(const char *file, int line, const char *what, const char *is, const char *should);
void check_int(const char *file, int line, const char *what, long long is, long long should);

/* `handler` gets the whole message and does not return. */
void check_on_failure(void (*handler)(const char *message));

/* True once something failed in this process. */
bool check_has_failed(void);

/* Monotonic milliseconds and nanoseconds. */
int64_t check_now_ms(void);
int64_t check_now_ns(void);

/* A bound for waiting: `ms` times HORDE_TEST_SLOW (default 1; sanitizers want 5 or so). */
long check_ms(long ms);

/* Sleeps; only for pauses inside a bounded loop, never to hope that something has happened. */
void check_pause_ms(long ms);

#endif
