#include "server/guardian.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "server/guardian_wire.h"

/* The guardian gets its descriptors as 3, 4 and 5; the sources lie above, so none hits another. */
#define TARGET_FIRST 3
#define SOURCE_FIRST 16

static void close_all(int fds[3])
{
	for (int i = 0; i < 3; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

static int execute(const char *executable, const int sources[3], const struct guardian_options *o,
	pid_t *ret_pid)
{
	char numbers[64];
	char *argv[] = {(char[]){"horde-guardian"}, (char[]){"--guardian"}, numbers,
		(char *)(uintptr_t)o->cgroup, NULL};
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	int targets[3];
	int error = posix_spawn_file_actions_init(&actions);
	if (error)
		return error;
	error = posix_spawnattr_init(&attributes);
	if (error)
		goto no_attributes;
	for (int i = 0; i < 3; i++) {
		targets[i] = sources[i] < 0 ? -1 : TARGET_FIRST + i;
		if (!error && sources[i] >= 0)
			error = posix_spawn_file_actions_adddup2(&actions, sources[i], targets[i]);
	}
	snprintf(numbers, sizeof numbers, "%d,%d,%d,%llu", targets[0], targets[1], targets[2],
		(unsigned long long)o->open_files);
	/* Its own session from the first moment, so that no Ctrl-C meets it half-way. */
	if (!error)
		error = posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID);
	if (!error)
		error = posix_spawn(ret_pid, executable, &actions, &attributes, argv, environ);
	posix_spawnattr_destroy(&attributes);
no_attributes:
	posix_spawn_file_actions_destroy(&actions);
	return error;
}

enum err guardian_start(const char *executable, const struct guardian_options *options,
	int *ret_socket_fd, pid_t *ret_pid)
{
	int pair[2], sources[3];
	enum err e = wire_pair(pair);
	if (e)
		return e;
	const int given[3] = {pair[1], options->listen_fd, options->lock_fd};
	bool complete = true;
	for (int i = 0; i < 3; i++) {
		sources[i] = given[i] < 0 ? -1 : fcntl(given[i], F_DUPFD_CLOEXEC, SOURCE_FIRST);
		complete = complete && (given[i] < 0 || sources[i] >= 0);
	}
	int error = complete ? execute(executable, sources, options, ret_pid) : errno;
	close_all(sources);
	close(pair[1]);
	if (error) {
		close(pair[0]);
		errno = error;
		return error == ENOMEM ? ERR_NO_MEMORY : ERR_SYSTEM;
	}
	*ret_socket_fd = pair[0];
	return ERR_OK;
}
