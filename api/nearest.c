#include "api/nearest.h"

#include <string.h>

/* Longer names are compared by their beginnings. */
#define NAME_MAX_COMPARED 63

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Optimal string alignment, three rows of the table at a time. */
static size_t distance(const char *a, const char *b)
{
	size_t rows[3][NAME_MAX_COMPARED + 1];
	size_t m = strnlen(a, NAME_MAX_COMPARED), n = strnlen(b, NAME_MAX_COMPARED);

	for (size_t j = 0; j <= n; j++)
		rows[0][j] = j;
	for (size_t i = 1; i <= m; i++) {
		size_t *now = rows[i % 3], *up = rows[(i + 2) % 3], *up2 = rows[(i + 1) % 3];

		now[0] = i;
		for (size_t j = 1; j <= n; j++) {
			size_t other = a[i - 1] != b[j - 1];

			now[j] = least(least(up[j] + 1, now[j - 1] + 1), up[j - 1] + other);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				now[j] = least(now[j], up2[j - 2] + 1);
		}
	}
	return rows[m % 3][n];
}

void nearest_offer(struct nearest *n, const char *known)
{
	size_t d = distance(n->wanted, known);

	if (n->best && n->distance <= d)
		return;
	n->best = known;
	n->distance = d;
}
