#include "server/core/blocks.h"

#include <stdlib.h>

void block_sums_fini(struct block_sums *b)
{
	free(b->runs);
	free(b->sums);
	*b = (struct block_sums){0};
}

enum err map_block_sums(const struct map *m, struct block_sums *ret)
{
	(void)m;
	*ret = (struct block_sums){0};
	return ERR_OK;
}

enum err map_difference_checked(const struct map *m, const struct vector *after,
	const struct block_sums *theirs, bool repair, struct fragment *ret)
{
	enum err e = map_difference(m, after, ret);

	(void)theirs;
	(void)repair;
	if (e == ERR_OK)
		ret->mode = FRAGMENT_FULL;
	return e;
}
