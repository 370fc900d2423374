#include "server/descendants.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct process {
	pid_t pid;
	pid_t parent;
	char state;
	bool below; /* a descendant of ours */
};

struct table {
	struct process *rows;
	size_t count;
	size_t size;
};

/* The name in brackets may hold anything, so the fields are counted from the last bracket. */
static bool read_process(int proc_fd, const char *name, struct process *ret)
{
	char path[32], text[512];
	if (snprintf(path, sizeof path, "%s/stat", name) >= (int)sizeof path)
		return false;
	int fd = openat(proc_fd, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	ssize_t count = read(fd, text, sizeof text - 1);
	close(fd);
	if (count <= 0)
		return false;
	text[count] = 0;
	const char *end = strrchr(text, ')');
	int parent;
	char state;
	if (!end || sscanf(end + 1, " %c %d", &state, &parent) != 2)
		return false;
	*ret = (struct process){.pid = atoi(name), .parent = parent, .state = state};
	return true;
}

static bool table_add(struct table *t, struct process p)
{
	if (t->count == t->size) {
		size_t size = t->size ? 2 * t->size : 512;
		struct process *rows = realloc(t->rows, size * sizeof *rows);
		if (!rows)
			return false;
		t->rows = rows;
		t->size = size;
	}
	t->rows[t->count++] = p;
	return true;
}

static int by_pid(const void *a, const void *b)
{
	pid_t left = ((const struct process *)a)->pid, right = ((const struct process *)b)->pid;
	return (left > right) - (left < right);
}

static bool table_read(struct table *t)
{
	DIR *proc = opendir("/proc");
	if (!proc)
		return false;
	bool complete = true;
	errno = 0;
	for (struct dirent *entry; complete && (entry = readdir(proc)); errno = 0) {
		struct process p;
		if (entry->d_name[0] < '1' || entry->d_name[0] > '9')
			continue;
		if (read_process(dirfd(proc), entry->d_name, &p))
			complete = table_add(t, p);
		else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM)
			complete = false;
	}
	complete = complete && !errno;
	closedir(proc);
	if (t->count)
		qsort(t->rows, t->count, sizeof *t->rows, by_pid);
	return complete;
}

/* Pids wrap round, so a child may have a smaller pid than its parent: repeat until it is still. */
static void mark_below(struct table *t, pid_t self)
{
	for (bool changed = true; changed;) {
		changed = false;
		for (size_t i = 0; i < t->count; i++) {
			struct process *p = &t->rows[i], key = {.pid = p->parent}, *parent;
			if (p->below)
				continue;
			parent = bsearch(&key, t->rows, t->count, sizeof key, by_pid);
			if (p->parent == self || (parent && parent->below))
				changed = p->below = true;
		}
	}
}

static int kill_below(const struct table *t, pid_t self)
{
	int seen = 0;
	for (size_t i = 0; i < t->count; i++) {
		const struct process *p = &t->rows[i];
		if (!p->below)
			continue;
		seen++;
		if (p->state != 'Z')
			kill(p->pid, SIGKILL);
		if (p->parent == self)
			waitpid(p->pid, NULL, WNOHANG);
	}
	return seen;
}

int descendants_kill(void)
{
	struct table t = {0};
	pid_t self = getpid();
	int seen = -1;
	bool complete = table_read(&t);
	if (t.count) {
		mark_below(&t, self);
		int killed = kill_below(&t, self);
		/* Of an incomplete table, "none" would be a guess. */
		seen = complete || killed ? killed : -1;
	}
	free(t.rows);
	return seen;
}

/* ---- what one child left behind ---- */

/* A zombie has no environment any more, and needs no killing. */
static bool is_marked(pid_t pid, const char *mark)
{
	char path[40], *item = NULL;
	size_t size = 0;
	bool found = false;

	snprintf(path, sizeof path, "/proc/%d/environ", (int)pid);
	FILE *environment = fopen(path, "re");
	if (!environment)
		return false;
	while (!found && getdelim(&item, &size, '\0', environment) > 0)
		found = strcmp(item, mark) == 0;
	free(item);
	fclose(environment);
	return found;
}

int descendants_kill_marked(bool (*known)(void *data, pid_t pid), void *data, const char *mark)
{
	char path[64];
	int pid, seen = 0;

	/* The caller has one thread, so these are all its children. */
	snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
	FILE *children = fopen(path, "re");
	if (!children)
		return 0;
	while (fscanf(children, "%d", &pid) == 1) {
		if (known(data, pid) || !is_marked(pid, mark))
			continue;
		kill(pid, SIGKILL);
		seen++;
	}
	fclose(children);
	return seen;
}
