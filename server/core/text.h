/*
 * A growable byte buffer, and a streaming JSON writer on top of it. Everything that this project
 * prints as JSON goes through here: appending is some thirty times cheaper than building a tree.
 *
 * A failed allocation sets `failed` and turns every later call into nothing, so a writer checks
 * once, at the end (text_ok). The bytes are not NUL-terminated until text_cstr() is called.
 */
#ifndef HORDE_CORE_TEXT_H
#define HORDE_CORE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct text {
	char *bytes;
	size_t used;
	size_t size;
	bool failed; /* an allocation failed; the content is cut short and must not be used */
	bool comma;  /* the next JSON member or item needs a comma before it */
};

#define TEXT_INIT                                                                                  \
	{                                                                                          \
		0                                                                                  \
	}

void text_fini(struct text *t);
/* Empties it and keeps its memory; clears `failed`. */
void text_clear(struct text *t);
bool text_ok(const struct text *t);
void text_add(struct text *t, const char *bytes, size_t count);
void text_adds(struct text *t, const char *string);
/* printf into the buffer; for plain text, never for JSON strings that come from outside. */
void text_addf(struct text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The content as a C string (borrowed until the next call), or NULL when an allocation failed. */
const char *text_cstr(struct text *t);
/* The content as an allocated C string for the caller to free; empties `t`. NULL when it failed. */
char *text_take(struct text *t);

/*
 * JSON. Commas are placed by the writer: json_object/json_array open, json_end_... close,
 * json_key names the next member, the others write one value.
 * json_raw writes a value that is JSON already, byte for byte.
 */
void json_object(struct text *t);
void json_end_object(struct text *t);
void json_array(struct text *t);
void json_end_array(struct text *t);
void json_key(struct text *t, const char *name);
void json_string(struct text *t, const char *string);
void json_string_n(struct text *t, const char *bytes, size_t count);
void json_int(struct text *t, int64_t value);
void json_uint(struct text *t, uint64_t value);
void json_double(struct text *t, double value);
void json_bool(struct text *t, bool value);
void json_null(struct text *t);
void json_raw(struct text *t, const char *bytes, size_t count);

/* One member in one call: json_key and the value. */
void json_put_string(struct text *t, const char *name, const char *string);
void json_put_int(struct text *t, const char *name, int64_t value);
void json_put_uint(struct text *t, const char *name, uint64_t value);
void json_put_bool(struct text *t, const char *name, bool value);

/* RFC 3339 in UTC with milliseconds, as a JSON string: 1000 is "1970-01-01T00:00:01.000Z". A time
 * that has no year of four digits (a peer may have made it up) is left out. */
void json_put_time(struct text *t, const char *name, int64_t wall_ms);

#endif
