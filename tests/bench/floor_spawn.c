/* What the machine takes to start the same processes: posix_spawn in a row, nothing around it. */
#include "tests/bench/bench.h"

#include "tests/lib/check.h"
#include "tests/lib/children.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WORDS_MAX = 16, SPAWNS_MAX = 512, LOOK_US = 100, LINES_MS = 30000 };

static int count_lines(const char *path)
{
	char bytes[65536];
	int fd = open(path, O_RDONLY | O_CLOEXEC), count = 0;
	ssize_t got;

	while (fd >= 0 && (got = read(fd, bytes, sizeof bytes)) > 0)
		for (const char *at = bytes; (at = memchr(at, '\n', (size_t)(bytes + got - at)));
			at++)
			count++;
	if (fd >= 0)
		close(fd);
	return count;
}

int64_t lines_until_ns(const char *path, int count)
{
	int64_t end_ns = check_now_ns() + check_ms(LINES_MS) * 1000000;
	off_t size = -1;

	for (;;) {
		struct stat status;
		int64_t now_ns = check_now_ns();

		/* Only when it has grown: reading it all the time would be load of its own. */
		if (stat(path, &status) == 0 && status.st_size != size) {
			size = status.st_size;
			if (count_lines(path) >= count)
				return now_ns;
		}
		CHECK(now_ns < end_ns, "%s has %d of %d lines", path, count_lines(path), count);
		usleep(LOOK_US);
	}
}

static pid_t spawn_one(char *const *words, int index)
{
	char child[64],
		*environment[] = {child, (char[]){"HORDE_EPOCH=1"}, (char[]){"HORDE_NODE=floor"},
			(char[]){"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:"
				 "/sbin:/bin"},
			NULL};
	pid_t pid;

	snprintf(child, sizeof child, "HORDE_CHILD=floor-%d", index);
	CHECK(posix_spawn(&pid, words[0], NULL, NULL, words, environment) == 0, "posix_spawn");
	return pid;
}

double floor_spawn_ms(const struct cluster *cluster, const char *spec, int count)
{
	static pid_t pids[SPAWNS_MAX];
	const char *path = text_of("%s/floor-trace", cluster->dir);
	json_t *json = json_loads(spec, 0, NULL), *command = json_object_get(json, "command");
	char *words[WORDS_MAX] = {NULL};
	size_t last = json_array_size(command) - 1;
	int64_t start_ns, end_ns;

	CHECK(json && last < WORDS_MAX - 1 && count <= SPAWNS_MAX, "the spec is odd");
	for (size_t i = 0; i < last; i++)
		words[i] = (char *)json_string_value(json_array_get(command, i));
	words[last] = (char *)path; /* in place of the cluster's trace */
	unlink(path);
	start_ns = check_now_ns();
	for (int i = 0; i < count; i++)
		pids[i] = spawn_one(words, i);
	end_ns = lines_until_ns(path, count);
	for (int i = 0; i < count; i++)
		kill(pids[i], SIGKILL);
	for (int i = 0; i < count; i++)
		waitpid(pids[i], NULL, 0);
	json_decref(json);
	return (double)(end_ns - start_ns) / 1e6;
}
