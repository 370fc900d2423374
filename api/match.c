/* Asking a compiled match spec of one entry. */
#include "api/match.h"

#include <string.h>

static const char *const part_names[MATCH_PARTS] = {
	[MATCH_KEY] = "key",
	[MATCH_VALUE] = "value",
	[MATCH_OWNER] = "owner",
	[MATCH_LABELS] = "labels",
	[MATCH_FENCE] = "fence",
	[MATCH_CREATED_AT] = "created_at",
	[MATCH_UPDATED_AT] = "updated_at",
	[MATCH_STALE] = "stale",
	[MATCH_READY] = "ready",
};

const char *match_part_name(enum match_part part)
{
	return part_names[part];
}

enum match_part match_part_from(const char *name, size_t bytes)
{
	enum match_part p = 0;

	while (p < MATCH_PARTS &&
		(strlen(part_names[p]) != bytes || memcmp(part_names[p], name, bytes) != 0))
		p++;
	return p;
}

void match_subject_fini(struct match_subject *s)
{
	for (size_t i = 0; i < MATCH_PARTS; i++)
		json_decref(s->parts[i]);
	memset(s->parts, 0, sizeof(s->parts));
	s->known = 0;
}

static enum err part_of(struct match_subject *s, enum match_part part, const json_t **ret)
{
	enum err e = ERR_OK;

	if (!(s->known & 1u << part))
		e = s->read(s->data, part, &s->parts[part]);
	if (e != ERR_OK)
		return e;
	s->known |= 1u << part;
	*ret = s->parts[part];
	return ERR_OK;
}

/* ---- values ---- */

/* Exact: all 64 bits of an integer fit where a double does too. */
static long double number_of(const json_t *value)
{
	return json_is_integer(value) ? (long double)json_integer_value(value)
				      : (long double)json_real_value(value);
}

static int order_of_texts(const json_t *a, const json_t *b)
{
	size_t a_bytes = json_string_length(a), b_bytes = json_string_length(b);
	int order = memcmp(
		json_string_value(a), json_string_value(b), a_bytes < b_bytes ? a_bytes : b_bytes);

	return order ? order : (a_bytes > b_bytes) - (a_bytes < b_bytes);
}

/* False: the two have no order. */
static bool ordered(const json_t *a, const json_t *b, int *ret_order)
{
	if (json_is_number(a) && json_is_number(b))
		*ret_order = (number_of(a) > number_of(b)) - (number_of(a) < number_of(b));
	else if (json_is_string(a) && json_is_string(b))
		*ret_order = order_of_texts(a, b);
	else
		return false;
	return true;
}

static bool equal(const json_t *a, const json_t *b);

static bool equal_objects(const json_t *a, const json_t *b)
{
	json_t *object = (json_t *)a, *member;
	const char *name;

	if (json_object_size(a) != json_object_size(b))
		return false;
	json_object_foreach(object, name, member)
	{
		const json_t *other = json_object_get(b, name);

		if (!other || !equal(member, other))
			return false;
	}
	return true;
}

static bool equal_arrays(const json_t *a, const json_t *b)
{
	if (json_array_size(a) != json_array_size(b))
		return false;
	for (size_t i = 0; i < json_array_size(a); i++)
		if (!equal(json_array_get(a, i), json_array_get(b, i)))
			return false;
	return true;
}

static bool equal(const json_t *a, const json_t *b)
{
	int order;

	if (ordered(a, b, &order))
		return order == 0;
	if (json_typeof(a) != json_typeof(b))
		return false;
	if (json_is_object(a))
		return equal_objects(a, b);
	return !json_is_array(a) || equal_arrays(a, b);
}

static bool is_one_of(const json_t *value, const json_t *list)
{
	for (size_t i = 0; i < json_array_size(list); i++)
		if (equal(value, json_array_get(list, i)))
			return true;
	return false;
}

static bool has_prefix(const json_t *value, const json_t *prefix)
{
	size_t bytes = json_string_length(prefix);

	return json_is_string(value) && json_string_length(value) >= bytes &&
	       memcmp(json_string_value(value), json_string_value(prefix), bytes) == 0;
}

size_t match_index(const char *name, size_t bytes)
{
	size_t index = 0;

	if (bytes == 0 || bytes > 9 || (name[0] == '0' && bytes > 1))
		return SIZE_MAX;
	for (size_t i = 0; i < bytes; i++) {
		if (name[i] < '0' || name[i] > '9')
			return SIZE_MAX;
		index = index * 10 + (size_t)(name[i] - '0');
	}
	return index;
}

/* A member of an object, or an item of an array by its number; else NULL. */
static const json_t *below(const json_t *value, const char *name, size_t bytes)
{
	return json_is_array(value) ? json_array_get(value, match_index(name, bytes))
				    : json_object_getn(value, name, bytes);
}

/* ---- conditions ---- */

static bool compares(enum match_test test, const json_t *value, const json_t *operand)
{
	int order;

	if (!value || !ordered(value, operand, &order))
		return false;
	if (test == TEST_GT)
		return order > 0;
	if (test == TEST_GTE)
		return order >= 0;
	return test == TEST_LT ? order < 0 : order <= 0;
}

static bool value_holds(const struct condition *c, const json_t *value)
{
	switch (c->test) {
	case TEST_EQ:
		return value && equal(value, c->operand);
	case TEST_NE:
		return !value || !equal(value, c->operand);
	case TEST_IN:
		return value && is_one_of(value, c->operand);
	case TEST_NIN:
		return !value || !is_one_of(value, c->operand);
	case TEST_EXISTS:
		return (value != NULL) == json_is_true(c->operand);
	case TEST_PREFIX:
		return has_prefix(value, c->operand);
	case TEST_GT:
	case TEST_GTE:
	case TEST_LT:
	case TEST_LTE:
		return compares(c->test, value, c->operand);
	case TEST_ALL:
	case TEST_ANY:
	case TEST_NOT:
	case TEST_AT:
		break;
	}
	return false;
}

static enum err holds(const struct match *m, struct match_subject *s, const struct condition *c,
	const json_t *value, bool *ret);

/* All of them, or one of them; `ret` is as it was when there is none. */
static enum err list_holds(const struct match *m, struct match_subject *s,
	const struct condition *c, const json_t *value, bool *ret)
{
	enum err e = ERR_OK;

	*ret = c->test == TEST_ALL;
	for (size_t i = c->first; i && e == ERR_OK; i = m->conditions[i].next) {
		e = holds(m, s, &m->conditions[i], value, ret);
		if (*ret != (c->test == TEST_ALL))
			break;
	}
	return e;
}

static enum err at_holds(const struct match *m, struct match_subject *s, const struct condition *c,
	const json_t *value, bool *ret)
{
	enum err e = ERR_OK;

	if (c->part != MATCH_PARTS)
		e = part_of(s, c->part, &value);
	else
		value = below(value, c->name, c->name_bytes);
	return e == ERR_OK ? holds(m, s, &m->conditions[c->first], value, ret) : e;
}

static enum err holds(const struct match *m, struct match_subject *s, const struct condition *c,
	const json_t *value, bool *ret)
{
	enum err e = ERR_OK;

	if (c->test == TEST_ALL || c->test == TEST_ANY)
		return list_holds(m, s, c, value, ret);
	if (c->test == TEST_AT)
		return at_holds(m, s, c, value, ret);
	if (c->test == TEST_NOT) {
		e = holds(m, s, &m->conditions[c->first], value, ret);
		*ret = !*ret;
		return e;
	}
	*ret = value_holds(c, value);
	return ERR_OK;
}

enum err match_holds(const struct match *m, struct match_subject *s, bool *ret_holds)
{
	bool yes = false;
	enum err e = holds(m, s, &m->conditions[0], NULL, &yes);

	if (e == ERR_OK)
		*ret_holds = yes;
	return e;
}
