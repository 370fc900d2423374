#include "tests/lib/procs.h"

#include "tests/lib/check.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct process {
	pid_t pid, parent, group;
	char state;
};

static ssize_t read_small(const char *path, char *out, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got = -1;

	if (fd >= 0) {
		got = read(fd, out, size - 1);
		close(fd);
	}
	out[got > 0 ? got : 0] = '\0';
	return got;
}

/* The command in /proc/PID/stat may hold spaces and brackets, so the fields are read behind it. */
static bool read_process(pid_t pid, struct process *ret)
{
	char path[64], text[1024], *end;
	int parent, group;

	snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	if (read_small(path, text, sizeof text) <= 0)
		return false;
	end = strrchr(text, ')');
	if (!end || sscanf(end + 1, " %c %d %d", &ret->state, &parent, &group) != 3)
		return false;
	ret->pid = pid;
	ret->parent = parent;
	ret->group = group;
	return ret->state != 'Z' && ret->state != 'X';
}

static int read_all(struct process *out, int cap)
{
	DIR *proc = opendir("/proc");
	struct dirent *item;
	int count = 0;

	while (proc && count < cap && (item = readdir(proc))) {
		pid_t pid = (pid_t)strtol(item->d_name, NULL, 10);

		if (pid > 0 && read_process(pid, &out[count]))
			count++;
	}
	if (proc)
		closedir(proc);
	return count;
}

bool procs_alive(pid_t pid)
{
	struct process one;

	return pid > 0 && read_process(pid, &one);
}

static bool listed(const pid_t *pids, int count, pid_t pid)
{
	for (int i = 0; i < count; i++)
		if (pids[i] == pid)
			return true;
	return false;
}

int procs_descendants(pid_t root, pid_t *out, int cap)
{
	struct process *all = malloc(sizeof *all * PROCS_MAX);
	int total = all ? read_all(all, PROCS_MAX) : 0;
	int count = 0, before = -1;

	while (count != before) {
		before = count;
		for (int i = 0; i < total && count < cap; i++)
			if ((all[i].parent == root || listed(out, count, all[i].parent)) &&
				!listed(out, count, all[i].pid))
				out[count++] = all[i].pid;
	}
	free(all);
	return count;
}

int procs_children(pid_t parent, pid_t *out, int cap)
{
	struct process *all = malloc(sizeof *all * PROCS_MAX);
	int total = all ? read_all(all, PROCS_MAX) : 0;
	int count = 0;

	for (int i = 0; i < total && count < cap; i++)
		if (all[i].parent == parent)
			out[count++] = all[i].pid;
	free(all);
	return count;
}

int procs_offspring(pid_t parent)
{
	char path[64];
	FILE *f;
	int count = 0, pid;

	snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)parent, (int)parent);
	f = fopen(path, "re");
	if (!f)
		return -1;
	while (fscanf(f, "%d", &pid) == 1)
		count++;
	fclose(f);
	return count;
}

void procs_until_offspring(pid_t parent, int count, long ms)
{
	int64_t end = check_now_ms() + ms;

	while (procs_offspring(parent) != count) {
		CHECK(check_now_ms() < end, "%d processes below %s, not %d",
			procs_offspring(parent), procs_command(parent), count);
		check_pause_ms(5);
	}
}

pid_t procs_guardian(pid_t daemon)
{
	pid_t pid = 0;

	CHECK_INT(procs_children(daemon, &pid, 1), 1);
	return pid;
}

int procs_in_group(pid_t group)
{
	struct process *all = malloc(sizeof *all * PROCS_MAX);
	int total = all ? read_all(all, PROCS_MAX) : 0;
	int count = 0;

	for (int i = 0; i < total; i++)
		count += all[i].group == group;
	free(all);
	return count;
}

long procs_status_kb(pid_t pid, const char *name)
{
	char path[64], text[4096], *line;

	snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
	if (read_small(path, text, sizeof text) <= 0 || !(line = strstr(text, name)))
		return 0;
	line = strchr(line, ':');
	return line ? strtol(line + 1, NULL, 10) : 0;
}

const char *procs_command(pid_t pid)
{
	static char text[512];
	char path[64];
	ssize_t got;

	snprintf(path, sizeof path, "/proc/%d/cmdline", (int)pid);
	got = read_small(path, text, sizeof text);
	for (ssize_t i = 0; i + 1 < got; i++)
		if (text[i] == '\0')
			text[i] = ' ';
	return got > 0 ? text : "?";
}
