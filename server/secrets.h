/*
 * Files with secrets, read from below the directories that the node names for them and from nowhere
 * else: no "..", and no link, leads out (openat2(2), RESOLVE_BENEATH).
 */
#ifndef HORDE_SECRETS_H
#define HORDE_SECRETS_H

#include <stddef.h>

#include "server/options.h"

/*
 * Reads a whole regular file into `ret_bytes`. Returns 0 or an errno: EPERM when it is below none
 * of `dirs` or leads out of it, EFBIG when it is larger than `size`, EINVAL when it is no regular
 * file, ENOENT, EACCES, ...
 */
int secrets_read(const struct option_list *dirs, const char *path, char *ret_bytes, size_t size,
	size_t *ret_count);

#endif
