/* Bodies on the wire that were changed at random: their trailer is made right again. */
#ifndef HORDE_TESTS_FUZZ_MEND_H
#define HORDE_TESTS_FUZZ_MEND_H

#include "api/wire_sum.h"
#include "tests/fuzz/fuzz.h"

/* The last place of `word` in the bytes, or NULL. */
static inline uint8_t *mend_last(uint8_t *bytes, size_t count, const char *word)
{
	size_t length = strlen(word);

	for (size_t at = count; at >= length; at--)
		if (memcmp(bytes + at - length, word, length) == 0)
			return bytes + at - length;
	return NULL;
}

/*
 * Puts the true number of lines and the true sum into the trailer, in place; without a trailer
 * nothing is done. Gives the new size, at most `size`.
 */
static inline size_t mend(uint8_t *bytes, size_t count, size_t size)
{
	uint8_t *at = mend_last(bytes, count, "\"lines\":");
	char end[64];
	size_t lines = 0, used, length;

	if (!at)
		return count;
	used = (size_t)(at - bytes);
	for (size_t i = 0; i < used; i++)
		lines += bytes[i] == '\n';
	length = (size_t)snprintf(end, sizeof(end), "\"lines\":%zu", lines ? lines - 1 : 0);
	if (used + length + sizeof(",\"sum\":\"0123456789abcdef\"}\n") > size)
		return count;
	memcpy(bytes + used, end, length);
	used += length;
	length = (size_t)snprintf(end, sizeof(end), ",\"sum\":\"%016llx\"}\n",
		(unsigned long long)XXH64(bytes, used, WIRE_SUM_SEED));
	memcpy(bytes + used, end, length);
	return used + length;
}

struct mend_line {
	size_t at, length; /* with its newline */
};

static inline struct mend_line mend_line(const uint8_t *bytes, size_t count, uint64_t *random)
{
	size_t at = fuzz_draw(random, count), end = at;

	while (at > 0 && bytes[at - 1] != '\n')
		at--;
	while (end < count && bytes[end] != '\n')
		end++;
	return (struct mend_line){at, end + (end < count) - at};
}

/* Takes a line out, or puts a copy of it before another one. Gives the new size. */
static inline size_t mend_move(uint8_t *bytes, size_t count, size_t size, uint64_t *random)
{
	struct mend_line from, to;
	uint8_t *copy;

	if (count == 0)
		return 0;
	from = mend_line(bytes, count, random);
	to = mend_line(bytes, count, random);
	if (fuzz_draw(random, 2) == 0) {
		memmove(bytes + from.at, bytes + from.at + from.length,
			count - from.at - from.length);
		return count - from.length;
	}
	if (count + from.length > size)
		return count;
	copy = (uint8_t *)fuzz_copy(bytes + from.at, from.length);
	memmove(bytes + to.at + from.length, bytes + to.at, count - to.at);
	memcpy(bytes + to.at, copy, from.length);
	free(copy);
	return count + from.length;
}

/* Another digit for one, in a number or in the hash of an origin: mostly what can still be read. */
static inline void mend_digit(uint8_t *bytes, size_t count, uint64_t *random)
{
	size_t at = count ? fuzz_draw(random, count) : 0;

	while (at < count && (bytes[at] < '0' || bytes[at] > '9'))
		at++;
	if (at < count)
		bytes[at] = (uint8_t)('0' + fuzz_draw(random, 10));
}

/* Two lines change places; nothing is done when it is twice the same one. */
static inline void mend_swap(uint8_t *bytes, size_t count, uint64_t *random)
{
	struct mend_line a = mend_line(bytes, count, random), b = mend_line(bytes, count, random);
	struct mend_line first = a.at < b.at ? a : b, last = a.at < b.at ? b : a;
	size_t end = first.at + first.length;
	uint8_t *copy;

	if (a.at == b.at)
		return;
	copy = (uint8_t *)fuzz_copy(bytes, count);
	memcpy(bytes + first.at, copy + last.at, last.length);
	memcpy(bytes + first.at + last.length, copy + end, last.at - end);
	memcpy(bytes + last.at + last.length - first.length, copy + first.at, first.length);
	free(copy);
}

#endif
