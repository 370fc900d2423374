#include "api/uuid.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "api/resource.h"

static void put(unsigned char b[16], unsigned char version, char ret_text[UUID_TEXT_BYTES])
{
	b[6] = (unsigned char)(version << 4 | (b[6] & 0x0f));
	b[8] = (unsigned char)(0x80 | (b[8] & 0x3f));
	snprintf(ret_text, UUID_TEXT_BYTES,
		"%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1],
		b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14],
		b[15]);
}

bool uuid_make(char ret_text[UUID_TEXT_BYTES])
{
	uint64_t ms = (uint64_t)wall_now_ms();
	unsigned char b[16];

	if (getrandom(b, sizeof(b), GRND_NONBLOCK) != (ssize_t)sizeof(b))
		return false;
	for (int i = 0; i < 6; i++)
		b[i] = (unsigned char)(ms >> (40 - 8 * i));
	put(b, 7, ret_text);
	return true;
}

void uuid_of_hash(const char *hex, char ret_text[UUID_TEXT_BYTES])
{
	static const char digits[] = "0123456789abcdef";
	unsigned char b[16] = {0};

	for (int i = 0; i < 32; i++)
		b[i / 2] = (unsigned char)(b[i / 2] << 4 | (strchr(digits, hex[i]) - digits));
	put(b, 8, ret_text);
}
