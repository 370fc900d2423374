/* Ids that the server makes. */
#ifndef HORDE_API_UUID_H
#define HORDE_API_UUID_H

#include <stdbool.h>

#define UUID_TEXT_BYTES 37 /* 36 characters and a NUL */

/*
 * A UUID of version 7 (RFC 9562): the time in milliseconds, then random bits. They sort by that
 * time. False when the system gives no random bytes.
 */
bool uuid_make(char ret_text[UUID_TEXT_BYTES]);

/* These bytes as one of this version. */
void uuid_write(unsigned char b[16], unsigned char version, char ret_text[UUID_TEXT_BYTES]);

/* A UUID of version 8, made of the first 32 digits of a hash in hex: the same for the same. */
void uuid_of_hash(const char *hex, char ret_text[UUID_TEXT_BYTES]);

#endif
