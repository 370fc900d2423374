/* The member `ports` of a spec, and that of a status. */
#include "api/records_take.h"

#include <string.h>

static void add(struct decoding *d, struct ports *p, const char *name, int64_t number)
{
	if (name[0] == '\0' || strlen(name) > PORT_NAME_BYTES_MAX || p->count == PORTS_MAX)
		d->wrong = true;
	else if (!ports_add(p, name, (uint16_t)number))
		d->no_memory = true;
}

void decode_ports(struct decoding *d, const json_t *spec, struct ports *ret)
{
	const json_t *array = json_object_get(spec, "ports");

	if (array && !json_is_array(array))
		d->wrong = true;
	for (size_t i = 0; i < json_array_size(array); i++) {
		const json_t *one = json_array_get(array, i);

		add(d, ret, take_string(d, one, "name"),
			take_int(d, one, "port", 1, UINT16_MAX, 0));
	}
}

void decode_numbers(struct decoding *d, const json_t *status, struct ports *ret)
{
	json_t *object = json_object_get(status, "ports"), *value;
	const char *name;

	if (object && !json_is_object(object))
		d->wrong = true;
	json_object_foreach(object, name, value)
		add(d, ret, name, take_int(d, object, name, 1, UINT16_MAX, 0));
}
