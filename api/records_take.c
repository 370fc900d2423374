#include "api/records_take.h"

#include <stdlib.h>
#include <string.h>

const char *take_string(struct decoding *d, const json_t *o, const char *name)
{
	const char *s = json_string_value(json_object_get(o, name));

	if (s)
		return s;
	d->wrong = true;
	return "";
}

char *copy_string(struct decoding *d, const char *s)
{
	char *copy = strdup(s);

	if (!copy)
		d->no_memory = true;
	return copy;
}

int64_t take_int(struct decoding *d, const json_t *o, const char *name, int64_t least, int64_t most,
	int64_t absent)
{
	const json_t *v = json_object_get(o, name);
	int64_t value = json_integer_value(v);

	if (!v)
		return absent;
	if (json_is_integer(v) && value >= least && value <= most)
		return value;
	d->wrong = true;
	return absent;
}

struct origin_id take_origin(struct decoding *d, const json_t *o, const char *name)
{
	struct origin_id id = {0, 0};

	if (!origin_from_hex(take_string(d, o, name), &id))
		d->wrong = true;
	return id;
}

uint64_t take_hex(struct decoding *d, const json_t *o, const char *name)
{
	const char *s = take_string(d, o, name);
	size_t digits = strlen(s);

	if (digits > 0 && digits <= 16 && strspn(s, "0123456789abcdefABCDEF") == digits)
		return strtoull(s, NULL, 16);
	d->wrong = true;
	return 0;
}

uint64_t take_epoch(struct decoding *d, const json_t *o)
{
	int64_t epoch = take_int(d, o, "epoch", 0, INT64_MAX, -1);

	d->wrong = d->wrong || epoch < 0;
	return epoch < 0 ? 0 : (uint64_t)epoch;
}

const json_t *take_object(struct decoding *d, const json_t *o, const char *name)
{
	const json_t *inner = json_object_get(o, name);

	if (inner && !json_is_object(inner))
		d->wrong = true;
	return inner;
}

const char *take_name(struct decoding *d, const json_t *o, const char *name, const char *absent)
{
	return json_object_get(o, name) ? take_string(d, o, name) : absent;
}
