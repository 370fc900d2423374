#include "tests/fuzz/tally.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

static unsigned long long counts[TALLY_COUNT];
static bool expected[TALLY_COUNT];

#define TALLY(name, text) text,
static const char *const texts[] = {TALLIES(TALLY)};
#undef TALLY

const char *tally_name(enum tally what)
{
	return texts[what];
}

static void print(void)
{
	const char *before = "tally:";

	for (int i = 0; i < TALLY_COUNT; i++) {
		if (counts[i] == 0)
			continue;
		fprintf(stderr, "%s %llu %s", before, counts[i], texts[i]);
		before = ",";
	}
	fprintf(stderr, "\n");
	for (int i = 0; i < TALLY_COUNT; i++)
		if (expected[i] && counts[i] == 0)
			fprintf(stderr, "never: %s\n", texts[i]);
}

static void print_at_exit(void)
{
	static bool asked;

	if (!asked)
		asked = atexit(print) == 0;
}

void tally(enum tally what)
{
	print_at_exit();
	counts[what]++;
}

void tally_expect(enum tally what)
{
	print_at_exit();
	expected[what] = true;
}
