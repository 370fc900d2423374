#include "api/uuid.h"

#include <stdint.h>
#include <sys/random.h>

#include "api/resource.h"

bool uuid_make(char ret_text[UUID_TEXT_BYTES])
{
	uint64_t ms = (uint64_t)wall_now_ms();
	unsigned char b[16];

	if (getrandom(b, sizeof(b), GRND_NONBLOCK) != (ssize_t)sizeof(b))
		return false;
	for (int i = 0; i < 6; i++)
		b[i] = (unsigned char)(ms >> (40 - 8 * i));
	uuid_write(b, 7, ret_text);
	return true;
}
