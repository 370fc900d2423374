#include "server/log_tail.h"

#include <stdlib.h>
#include <string.h>

void log_tail_push(struct log_tail *t, const char *bytes, size_t count)
{
	size_t over;

	if (!t->bytes && !(t->bytes = malloc(t->size)))
		return;
	if (count > t->size) {
		bytes += count - t->size;
		count = t->size;
	}
	over = t->used + count > t->size ? t->used + count - t->size : 0;
	memmove(t->bytes, t->bytes + over, t->used - over);
	t->used -= over;
	memcpy(t->bytes + t->used, bytes, count);
	t->used += count;
}
