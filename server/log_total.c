#include "server/log_total.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "server/log_file.h"

struct log_known {
	struct log_known *next;          /* of the bucket */
	struct log_known *older, *newer; /* while it is closed */
	uint64_t start;
	uint64_t bytes;
	struct timespec at; /* last written to; of the walk only */
	bool open;
	char ref[];
};

/* ---- the table ----------------------------------------------------------------------------- */

static struct log_known **bucket(struct log_total *t, const char *ref, uint64_t start)
{
	return &t->buckets[XXH3_64bits_withSeed(ref, strlen(ref), start) % LOG_TOTAL_BUCKETS];
}

static struct log_known **find(struct log_total *t, const char *ref, uint64_t start)
{
	struct log_known **at = bucket(t, ref, start);

	while (*at && ((*at)->start != start || strcmp((*at)->ref, ref) != 0))
		at = &(*at)->next;
	return at;
}

static uint64_t charge(uint64_t bytes)
{
	return (bytes + LOG_BLOCK_BYTES - 1) / LOG_BLOCK_BYTES * LOG_BLOCK_BYTES;
}

static void set_bytes(struct log_total *t, struct log_known *k, uint64_t bytes)
{
	t->bytes += charge(bytes) - charge(k->bytes);
	k->bytes = bytes;
}

/* One that is open, or stands nowhere yet. NULL: no memory. */
static struct log_known *add(struct log_total *t, const char *ref, uint64_t start)
{
	size_t bytes = strlen(ref) + 1;
	struct log_known **head = bucket(t, ref, start), *k = calloc(1, sizeof *k + bytes);

	if (!k) {
		t->incomplete = true;
		return NULL;
	}
	memcpy(k->ref, ref, bytes);
	k->start = start;
	k->open = true;
	k->next = *head;
	*head = k;
	t->files++;
	return k;
}

static void append(struct log_total *t, struct log_known *k)
{
	k->open = false;
	k->older = t->newest;
	k->newer = NULL;
	*(t->newest ? &t->newest->newer : &t->oldest) = k;
	t->newest = k;
}

static void take_out(struct log_total *t, struct log_known *k)
{
	if (k->open)
		return;
	*(k->older ? &k->older->newer : &t->oldest) = k->newer;
	*(k->newer ? &k->newer->older : &t->newest) = k->older;
	k->open = true;
}

static void forget(struct log_total *t, struct log_known **at)
{
	struct log_known *k = *at;

	take_out(t, k);
	set_bytes(t, k, 0);
	*at = k->next;
	t->files--;
	free(k);
}

void log_total_open(struct log_total *t, const char *ref, uint64_t start, uint64_t bytes)
{
	struct log_known *k;

	if (!t)
		return;
	k = *find(t, ref, start);
	if (!k)
		k = add(t, ref, start);
	if (!k)
		return;
	take_out(t, k);
	set_bytes(t, k, bytes);
}

void log_total_close(struct log_total *t, const char *ref, uint64_t start)
{
	struct log_known *k = t ? *find(t, ref, start) : NULL;

	if (k && k->open)
		append(t, k);
}

void log_total_gone(struct log_total *t, const char *ref, uint64_t start)
{
	struct log_known **at = t ? find(t, ref, start) : NULL;

	if (at && *at)
		forget(t, at);
}

/* ---- the walk ------------------------------------------------------------------------------ */

struct walk {
	struct log_total *t;
	struct log_known **found; /* that stand nowhere yet */
	size_t count, size;
};

static void note(struct walk *w, const char *ref, uint64_t start, const struct stat *status)
{
	struct log_known *k;

	if (*find(w->t, ref, start))
		return;
	if (w->count == w->size) {
		size_t size = w->size ? 2 * w->size : 256;
		struct log_known **found = reallocarray(w->found, size, sizeof(struct log_known *));

		if (!found) {
			w->t->incomplete = true;
			return;
		}
		w->found = found;
		w->size = size;
	}
	k = add(w->t, ref, start);
	if (!k)
		return;
	set_bytes(w->t, k, (uint64_t)status->st_size);
	k->at = status->st_mtim;
	w->found[w->count++] = k;
}

static void walk_child(struct walk *w, const char *ref)
{
	char path[LOG_PATH_BYTES], *folder = NULL;
	struct log_files files;
	struct stat status;

	if (log_folder(w->t->logs_dir, ref, &folder) == ERR_NO_MEMORY)
		w->t->incomplete = true;
	if (!folder)
		return;
	errno = 0;
	log_files_list(folder, &files);
	if (errno == ENOMEM)
		w->t->incomplete = true;
	for (unsigned i = 0; i < files.count; i++)
		if (log_files_path(folder, files.starts[i], path) && lstat(path, &status) == 0 &&
			S_ISREG(status.st_mode))
			note(w, ref, files.starts[i], &status);
	free(folder);
}

/* Each name in LOGS_DIR or in LOGS_DIR/SUPERVISOR. */
static void walk_folder(struct walk *w, const char *supervisor)
{
	char path[LOG_PATH_BYTES], ref[PATH_MAX];
	struct dirent *entry;
	DIR *dir;

	snprintf(path, sizeof path, "%s/%s", w->t->logs_dir, supervisor ? supervisor : "");
	dir = opendir(path);
	if (!dir && errno == ENOMEM)
		w->t->incomplete = true;
	while (dir && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(ref, sizeof ref, "%s/%s", supervisor ? supervisor : "", entry->d_name);
		if (supervisor)
			walk_child(w, ref);
		else
			walk_folder(w, entry->d_name);
	}
	if (dir)
		closedir(dir);
}

static int compare(const void *a, const void *b)
{
	const struct log_known *x = *(struct log_known *const *)a;
	const struct log_known *y = *(struct log_known *const *)b;

	if (x->at.tv_sec != y->at.tv_sec)
		return x->at.tv_sec < y->at.tv_sec ? -1 : 1;
	if (x->at.tv_nsec != y->at.tv_nsec)
		return x->at.tv_nsec < y->at.tv_nsec ? -1 : 1;
	return (x->start > y->start) - (x->start < y->start);
}

/* All files that are not known yet; they count as closed. */
static void walk(struct log_total *t)
{
	struct walk w = {.t = t};

	t->incomplete = false;
	walk_folder(&w, NULL);
	if (w.count)
		qsort(w.found, w.count, sizeof *w.found, compare);
	for (size_t i = 0; i < w.count; i++)
		append(t, w.found[i]);
	free(w.found);
}

enum err log_total_new(
	const char *logs_dir, uint64_t bytes_max, unsigned files_max, struct log_total **ret)
{
	struct log_total *t = calloc(1, sizeof *t);

	if (!t || !(t->logs_dir = strdup(logs_dir))) {
		free(t);
		return ERR_NO_MEMORY;
	}
	t->bytes_max = bytes_max;
	t->files_max = files_max;
	walk(t);
	if (t->incomplete) {
		log_total_free(t);
		return ERR_NO_MEMORY;
	}
	*ret = t;
	return ERR_OK;
}

void log_total_free(struct log_total *t)
{
	if (!t)
		return;
	for (unsigned i = 0; i < LOG_TOTAL_BUCKETS; i++)
		while (t->buckets[i])
			forget(t, &t->buckets[i]);
	free(t->logs_dir);
	free(t);
}

/* ---- the sweep ----------------------------------------------------------------------------- */

static bool is_over(const struct log_total *t, size_t count)
{
	return t->bytes + count > t->bytes_max || t->files > t->files_max;
}

bool log_total_short(const struct log_total *t, size_t count)
{
	return t && !t->oldest && is_over(t, count);
}

/*
 * The end of what was kept stays known, by the name of an empty file. True: the file itself is
 * one.
 */
static bool leave_end(const char *folder, const struct log_known *k)
{
	char path[LOG_PATH_BYTES];
	struct stat status;
	int fd = -1;

	if (!log_files_path(folder, k->start, path) || lstat(path, &status) < 0)
		return false;
	if (status.st_size == 0)
		return true;
	if (log_files_path(folder, k->start + (uint64_t)status.st_size, path))
		fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd >= 0)
		close(fd);
	return false;
}

/* The child's folder, and its supervisor's when that one is empty too. */
static void remove_folder(char *folder)
{
	if (rmdir(folder) == 0) {
		*strrchr(folder, '/') = '\0';
		rmdir(folder);
	}
}

/* False: no memory to look at what else the child has. */
static bool remove_file(const struct log_total *t, const struct log_known *k)
{
	bool needed = !t->needed || t->needed(t->data, k->ref), stays = false;
	char path[LOG_PATH_BYTES], *folder;
	struct log_files files;

	if (log_folder(t->logs_dir, k->ref, &folder))
		return false;
	errno = 0;
	log_files_list(folder, &files);
	if (files.count == 0 && errno == ENOMEM) {
		free(folder);
		return false;
	}
	if (needed && files.count == 1)
		stays = leave_end(folder, k);
	if (!stays && log_files_path(folder, k->start, path))
		unlink(path);
	if (!needed)
		remove_folder(folder);
	free(folder);
	return true;
}

void log_total_sweep(struct log_total *t)
{
	if (!t)
		return;
	/* One that is written to and comes to be known here is open again at its next record. */
	if (t->incomplete)
		walk(t);
	while (t->oldest && is_over(t, 0) && remove_file(t, t->oldest)) {
		forget(t, find(t, t->oldest->ref, t->oldest->start));
		t->swept++;
	}
}
