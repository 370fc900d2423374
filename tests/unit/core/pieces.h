/*
 * Streams by hand, and differences by checks: what the client keeps of the pieces until the last
 * one is there, while the server's map goes on changing.
 */
#ifndef HORDE_TESTS_PIECES_H
#define HORDE_TESTS_PIECES_H

#include "server/core/stream.h"
#include "tests/unit/core/maps.h"

#include <stdio.h>
#include <stdlib.h>

static inline void *grown(void *items, size_t count, size_t more, size_t bytes)
{
	items = realloc(items, (count + more + 1) * bytes);
	cr_assert(items);
	return items;
}

static inline char *copy_of(const char *text, size_t bytes)
{
	char *copy = grown(NULL, bytes, 0, 1);

	memcpy(copy, text, bytes);
	copy[bytes] = '\0';
	return copy;
}

/* Adds a copy of what `piece` carries to what was kept; of the last one it takes all the rest. */
static inline void keep(struct fragment *kept, struct fragment *piece, bool last)
{
	struct fragment all = *kept;

	all.puts = grown(all.puts, all.put_count, piece->put_count, sizeof(*all.puts));
	all.kills = grown(all.kills, all.kill_count, piece->kill_count, sizeof(*all.kills));
	for (size_t i = 0; i < piece->put_count; i++) {
		struct fragment_put p = piece->puts[i];

		p.key = copy_of(p.key, p.key_bytes);
		p.value = copy_of(p.value, p.value_bytes);
		p.record = p.record ? record_dup(p.record) : NULL;
		all.puts[all.put_count++] = p;
	}
	for (size_t i = 0; i < piece->kill_count; i++)
		all.kills[all.kill_count++] = piece->kills[i];
	if (last) {
		struct fragment whole = *piece;

		whole.borrowed = false;
		whole.puts = all.puts;
		whole.put_count = all.put_count;
		whole.kills = all.kills;
		whole.kill_count = all.kill_count;
		*piece = (struct fragment){.borrowed = piece->borrowed,
			.puts = piece->puts,
			.put_count = piece->put_count,
			.kills = piece->kills};
		fragment_fini(piece);
		all = whole;
	} else {
		fragment_fini(piece);
	}
	*kept = all;
}

/* Joins what was kept. */
static inline void join(struct map *m, struct fragment *kept)
{
	struct changes c = {0};

	cr_assert_eq(apply_one(m, kept, &c), ERR_OK);
	map_sweep(m);
	fragment_fini(kept);
	changes_fini(&c);
}

/* One more piece; true when it was the last. */
static inline bool next_piece(struct stream *s, size_t most, struct fragment *kept)
{
	struct fragment piece;
	bool last;

	cr_assert_eq(stream_next(s, most, &piece, &last), ERR_OK);
	keep(kept, &piece, last);
	return last;
}

static inline struct stream *open_stream(struct map *from, const struct map *to)
{
	struct stream *s = NULL;

	cr_assert_eq(stream_new(from, map_vector(to), NULL, &s), ERR_OK);
	return s;
}

static inline void cr_same(const struct map *a, const struct map *b)
{
	cr_assert(vector_equal(map_vector(a), map_vector(b)));
	cr_assert_eq(map_digest(a).sums[0], map_digest(b).sums[0]);
	cr_assert_eq(map_digest(a).sums[1], map_digest(b).sums[1]);
}

static inline void put_number(struct map *m, uint64_t key, uint64_t value)
{
	char k[32], v[32];

	snprintf(k, sizeof(k), "meta/%llu", (unsigned long long)key);
	snprintf(v, sizeof(v), "%llu", (unsigned long long)value);
	must_put(m, k, v, value);
}

static inline void remove_number(struct map *m, uint64_t key)
{
	char k[32];

	snprintf(k, sizeof(k), "meta/%llu", (unsigned long long)key);
	if (get(m, k))
		must_remove(m, k);
	map_sweep(m);
}

/* Forgets all kill records. */
static inline void truncate_all(struct map *m)
{
	struct changes c = {0};

	cr_assert_eq(map_truncate(m, map_vector(m), &c), ERR_OK);
	changes_fini(&c);
}

#endif
