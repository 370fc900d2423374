/* A compiled schema: shared by what compiles it and what checks by it, and by nobody else. */
#ifndef HORDE_API_SCHEMA_TYPE_H
#define HORDE_API_SCHEMA_TYPE_H

#include <stdint.h>

#include "api/pattern.h"
#include "api/schema.h"

enum {
	TYPE_ANY = 0,
	TYPE_OBJECT = 1,
	TYPE_ARRAY = 2,
	TYPE_STRING = 4,
	TYPE_INTEGER = 8,
	TYPE_NUMBER = 16,
	TYPE_BOOLEAN = 32,
};

struct schema_property {
	const char *name;
	const struct schema *schema;
	bool required;
};

struct schema {
	struct schema *next;
	const struct markup *from;
	unsigned type;
	bool nullable;
	bool read_only;
	bool needs_cgroup; /* x-needs-cgroup: refused by a node that has none */
	bool duration;
	bool closed; /* additionalProperties: false */
	bool has_minimum, has_maximum;
	double minimum, maximum;
	size_t length_min, length_max; /* code points, items or properties: a schema has one type */
	size_t bytes_max;
	int64_t ms_max;
	const struct markup *choices; /* enum */
	struct pattern *pattern;      /* NULL: none */
	struct pattern *key_pattern;  /* of the names that `additional` takes */
	const struct schema *items;
	const struct schema *additional;
	const struct schema_property *properties;
	size_t property_count;
};

#endif
