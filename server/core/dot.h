/*
 * Origins and dots. An origin is one life of a daemon process: a random 128-bit id, fresh at every
 * start, so that no dot is ever minted twice, whatever backup is restored. A dot names one event:
 * the seq-th of its origin, counted from 1.
 *
 * Source: Almeida, Shoker, Baquero, "Delta State Replicated Data Types" (dots, causal context).
 */
#ifndef HORDE_CORE_DOT_H
#define HORDE_CORE_DOT_H

#include <stdbool.h>
#include <stdint.h>

#define ORIGIN_HEX_BYTES 33 /* 32 digits and the NUL */
#define DOT_TEXT_BYTES 56   /* origin, ':', seq and the NUL */

struct origin_id {
	uint64_t hi;
	uint64_t lo;
};

struct dot {
	struct origin_id origin;
	uint64_t seq;
};

static inline int origin_compare(struct origin_id a, struct origin_id b)
{
	if (a.hi != b.hi)
		return a.hi < b.hi ? -1 : 1;
	return a.lo == b.lo ? 0 : (a.lo < b.lo ? -1 : 1);
}

static inline bool origin_equal(struct origin_id a, struct origin_id b)
{
	return a.hi == b.hi && a.lo == b.lo;
}

static inline bool origin_is_zero(struct origin_id a)
{
	return a.hi == 0 && a.lo == 0;
}

/* 32 lower-case hex digits. */
void origin_to_hex(struct origin_id id, char ret_hex[ORIGIN_HEX_BYTES]);
/* False unless `hex` is exactly 32 hex digits. */
bool origin_from_hex(const char *hex, struct origin_id *ret_id);

int dot_compare(struct dot a, struct dot b);
/* `<origin hex>:<seq>`, what the header Horde-Dot carries. */
void dot_to_text(struct dot d, char ret_text[DOT_TEXT_BYTES]);
/* Reads one dot from the first `bytes` of `text`; false when it is not one. */
bool dot_from_text(const char *text, unsigned long bytes, struct dot *ret_dot);

#endif
