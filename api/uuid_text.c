#include <stdio.h>
#include <string.h>

#include "api/uuid.h"

void uuid_write(unsigned char b[16], unsigned char version, char ret_text[UUID_TEXT_BYTES])
{
	b[6] = (unsigned char)(version << 4 | (b[6] & 0x0f));
	b[8] = (unsigned char)(0x80 | (b[8] & 0x3f));
	snprintf(ret_text, UUID_TEXT_BYTES,
		"%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1],
		b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14],
		b[15]);
}

void uuid_of_hash(const char *hex, char ret_text[UUID_TEXT_BYTES])
{
	static const char digits[] = "0123456789abcdef";
	unsigned char b[16] = {0};

	for (int i = 0; i < 32; i++)
		b[i / 2] = (unsigned char)(b[i / 2] << 4 | (strchr(digits, hex[i]) - digits));
	uuid_write(b, 8, ret_text);
}
