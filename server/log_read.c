#include "server/log_read.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/utf8.h"
#include "server/log_tail.h"

#define AT_BYTES 24
#define STREAM_BYTES 6
#define FLAG_AT (AT_BYTES + 1 + STREAM_BYTES + 1)
/* Where the search for the last entries begins; it goes on with twice as much. */
#define TAIL_BYTES_FIRST (64 * 1024)
/* Read at once: more than the longest record, and not much more than a page is given. */
#define READ_BYTES (64 * 1024)
_Static_assert(READ_BYTES >= LOG_RECORD_BYTES_MAX, "there is a whole record in it");

bool log_is_text(const char *bytes, size_t count)
{
	const unsigned char *p = (const unsigned char *)bytes;

	while (count) {
		size_t sequence = *p < 0x80 ? *p != 0 : utf8_sequence(p, count);

		if (!sequence)
			return false;
		p += sequence;
		count -= sequence;
	}
	return true;
}

/* ---- a stretch of bytes over the files ----------------------------------------------------- */

static uint64_t end_of(const char *folder, const struct log_files *files)
{
	uint64_t start = files->count ? files->starts[files->count - 1] : 0;
	char path[LOG_PATH_BYTES];
	struct stat status;

	if (files->count && log_files_path(folder, start, path) && stat(path, &status) == 0)
		return start + (uint64_t)status.st_size;
	return start;
}

/* Reads of one file, from `at` on; how many, 0 when there is nothing. */
static size_t read_file(
	const char *folder, uint64_t start, uint64_t at, char *ret_bytes, size_t size)
{
	char path[LOG_PATH_BYTES];
	ssize_t count = 0;
	int fd;

	if (!log_files_path(folder, start, path))
		return 0;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return 0;
	do
		count = pread(fd, ret_bytes, size, (off_t)(at - start));
	while (count < 0 && errno == EINTR);
	close(fd);
	return count > 0 ? (size_t)count : 0;
}

/* The file that holds `at`, or the next one: there may be a gap where one was taken away. */
static unsigned file_of(const struct log_files *files, uint64_t at)
{
	unsigned i = files->count;

	while (i > 0 && files->starts[i - 1] > at)
		i--;
	return i ? i - 1 : 0;
}

struct stretch { /* what is read, and where it stood */
	char *bytes;
	size_t used;
	uint64_t at;   /* of the first byte */
	uint64_t next; /* of the first byte behind it */
};

/* Up to `size` bytes of the file that holds `at`, or of the one behind it when that one is over. */
static bool read_at(const char *folder, const struct log_files *files, uint64_t at, size_t size,
	struct stretch *s)
{
	for (unsigned i = file_of(files, at); i < files->count; i++) {
		if (files->starts[i] > at)
			at = files->starts[i];
		s->used = read_file(folder, files->starts[i], at, s->bytes, size);
		s->at = at;
		s->next = at + s->used;
		if (s->used)
			return true;
	}
	return false;
}

/* ---- records ------------------------------------------------------------------------------- */

/* The record at `bytes`, which has a newline within `count`; false: it is none. */
static bool parse(const char *bytes, size_t line, uint64_t offset, struct log_entry *ret)
{
	const char *stream = bytes + AT_BYTES + 1;

	if (line < LOG_HEAD_BYTES || bytes[AT_BYTES] != ' ' || bytes[FLAG_AT - 1] != ' ' ||
		bytes[FLAG_AT + 1] != ' ' || (bytes[FLAG_AT] != 'F' && bytes[FLAG_AT] != 'P'))
		return false;
	if (memcmp(stream, "stdout", STREAM_BYTES) != 0 &&
		memcmp(stream, "stderr", STREAM_BYTES) != 0)
		return false;
	*ret = (struct log_entry){.at = bytes,
		.is_stderr = stream[3] == 'e',
		.partial = bytes[FLAG_AT] == 'P',
		.offset = offset,
		.data = bytes + LOG_HEAD_BYTES,
		.bytes = line - LOG_HEAD_BYTES};
	return true;
}

static bool is_wanted(const struct log_entry *e, const char *stream)
{
	return !stream || (strcmp(stream, "stderr") == 0) == e->is_stderr;
}

/*
 * Gives the records of a stretch, which begins with one; `*ret_next` is where the last one that was
 * taken ends. False: no more is wanted.
 */
static bool give(const struct log_query *q, const struct stretch *s, uint64_t *ret_next)
{
	const char *at = s->bytes, *end = s->bytes + s->used, *newline;

	*ret_next = s->at;
	while ((newline = memchr(at, '\n', (size_t)(end - at)))) {
		uint64_t offset = s->at + (uint64_t)(at - s->bytes);
		struct log_entry e;

		if (parse(at, (size_t)(newline - at), offset, &e) && is_wanted(&e, q->stream) &&
			!q->each(q->data, &e))
			return false;
		at = newline + 1;
		*ret_next = s->at + (uint64_t)(at - s->bytes);
	}
	return true;
}

/* The first record that begins at `at` or behind it. */
static uint64_t align(const char *folder, const struct log_files *files, uint64_t at)
{
	uint64_t start = files->count ? files->starts[file_of(files, at)] : 0;
	char bytes[LOG_RECORD_BYTES_MAX + 1];
	const char *newline;
	size_t used;

	if (at <= start)
		return start > at ? start : at;
	used = read_file(folder, start, at - 1, bytes, sizeof bytes);
	newline = memchr(bytes, '\n', used);
	return newline ? at + (uint64_t)(newline - bytes) : at;
}

/* ---- pages --------------------------------------------------------------------------------- */

static void read_on(const struct log_query *q, const struct log_files *files, struct stretch *s,
	struct log_page *page)
{
	size_t left = LOG_PAGE_BYTES_MAX;
	bool more = true;

	while (more && left &&
		read_at(q->folder, files, page->next, left < READ_BYTES ? left : READ_BYTES, s)) {
		uint64_t before = page->next;

		more = give(q, s, &page->next);
		if (page->next <= before && page->next < s->next)
			return; /* the beginning of a record that is being written */
		left -= s->used < left ? s->used : left;
	}
}

/* ---- the last ones ------------------------------------------------------------------------- */

struct last { /* a ring of where the last entries begin */
	uint64_t *offsets;
	unsigned size;
	unsigned count;
};

static bool note(void *data, const struct log_entry *e)
{
	struct last *l = data;

	l->offsets[l->count++ % l->size] = e->offset;
	return true;
}

/* Where the last `tail` entries begin, as far back as they are looked for. */
static enum err find_tail(const struct log_query *q, const struct log_files *files,
	struct stretch *s, const struct log_page *page, uint64_t *ret_at)
{
	struct last last = {.size = q->tail};
	struct log_query noting = *q;
	uint64_t back = TAIL_BYTES_FIRST, from = page->end;

	last.offsets = calloc(q->tail, sizeof *last.offsets);
	if (!last.offsets)
		return ERR_NO_MEMORY;
	noting.each = note;
	noting.data = &last;
	for (; last.count < q->tail && from > page->first && back <= LOG_TAIL_BYTES_MAX;
		back *= 2) {
		struct log_page p = *page;

		from = page->end - page->first > back ? page->end - back : page->first;
		p.next = align(q->folder, files, from);
		last.count = 0;
		for (uint64_t at = p.next + 1; at != p.next && p.next < page->end;) {
			at = p.next;
			read_on(&noting, files, s, &p);
		}
	}
	*ret_at = page->end;
	if (last.count)
		*ret_at = last.offsets[last.count > q->tail ? last.count % q->tail : 0];
	free(last.offsets);
	return ERR_OK;
}

enum err log_read(const struct log_query *q, struct log_page *ret_page)
{
	struct log_files files;
	struct stretch s = {0};
	enum err e = ERR_OK;

	log_files_list(q->folder, &files);
	ret_page->first = files.count ? files.starts[0] : 0;
	ret_page->end = end_of(q->folder, &files);
	ret_page->next = ret_page->end;
	if (q->from_offset && (q->after < ret_page->first || q->after > ret_page->end))
		return ERR_LIMIT;
	s.bytes = malloc(READ_BYTES);
	if (!s.bytes)
		return ERR_NO_MEMORY;
	if (q->from_offset)
		ret_page->next = align(q->folder, &files, q->after);
	else if (q->tail)
		e = find_tail(q, &files, &s, ret_page, &ret_page->next);
	if (!e)
		read_on(q, &files, &s, ret_page);
	free(s.bytes);
	return e;
}

/* ---- the tail of one stream as bytes ------------------------------------------------------- */

static bool push_entry(void *data, const struct log_entry *e)
{
	log_tail_push(data, e->data, e->bytes);
	if (!e->partial)
		log_tail_push(data, "\n", 1);
	return true;
}

size_t log_read_tail(
	const char *folder, uint64_t from, const char *stream, char *ret_bytes, size_t size)
{
	struct log_tail t = {.bytes = ret_bytes, .size = size};
	struct log_query q = {.folder = folder,
		.stream = stream,
		.from_offset = true,
		.each = push_entry,
		.data = &t};
	struct log_files files;
	struct log_page page;
	uint64_t end;

	log_files_list(folder, &files);
	end = end_of(folder, &files);
	q.after = from;
	/* An entry of this stream may stand before as much of the other. */
	if (end > from && end - from > LOG_PAGE_BYTES_MAX)
		q.after = end - LOG_PAGE_BYTES_MAX;
	if (files.count && q.after < files.starts[0])
		q.after = files.starts[0];
	return log_read(&q, &page) == ERR_OK ? t.used : 0;
}
