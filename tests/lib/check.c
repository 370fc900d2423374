#include "tests/lib/check.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void (*on_failure)(const char *message);
static bool failed;

void check_on_failure(void (*handler)(const char *message))
{
	on_failure = handler;
}

bool check_has_failed(void)
{
	return failed;
}

void check_fail(const char *file, int line, const char *what, const char *format, ...)
{
	static char detail[6000];
	static char message[8000];
	va_list args;

	failed = true;
	va_start(args, format);
	vsnprintf(detail, sizeof detail, format, args);
	va_end(args);
	snprintf(message, sizeof message, "%s:%d: %s: %s", file, line, what, detail);
	if (on_failure)
		on_failure(message);
	fprintf(stderr, "%s\n", message);
	exit(1);
}

void check_str(const char *file, int line, const char *what, const char *is, const char *should)
{
	if (is == should || (is && should && strcmp(is, should) == 0))
		return;
	check_fail(file, line, what, "is '%s', should be '%s'", is ? is : "(nothing)",
		should ? should : "(nothing)");
}

void check_int(const char *file, int line, const char *what, long long is, long long should)
{
	if (is != should)
		check_fail(file, line, what, "is %lld, should be %lld", is, should);
}

int64_t check_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t check_now_ms(void)
{
	return check_now_ns() / 1000000;
}

long check_ms(long ms)
{
	const char *slow = getenv("HORDE_TEST_SLOW");
	long factor = slow ? strtol(slow, NULL, 10) : 1;

	return ms * (factor > 0 ? factor : 1);
}

void check_pause_ms(long ms)
{
	struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

	nanosleep(&pause, NULL);
}
