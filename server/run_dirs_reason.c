/* The files that reasons are names of. */
#include "server/run_dirs_state.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define REASON_BYTES_MAX 32

static int line_of(enum stop_reason why, char ret_line[REASON_BYTES_MAX])
{
	return snprintf(ret_line, REASON_BYTES_MAX, "%s\n", stop_reason_name(why));
}

/* A process of our own user could have written to it through its own name. */
static bool is_good(const struct run_dirs *r, enum stop_reason why)
{
	char line[REASON_BYTES_MAX], is[REASON_BYTES_MAX];
	int bytes = line_of(why, line);
	int fd = openat(r->reasons_fd, stop_reason_name(why), O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	struct stat s;
	bool good;

	if (fd < 0)
		return false;
	good = fstat(fd, &s) == 0 && (s.st_mode & 07777) == 0444 && s.st_uid == geteuid() &&
	       read(fd, is, sizeof is) == bytes && memcmp(is, line, (size_t)bytes) == 0;
	close(fd);
	return good;
}

/* A new file; whoever has the old one keeps that. */
static bool write_reason(const struct run_dirs *r, enum stop_reason why)
{
	const char *name = stop_reason_name(why);
	char line[REASON_BYTES_MAX];
	int bytes = line_of(why, line), fd;
	bool written;

	unlinkat(r->reasons_fd, name, 0);
	fd = openat(r->reasons_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444);
	if (fd < 0)
		return false;
	written = write(fd, line, (size_t)bytes) == bytes && fchmod(fd, 0444) == 0;
	return close(fd) == 0 && written;
}

void run_dirs_write_reasons(struct run_dirs *r)
{
	for (enum stop_reason why = 0; why < STOP_REASON_COUNT; why++)
		if (!is_good(r, why))
			write_reason(r, why); /* tried again when it is needed */
}

/* What the process has put in its place goes. */
static bool give(const struct run_dirs *r, int at, const char *name)
{
	if (linkat(r->reasons_fd, name, at, RUN_DIRS_REASON, 0) == 0)
		return true;
	return errno == EEXIST && unlinkat(at, RUN_DIRS_REASON, 0) == 0 &&
	       linkat(r->reasons_fd, name, at, RUN_DIRS_REASON, 0) == 0;
}

enum err run_dirs_link_reason(const struct run_dirs *r, int fd, enum stop_reason why)
{
	const char *name = stop_reason_name(why);

	if (is_good(r, why) && give(r, fd, name))
		return ERR_OK;
	/* It was tampered with, or has as many names as a file may have. */
	return write_reason(r, why) && give(r, fd, name) ? ERR_OK : ERR_SYSTEM;
}
