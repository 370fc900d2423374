/* Checking values by a compiled schema. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "api/duration.h"
#include "api/json_text.h"
#include "api/nearest.h"
#include "api/schema_type.h"
#include "api/utf8.h"

struct checker {
	const struct schema_check *how;
	struct faults *faults;
};

static void check(struct checker *c, const struct schema *s, const json_t *value);

static void check_at(
	struct checker *c, const char *name, const struct schema *s, const json_t *value)
{
	size_t here = faults_enter(c->faults, name);

	check(c, s, value);
	faults_leave(c->faults, here);
}

static void fault_at(struct checker *c, const char *name, const char *code, const char *detail)
{
	size_t here = faults_enter(c->faults, name);

	faults_add_here(c->faults, code, "%s", detail);
	faults_leave(c->faults, here);
}

static const char *type_name(unsigned type)
{
	switch (type) {
	case TYPE_OBJECT:
		return "an object";
	case TYPE_ARRAY:
		return "an array";
	case TYPE_STRING:
		return "a string";
	case TYPE_INTEGER:
		return "a whole number";
	case TYPE_NUMBER:
		return "a number";
	default:
		return "true or false";
	}
}

static bool has_type(unsigned type, const json_t *value)
{
	switch (type) {
	case TYPE_ANY:
		return true;
	case TYPE_OBJECT:
		return json_is_object(value);
	case TYPE_ARRAY:
		return json_is_array(value);
	case TYPE_STRING:
		return json_is_string(value);
	case TYPE_INTEGER:
		return json_is_integer(value);
	case TYPE_NUMBER:
		return json_is_number(value);
	default:
		return json_is_boolean(value);
	}
}

/* "must be one of a, b, c", as much as fits. */
static const char *list_choices(
	const struct schema *s, const char *given, char detail[HTTP_WHY_BYTES])
{
	size_t used = (size_t)snprintf(detail, HTTP_WHY_BYTES, "must be one of ");
	struct nearest near = {.wanted = given ? given : ""};

	for (size_t i = 0; i < s->choices->count; i++) {
		const char *name = s->choices->members[i].value->text;

		if (!name)
			continue;
		nearest_offer(&near, name);
		if (used + strlen(name) + 3 >= HTTP_WHY_BYTES)
			continue;
		used += (size_t)snprintf(
			detail + used, HTTP_WHY_BYTES - used, "%s%s", i ? ", " : "", name);
	}
	if (given && near.best && near.distance <= 2)
		snprintf(detail + used, HTTP_WHY_BYTES - used, " (did you mean '%.40s'?)",
			near.best);
	return "enum";
}

static bool is_choice(const struct schema *s, const char *text, const json_int_t *number)
{
	for (size_t i = 0; i < s->choices->count; i++) {
		const struct markup *choice = s->choices->members[i].value;

		if (text && choice->text && strcmp(choice->text, text) == 0)
			return true;
		if (number && choice->kind == MARKUP_INT && choice->integer == *number)
			return true;
	}
	return false;
}

static const char *check_size(
	const struct schema *s, size_t size, const char *what, char detail[HTTP_WHY_BYTES])
{
	if (size < s->length_min) {
		snprintf(detail, HTTP_WHY_BYTES, "must have at least %zu %s", s->length_min, what);
		return "too-short";
	}
	if (size > s->length_max) {
		snprintf(detail, HTTP_WHY_BYTES, "must have at most %zu %s", s->length_max, what);
		return "too-long";
	}
	return NULL;
}

static const char *check_duration(
	const struct schema *s, const char *text, char detail[HTTP_WHY_BYTES])
{
	int64_t ms = 0;

	if (duration_parse(text, &ms) == ERR_MALFORMED) {
		snprintf(detail, HTTP_WHY_BYTES, "must be a duration such as 250ms, 30s, 5m or 1h");
		return "format";
	}
	if (ms > s->ms_max || duration_parse(text, &ms) != ERR_OK) {
		snprintf(detail, HTTP_WHY_BYTES, "must be at most %lld ms", (long long)s->ms_max);
		return "out-of-range";
	}
	return NULL;
}

static const char *check_string(
	const struct schema *s, const char *text, size_t bytes, char detail[HTTP_WHY_BYTES])
{
	const char *code;

	if (s->choices && !is_choice(s, text, NULL))
		return list_choices(s, text, detail);
	code = check_size(s, utf8_length(text), "characters", detail);
	if (code)
		return code;
	if (bytes > s->bytes_max) {
		snprintf(detail, HTTP_WHY_BYTES, "must have at most %zu bytes", s->bytes_max);
		return "too-long";
	}
	if (s->pattern && !pattern_matches(s->pattern, text)) {
		snprintf(detail, HTTP_WHY_BYTES, "must match %.200s", s->pattern->text);
		return "pattern";
	}
	return s->duration ? check_duration(s, text, detail) : NULL;
}

static const char *off_limit(const char *most, double limit, char detail[HTTP_WHY_BYTES])
{
	/* Whole ones are up to 2^53, which 15 digits would round. */
	if (limit == (double)(int64_t)limit)
		snprintf(detail, HTTP_WHY_BYTES, "must be at %s %.0f", most, limit);
	else
		snprintf(detail, HTTP_WHY_BYTES, "must be at %s %.15g", most, limit);
	return "out-of-range";
}

static const char *check_number(const struct schema *s, double value, char detail[HTTP_WHY_BYTES])
{
	if (s->has_minimum && value < s->minimum)
		return off_limit("least", s->minimum, detail);
	if (s->has_maximum && value > s->maximum)
		return off_limit("most", s->maximum, detail);
	return NULL;
}

/* Bytes of all strings in a value: what counts against the limit of a command or of an env. */
static size_t string_bytes(const json_t *value)
{
	json_t *any = (json_t *)value, *member;
	const char *key;
	size_t i, bytes = 0;

	if (json_is_string(value))
		return json_string_length(value);
	json_array_foreach(any, i, member)
	{
		bytes += string_bytes(member);
	}
	json_object_foreach(any, key, member)
	{
		bytes += strlen(key) + string_bytes(member);
	}
	return bytes;
}

static void check_array(struct checker *c, const struct schema *s, const json_t *value)
{
	char name[24];

	for (size_t i = 0; s->items && i < json_array_size(value); i++) {
		if (c->faults->count >= HTTP_FAULTS_MAX)
			return;
		snprintf(name, sizeof(name), "%zu", i);
		check_at(c, name, s->items, json_array_get(value, i));
	}
}

/* A member that no property names. */
static void check_other(
	struct checker *c, const struct schema *s, const char *name, const json_t *value)
{
	struct nearest near = {.wanted = name};
	char detail[HTTP_WHY_BYTES];

	if (s->key_pattern && !pattern_matches(s->key_pattern, name)) {
		snprintf(
			detail, sizeof(detail), "the name must match %.200s", s->key_pattern->text);
		fault_at(c, name, "pattern", detail);
		return;
	}
	if (s->additional) {
		check_at(c, name, s->additional, value);
		return;
	}
	if (!s->closed)
		return;
	for (size_t i = 0; i < s->property_count; i++)
		nearest_offer(&near, s->properties[i].name);
	if (near.best)
		snprintf(detail, sizeof(detail), "unknown member, did you mean '%s'?", near.best);
	else
		snprintf(detail, sizeof(detail), "no members are known here");
	fault_at(c, name, "unknown-member", detail);
}

static const struct schema_property *property_of(const struct schema *s, const char *name)
{
	for (size_t i = 0; i < s->property_count; i++)
		if (strcmp(s->properties[i].name, name) == 0)
			return &s->properties[i];
	return NULL;
}

/*
 * A free value at the top of the body is measured as it was written, and its excess is a 413; one
 * further down as it will be kept.
 */
static void check_raw(
	struct checker *c, const struct schema *s, const char *name, const json_t *value)
{
	bool top = c->faults->pointer.used == 0;
	char detail[64];
	size_t length = 0;

	if (s->type != TYPE_ANY || s->bytes_max == SIZE_MAX)
		return;
	if (!top)
		length = json_dumpb(value, NULL, 0, JSON_COMPACT | JSON_ENCODE_ANY);
	else if (!json_member(c->how->raw, c->how->raw_length, name, &length))
		return;
	if (length <= s->bytes_max)
		return;
	snprintf(detail, sizeof(detail), "must have at most %zu bytes", s->bytes_max);
	fault_at(c, name, "too-long", detail);
	c->faults->too_large |= top;
}

static void check_property(struct checker *c, const struct schema_property *p, const json_t *value)
{
	if (p->schema->read_only)
		return;
	check_raw(c, p->schema, p->name, value);
	check_at(c, p->name, p->schema, value);
}

static void check_object(struct checker *c, const struct schema *s, const json_t *value)
{
	const struct schema_property *p;
	json_t *members = (json_t *)value, *member;
	const char *name;

	for (size_t i = 0; i < s->property_count; i++)
		if (s->properties[i].required && !json_object_get(value, s->properties[i].name))
			fault_at(c, s->properties[i].name, "required", "is missing");
	json_object_foreach(members, name, member)
	{
		if (c->faults->count >= HTTP_FAULTS_MAX)
			return;
		p = property_of(s, name);
		if (p)
			check_property(c, p, member);
		else
			check_other(c, s, name, member);
	}
}

static const char *check_value(
	const struct schema *s, const json_t *value, char detail[HTTP_WHY_BYTES])
{
	json_int_t number;

	if (json_is_string(value))
		return check_string(s, json_string_value(value), json_string_length(value), detail);
	if (json_is_number(value)) {
		number = json_integer_value(value);
		if (s->choices && !is_choice(s, NULL, &number))
			return list_choices(s, NULL, detail);
		return check_number(s, json_number_value(value), detail);
	}
	if (json_is_array(value))
		return check_size(s, json_array_size(value), "items", detail);
	if (json_is_object(value))
		return check_size(s, json_object_size(value), "members", detail);
	return NULL;
}

static void check(struct checker *c, const struct schema *s, const json_t *value)
{
	char detail[HTTP_WHY_BYTES];
	const char *code;

	if (json_is_null(value) && (s->nullable || s->type == TYPE_ANY))
		return;
	if (!has_type(s->type, value)) {
		snprintf(detail, sizeof(detail), "must be %s", type_name(s->type));
		faults_add_here(c->faults, "type", "%s", detail);
		return;
	}
	if (s->needs_cgroup && !c->how->cgroup) {
		faults_add_here(
			c->faults, "unsupported", "this node has no control group (--cgroup)");
		c->faults->unsupported++;
		return;
	}
	if (s->type == TYPE_ANY && !s->choices)
		return;
	code = check_value(s, value, detail);
	if (!code && (s->type == TYPE_ARRAY || s->type == TYPE_OBJECT) &&
		s->bytes_max != SIZE_MAX && string_bytes(value) > s->bytes_max) {
		snprintf(detail, sizeof(detail), "must have at most %zu bytes", s->bytes_max);
		code = "too-long";
	}
	if (code)
		faults_add_here(c->faults, code, "%s", detail);
	if (s->type == TYPE_ARRAY)
		check_array(c, s, value);
	else if (s->type == TYPE_OBJECT)
		check_object(c, s, value);
}

void schema_check_body(const struct schema *s, const json_t *value, const struct schema_check *how,
	struct faults *faults)
{
	struct checker c = {.how = how, .faults = faults};

	if (s->type == TYPE_ANY && how->raw_length > s->bytes_max) {
		faults->too_large = true;
		faults_add(faults, "", "too-long", "must have at most %zu bytes", s->bytes_max);
	}
	check(&c, s, value);
}

/* ---- parameters ---- */

static const char *check_text_integer(
	const struct schema *s, const char *text, char detail[HTTP_WHY_BYTES])
{
	size_t digits = strspn(text + (*text == '-'), "0123456789");
	int64_t ms = 0;

	if (s->duration && duration_parse(text, &ms) == ERR_OK)
		return check_number(s, (double)ms, detail);
	if (digits == 0 || digits > 18 || text[(*text == '-') + digits]) {
		snprintf(detail, HTTP_WHY_BYTES, "must be a whole number");
		return "type";
	}
	return check_number(s, (double)strtoll(text, NULL, 10), detail);
}

static const char *check_text_number(
	const struct schema *s, const char *text, char detail[HTTP_WHY_BYTES])
{
	char *end;
	double value = strtod(text, &end);

	if (end == text || *end) {
		snprintf(detail, HTTP_WHY_BYTES, "must be a number");
		return "type";
	}
	return check_number(s, value, detail);
}

static const char *check_text_boolean(const char *text, char detail[HTTP_WHY_BYTES])
{
	static const char *const words[] = {"", "true", "false", "1", "0", NULL};

	for (size_t i = 0; words[i]; i++)
		if (strcmp(text, words[i]) == 0)
			return NULL;
	snprintf(detail, HTTP_WHY_BYTES, "must be true or false");
	return "type";
}

static const char *check_text_items(
	const struct schema *s, const char *text, char detail[HTTP_WHY_BYTES])
{
	const char *code = NULL;
	char item[256];

	while (!code) {
		size_t length = strcspn(text, ",");

		if (length >= sizeof(item)) {
			snprintf(detail, HTTP_WHY_BYTES, "one of its items is too long");
			return "too-long";
		}
		memcpy(item, text, length);
		item[length] = '\0';
		code = schema_check_text(s, item, false, detail);
		text += length;
		if (!*text++)
			break;
	}
	return code;
}

const char *schema_check_text(
	const struct schema *s, const char *text, bool joined, char detail[HTTP_WHY_BYTES])
{
	switch (s->type) {
	case TYPE_INTEGER:
		return check_text_integer(s, text, detail);
	case TYPE_NUMBER:
		return check_text_number(s, text, detail);
	case TYPE_BOOLEAN:
		return check_text_boolean(text, detail);
	case TYPE_ARRAY:
		if (!s->items)
			return NULL;
		return joined ? check_text_items(s->items, text, detail)
			      : schema_check_text(s->items, text, false, detail);
	default:
		return check_string(s, text, strlen(text), detail);
	}
}
