#include "server/secrets.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* What of `path` comes after `dir`; NULL: it is not below it. */
static const char *below(const char *dir, const char *path)
{
	size_t count = strlen(dir);

	while (count > 0 && dir[count - 1] == '/')
		count--;
	if (strncmp(dir, path, count) != 0 || path[count] != '/')
		return NULL;
	path += strspn(path + count, "/") + count;
	return *path ? path : NULL;
}

/* A descriptor, or -1 and errno. */
static int open_below(const char *dir, const char *rest)
{
	struct open_how how = {.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
	int at = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC), fd, error;

	if (at < 0)
		return -1;
	fd = (int)syscall(SYS_openat2, at, rest, &how, sizeof how);
	error = errno == EXDEV ? EPERM : errno;
	close(at);
	errno = error;
	return fd;
}

static int open_secret(const struct option_list *dirs, const char *path)
{
	for (size_t i = 0; i < dirs->count; i++) {
		const char *rest = below(dirs->items[i], path);

		if (rest)
			return open_below(dirs->items[i], rest);
	}
	errno = EPERM;
	return -1;
}

static int read_all(int fd, char *ret_bytes, size_t size, size_t *ret_count)
{
	struct stat status;
	size_t used = 0;
	ssize_t count = 1;
	char more;

	if (fstat(fd, &status) < 0)
		return errno;
	if (!S_ISREG(status.st_mode))
		return EINVAL;
	while (count > 0 && used < size) {
		count = read(fd, ret_bytes + used, size - used);
		if (count < 0 && errno != EINTR)
			return errno;
		used += count > 0 ? (size_t)count : 0;
		if (count < 0)
			count = 1;
	}
	if (used == size && read(fd, &more, 1) > 0)
		return EFBIG;
	*ret_count = used;
	return 0;
}

int secrets_read(const struct option_list *dirs, const char *path, char *ret_bytes, size_t size,
	size_t *ret_count)
{
	int fd = open_secret(dirs, path), error;

	*ret_count = 0;
	if (fd < 0)
		return errno;
	error = read_all(fd, ret_bytes, size, ret_count);
	close(fd);
	return error;
}
