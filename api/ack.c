#include "api/ack.h"

#include <assert.h>
#include <string.h>

static const char *const names[] = {
	[ACK_MEMORY] = "memory",
	[ACK_DISK] = "disk",
	[ACK_ONE] = "one",
	[ACK_MAJORITY] = "majority",
	[ACK_ALL] = "all",
};

enum ack ack_from(const char *text)
{
	enum ack a = ACK_MEMORY;

	if (!text)
		return ACK_DISK;
	while (a < ACK_ALL && strcmp(names[a], text) != 0)
		a++;
	assert(strcmp(names[a], text) == 0);
	return a;
}

const char *ack_name(enum ack a)
{
	return names[a];
}

bool ack_of_others(enum ack a)
{
	return a > ACK_DISK;
}

size_t ack_needs(enum ack a, size_t members)
{
	switch (a) {
	case ACK_MEMORY:
		return 0;
	case ACK_DISK:
		return 1;
	case ACK_ONE:
		return 2;
	case ACK_MAJORITY:
		return members / 2 + 1;
	case ACK_ALL:
		return members > 0 ? members : 1;
	}
	return 1;
}
