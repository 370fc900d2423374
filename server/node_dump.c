/*
 * What a divergence leaves for people (replication.md part 6, "Forks"): a file
 * DATA_DIR/diverged-PEER-N.ndjson with a line for each entry in the blocks that differ,
 *
 *	{"side":"here","dot":"<origin>:<seq>","clock":4211,"key":"meta/default/a","value":1}
 *
 * as it was on this node ("here") and on the peer ("there") before the repair.
 */
#include "server/node_inside.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/log.h"

#define DUMP_FILES_MAX 8               /* the older ones are deleted */
#define DUMP_BYTES_MAX (64u << 20)     /* of a file; it ends then, and the log says so */
#define DUMP_BUFFER_BYTES (64u * 1024) /* are written at a time */
#define DUMP_NAME_BYTES 200
#define DUMP_PREFIX "diverged-"
#define DUMP_SUFFIX ".ndjson"

struct dump {
	int fd;
	struct text buffer;
	size_t bytes;                  /* written */
	bool full;                     /* DUMP_BYTES_MAX */
	int error;                     /* errno of what went wrong, 0 nothing */
	struct fragment_check *checks; /* by origin and seq */
	size_t check_count;
};

/* ---- the names ---- */

/* The N of a dump's name, 0 when it is no dump. */
static unsigned long number_of(const char *name)
{
	size_t bytes = strlen(name), suffix = strlen(DUMP_SUFFIX);
	const char *dash = strrchr(name, '-');
	char *end;
	unsigned long number;

	if (strncmp(name, DUMP_PREFIX, strlen(DUMP_PREFIX)) != 0 || bytes < suffix ||
		strcmp(name + bytes - suffix, DUMP_SUFFIX) != 0 || dash[1] < '0' || dash[1] > '9')
		return 0;
	number = strtoul(dash + 1, &end, 10);
	return end == name + bytes - suffix ? number : 0;
}

struct dumps { /* in the directory: how many, the newest number, and the oldest one */
	size_t count;
	unsigned long newest;
	unsigned long oldest;
	char oldest_name[NAME_MAX + 1];
};

static int look(int directory_fd, struct dumps *ret)
{
	int fd = openat(directory_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *directory = fd >= 0 ? fdopendir(fd) : NULL;
	const struct dirent *item;

	*ret = (struct dumps){0};
	if (!directory) {
		if (fd >= 0)
			close(fd);
		return -1;
	}
	while ((item = readdir(directory))) {
		unsigned long number = number_of(item->d_name);

		if (number == 0)
			continue;
		ret->count++;
		if (number > ret->newest)
			ret->newest = number;
		if (ret->oldest == 0 || number < ret->oldest) {
			ret->oldest = number;
			snprintf(ret->oldest_name, sizeof ret->oldest_name, "%s", item->d_name);
		}
	}
	closedir(directory);
	return 0;
}

/* Makes room for one more, and names it; -1 when the directory cannot be read or cleared. */
static int choose_name(int directory_fd, const char *peer, char ret_name[DUMP_NAME_BYTES])
{
	struct dumps found;
	int at;

	do {
		if (look(directory_fd, &found))
			return -1;
		if (found.count >= DUMP_FILES_MAX && unlinkat(directory_fd, found.oldest_name, 0))
			return -1;
	} while (found.count-- > DUMP_FILES_MAX);
	at = snprintf(ret_name, DUMP_NAME_BYTES, DUMP_PREFIX "%.128s-%lu" DUMP_SUFFIX, peer,
		found.newest + 1);
	/* A peer says itself what it is called. */
	for (int i = (int)strlen(DUMP_PREFIX); i < at; i++)
		if (!strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-",
			    ret_name[i]))
			ret_name[i] = '_';
	return 0;
}

/* ---- the lines ---- */

static void flush(struct dump *d)
{
	size_t at = 0;

	if (!text_ok(&d->buffer))
		d->error = ENOMEM;
	while (!d->error && at < d->buffer.used) {
		ssize_t written = write(d->fd, d->buffer.bytes + at, d->buffer.used - at);

		if (written >= 0)
			at += (size_t)written;
		else if (errno != EINTR)
			d->error = errno;
	}
	d->bytes += at;
	text_clear(&d->buffer);
}

static int by_place(const void *a, const void *b)
{
	const struct fragment_check *x = a, *y = b;
	int order = origin_compare(x->origin, y->origin);

	if (order != 0)
		return order;
	return x->after < y->after ? -1 : x->after > y->after;
}

/* Negative: the dot lies before the check; 0: in it. */
static int place_in(const void *dot, const void *check)
{
	const struct dot *d = dot;
	const struct fragment_check *c = check;
	int order = origin_compare(d->origin, c->origin);

	if (order != 0)
		return order;
	return d->seq <= c->after ? -1 : d->seq > c->upto;
}

static void put_line(struct dump *d, const char *side, struct dot dot, uint64_t clock,
	const char *key, size_t key_bytes, const char *value, size_t value_bytes)
{
	struct text *t = &d->buffer;
	char text[DOT_TEXT_BYTES];
	size_t begin;

	if (d->error || d->full ||
		!bsearch(&dot, d->checks, d->check_count, sizeof *d->checks, place_in))
		return;
	dot_to_text(dot, text);
	t->comma = false;
	json_object(t);
	json_put_string(t, "side", side);
	json_put_string(t, "dot", text);
	json_put_uint(t, "clock", clock);
	json_key(t, "key");
	json_string_n(t, key, key_bytes);
	json_key(t, "value");
	begin = t->used;
	json_raw(t, value, value_bytes);
	/* Between its tokens a value may have line breaks, and never inside of one. */
	for (size_t i = begin; i < t->used; i++)
		if (t->bytes[i] == '\n' || t->bytes[i] == '\r')
			t->bytes[i] = ' ';
	json_end_object(t);
	text_add(t, "\n", 1);
	if (t->used >= DUMP_BUFFER_BYTES || !text_ok(t))
		flush(d);
	d->full = d->bytes >= DUMP_BYTES_MAX;
}

static void put_here(struct dump *d, const struct map *m)
{
	char room[ENTRY_ROOM];

	for (const struct entry *k = map_from(m, "", 0); k && !d->error && !d->full;
		k = map_after(m, k->key, k->key_bytes))
		for (const struct entry *e = k; e; e = e->sibling)
			put_line(d, "here", entry_dot(e), e->clock, e->key, e->key_bytes,
				entry_text(e, room), e->value_bytes);
}

static void put_there(struct dump *d, const struct fragment *f)
{
	for (size_t i = 0; i < f->put_count; i++) {
		const struct fragment_put *p = &f->puts[i];

		put_line(d, "there", p->dot, p->clock, p->key, p->key_bytes, p->value,
			p->value_bytes);
	}
}

/* ---- the file ---- */

static enum err take_checks(struct dump *d, const struct fragment *f)
{
	d->checks = calloc(f->check_count + 1, sizeof *d->checks);
	if (!d->checks)
		return ERR_NO_MEMORY;
	for (; d->check_count < f->check_count; d->check_count++)
		d->checks[d->check_count] = f->checks[d->check_count];
	qsort(d->checks, d->check_count, sizeof *d->checks, by_place);
	return ERR_OK;
}

static void write_all(struct dump *d, const struct map *m, const struct fragment *f)
{
	if (take_checks(d, f))
		d->error = ENOMEM;
	put_here(d, m);
	put_there(d, f);
	flush(d);
	text_fini(&d->buffer);
	free(d->checks);
}

void node_dump(struct node *n, const char *peer, const struct fragment *f)
{
	int directory_fd = n->config.directory->fd;
	char name[DUMP_NAME_BYTES] = DUMP_PREFIX;
	struct dump d = {.fd = -1};

	if (choose_name(directory_fd, peer, name) == 0)
		d.fd = openat(directory_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (d.fd < 0) {
		log_event(LOG_LEVEL_WARN, "sync.not_dumped", peer, "%s: %s", name, strerror(errno));
		return;
	}
	write_all(&d, horde_map(n->horde), f);
	if (close(d.fd) && !d.error)
		d.error = errno;
	if (d.error)
		log_event(
			LOG_LEVEL_WARN, "sync.not_dumped", peer, "%s: %s", name, strerror(d.error));
	else
		log_event(LOG_LEVEL_WARN, "sync.dumped", peer, "%s%s", name,
			d.full ? ", cut at its limit" : "");
}
