/* The last bytes of what is printed: what comes pushes out what came first. */
#ifndef HORDE_LOG_TAIL_H
#define HORDE_LOG_TAIL_H

#include <stddef.h>

struct log_tail {
	char *bytes; /* the owner's; NULL: made by the first push, to be freed by the owner */
	size_t size;
	size_t used;
};

/* Without memory nothing is kept. */
void log_tail_push(struct log_tail *t, const char *bytes, size_t count);

#endif
