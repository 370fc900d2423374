#include "tests/sim/replicas/parts.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

uint64_t chance(struct world *w)
{
	uint64_t x = w->random;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	w->random = x;
	return x * 0x2545F4914F6CDD1Dull;
}

uint64_t below(struct world *w, uint64_t limit)
{
	return (chance(w) >> 16) % limit;
}

bool percent(struct world *w, unsigned p)
{
	return below(w, 100) < p;
}

void mix(struct world *w, uint64_t value)
{
	uint64_t h = (w->hash ^ value) * 0x9E3779B97F4A7C15ull;

	w->hash = h ^ h >> 29;
}

void tracef(struct world *w, const char *format, ...)
{
	va_list args;

	if (!w->trace)
		return;
	printf("%5llu ", (unsigned long long)w->tally.steps);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
}

void fail(struct world *w, const char *format, ...)
{
	va_list args;
	int count;

	if (w->failure[0])
		return;
	count = snprintf(w->failure, sizeof(w->failure),
		"at step %llu: ", (unsigned long long)w->tally.steps);
	va_start(args, format);
	vsnprintf(w->failure + count, sizeof(w->failure) - (size_t)count, format, args);
	va_end(args);
	tracef(w, "FAILED %s", w->failure);
}

void must_be_ok(enum err e, const char *call)
{
	if (e == ERR_OK)
		return;
	fprintf(stderr, "%s: %s\n", call, err_text(e));
	abort();
}
