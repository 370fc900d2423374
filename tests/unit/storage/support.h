/* What the tests of the storage room share: a directory of their own, and a store as one text. */
#ifndef HORDE_TEST_STORAGE_SUPPORT_H
#define HORDE_TEST_STORAGE_SUPPORT_H

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/core/text.h"
#include "storage/store.h"

/* A failed step of a test's own scaffolding ends it at once, in every kind of process. */
#define MUST(condition)                                                                            \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "%s:%d: %s: errno %d\n", __FILE__, __LINE__, #condition,   \
				errno);                                                            \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

static inline char *make_directory(void)
{
	const char *base = getenv("TMPDIR");
	char *path = malloc(4096);

	MUST(path);
	(void)snprintf(path, 4096, "%s/horde-storage-XXXXXX", base ? base : "/tmp");
	MUST(mkdtemp(path));
	return path;
}

static inline int remove_one(
	const char *path, const struct stat *status, int kind, struct FTW *place)
{
	(void)status;
	(void)kind;
	(void)place;
	return remove(path);
}

static inline void remove_directory(char *path)
{
	(void)nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	free(path);
}

/* Borrowed until the call after the next seven. */
static inline const char *path_in(const char *directory, const char *name)
{
	static char paths[8][4400];
	static unsigned next;
	char *path = paths[next++ % 8];

	(void)snprintf(path, sizeof paths[0], "%s/%s", directory, name);
	return path;
}

static inline char *read_whole(const char *path, size_t *ret_length)
{
	FILE *file = fopen(path, "rb");
	struct text content = TEXT_INIT;
	char part[4096];
	size_t length;

	if (!file)
		return NULL;
	while ((length = fread(part, 1, sizeof part, file)))
		text_add(&content, part, length);
	(void)fclose(file);
	*ret_length = content.used;
	text_add(&content, "", 1);
	MUST(text_ok(&content));
	return content.bytes;
}

static inline void write_whole(const char *path, const void *bytes, size_t length)
{
	FILE *file = fopen(path, "wb");

	MUST(file && fwrite(bytes, 1, length, file) == length && !fclose(file));
}

/* ---- a store as text: one line a row, sorted, bytes in hex ---------------------------------- */

static inline void dump_hex(struct text *t, const char *bytes, size_t length)
{
	for (size_t i = 0; i < length; i++)
		text_addf(t, "%02x", (unsigned char)bytes[i]);
}

static inline void dump_dot(struct text *t, struct dot d)
{
	text_addf(t, " %llx-%llx:%llu", (unsigned long long)d.origin.hi,
		(unsigned long long)d.origin.lo, (unsigned long long)d.seq);
}

static inline enum err dump_setting(
	void *data, const char *name, size_t name_length, const char *text, size_t text_length)
{
	text_adds(data, "setting ");
	dump_hex(data, name, name_length);
	text_adds(data, " ");
	dump_hex(data, text, text_length);
	text_adds(data, "\n");
	return ERR_OK;
}

static inline enum err dump_declared(
	void *data, const char *ref, size_t ref_length, const char *digest, size_t digest_length)
{
	text_adds(data, "declared ");
	dump_hex(data, ref, ref_length);
	text_adds(data, " ");
	dump_hex(data, digest, digest_length);
	text_adds(data, "\n");
	return ERR_OK;
}

static inline enum err dump_vector(
	void *data, struct origin_id origin, uint64_t count, uint64_t floor, uint64_t chain)
{
	text_adds(data, "vector");
	dump_dot(data, (struct dot){origin, count});
	text_addf(data, " %llu %llu\n", (unsigned long long)floor, (unsigned long long)chain);
	return ERR_OK;
}

static inline enum err dump_entry(void *data, struct dot dot, uint64_t clock, const char *key,
	size_t key_length, const char *value, size_t value_length)
{
	text_adds(data, "entry");
	dump_dot(data, dot);
	text_addf(data, " %llu ", (unsigned long long)clock);
	dump_hex(data, key, key_length);
	text_adds(data, " ");
	dump_hex(data, value, value_length);
	text_adds(data, "\n");
	return ERR_OK;
}

static inline enum err dump_kill(void *data, struct dot killer, struct dot victim)
{
	text_adds(data, "kill");
	dump_dot(data, killer);
	dump_dot(data, victim);
	text_adds(data, "\n");
	return ERR_OK;
}

static inline int compare_lines(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static inline char *sorted_lines(char *text)
{
	struct text sorted = TEXT_INIT;
	char **lines = calloc(strlen(text) + 1, sizeof *lines);
	size_t count = 0;

	MUST(lines);
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
		lines[count++] = line;
	qsort(lines, count, sizeof *lines, compare_lines);
	for (size_t i = 0; i < count; i++)
		text_addf(&sorted, "%s\n", lines[i]);
	free(lines);
	free(text);
	return text_take(&sorted);
}

/* To be freed by the caller. */
static inline char *dump(struct store s)
{
	struct text t = TEXT_INIT;
	struct store_visitor visitor = {
		&t, dump_setting, dump_declared, dump_vector, dump_entry, dump_kill};

	MUST(store_load(s, &visitor) == ERR_OK);
	return sorted_lines(text_take(&t));
}

static inline enum err commit_one(struct store s, const struct store_batch *b)
{
	return store_commit(s, &b, 1);
}

static inline struct dot dot_of(uint64_t origin, uint64_t seq)
{
	return (struct dot){{origin * 0x9e3779b97f4a7c15u, origin}, seq};
}

/*
 * The n-th event of a numbered history: a put of one key that kills the one before it, with its
 * vector. After n of them the store must hold exactly entry n, n - 1 kills, and the count n.
 */
static inline void numbered_batch(struct store_batch *b, uint64_t n, size_t value_length)
{
	char *value = malloc(value_length + 1);

	MUST(value);
	memset(value, (int)('a' + n % 26), value_length);
	MUST(!batch_put(b, dot_of(1, n), n << 16, "key", 3, value, value_length));
	if (n > 1) {
		MUST(!batch_drop(b, dot_of(1, n - 1)));
		MUST(!batch_kill(b, dot_of(1, n), dot_of(1, n - 1)));
	}
	MUST(!batch_vector(b, dot_of(1, 0).origin, n, 0, n * 7));
	free(value);
}

struct numbered {
	uint64_t entries, entry_seq, kills, count;
};

static inline enum err number_entry(void *data, struct dot dot, uint64_t clock, const char *key,
	size_t key_length, const char *value, size_t value_length)
{
	struct numbered *n = data;

	n->entries++;
	n->entry_seq = dot.seq;
	MUST(clock == dot.seq << 16 && key_length == 3 && !memcmp(key, "key", 3));
	for (size_t i = 0; i < value_length; i++)
		MUST(value[i] == (char)('a' + dot.seq % 26));
	return ERR_OK;
}

static inline enum err number_kill(void *data, struct dot killer, struct dot victim)
{
	MUST(killer.seq == victim.seq + 1);
	((struct numbered *)data)->kills++;
	return ERR_OK;
}

static inline enum err number_vector(
	void *data, struct origin_id origin, uint64_t count, uint64_t floor, uint64_t chain)
{
	MUST(origin.lo == 1 && floor == 0 && chain == count * 7);
	((struct numbered *)data)->count = count;
	return ERR_OK;
}

/* How much of the history the store holds; ~0 when it is not a prefix of it. */
static inline uint64_t numbered_state(struct store s)
{
	struct numbered n = {0};
	struct store_visitor visitor = {&n, NULL, NULL, number_vector, number_entry, number_kill};

	MUST(store_load(s, &visitor) == ERR_OK);
	if (!n.count)
		return n.entries || n.kills ? ~(uint64_t)0 : 0;
	return n.entries == 1 && n.entry_seq == n.count && n.kills == n.count - 1 ? n.count
										  : ~(uint64_t)0;
}

static inline int count_files(const char *path)
{
	DIR *dir = opendir(path);
	int count = 0;

	while (dir && readdir(dir))
		count++;
	if (dir)
		closedir(dir);
	return count ? count - 2 : 0;
}

#endif
