#include "tests/fuzz/tally.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

static unsigned long long counts[TALLY_COUNT];

static void print(void)
{
#define TALLY(name, text) text,
	static const char *const texts[] = {TALLIES(TALLY)};
#undef TALLY
	const char *before = "tally:";

	for (int i = 0; i < TALLY_COUNT; i++) {
		if (counts[i] == 0)
			continue;
		fprintf(stderr, "%s %llu %s", before, counts[i], texts[i]);
		before = ",";
	}
	fprintf(stderr, "\n");
}

void tally(enum tally what)
{
	static bool asked;

	if (!asked)
		asked = atexit(print) == 0;
	counts[what]++;
}
