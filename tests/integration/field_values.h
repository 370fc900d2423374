/* Values of the fields of fields.h, right and wrong ones, and bodies that hold one of them. */
#ifndef HORDE_TESTS_FIELD_VALUES_H
#define HORDE_TESTS_FIELD_VALUES_H

#include "tests/integration/faults.h"
#include "tests/integration/fields.h"

enum { ONES_MAX = 32 };

/* What has a field: a child, or a supervisor, of its own or for its children. */
enum whose { CHILD, SUPERVISOR };

/* ---- values ---- */

/* So many items or members. */
static inline json_t *many_of(const struct field *f, int count)
{
	char *whole = NULL;
	size_t bytes = 0;
	FILE *out = open_memstream(&whole, &bytes);
	json_t *value;

	CHECK(out, "no memory");
	fputc(f->kind == MAP ? '{' : '[', out);
	for (int i = 0; i < count; i++) {
		const char *mark = strchr(f->item, '#');
		int head = mark ? (int)(mark - f->item) : (int)strlen(f->item);

		fprintf(out, "%s%.*s", i ? "," : "", head, f->item);
		if (mark)
			fprintf(out, "%d%s", i, mark + 1);
	}
	fputc(f->kind == MAP ? '}' : ']', out);
	fclose(out);
	value = value_of(whole);
	free(whole);
	return value;
}

/* One value of a field, and where in it are its faults. */
struct one {
	json_t *value; /* NULL: it is left out */
	const char *at[2];
};

static inline void add(struct one *all, int *count, json_t *value, const char *at, const char *too)
{
	CHECK(*count < ONES_MAX, "too many values");
	all[(*count)++] = (struct one){value, {at ? at : "", too}};
}

static inline void add_types(const struct field *f, struct one *all, int *count)
{
	static const struct {
		const char *value;
		unsigned fits; /* these kinds */
	} types[] = {{"null", 1u << FREE}, {"true", 1u << FREE},
		{"7", 1u << WHOLE | 1u << NUMBER | 1u << FREE}, {"1.5", 1u << NUMBER | 1u << FREE},
		{"\"text\"", 1u << TEXT | 1u << FREE}, {"[]", 1u << LIST | 1u << FREE},
		{"{}", 1u << MAP | 1u << OBJECT | 1u << FREE}};

	for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
		if (!(types[i].fits >> f->kind & 1))
			add(all, count, value_of(types[i].value), "", NULL);
}

/* Whatever has not the right shape there. */
static inline int bad_of(const struct field *f, struct one *all)
{
	int count = 0;

	add_types(f, all, &count);
	if (f->needed)
		add(all, &count, NULL, "", NULL);
	if (f->kind == WHOLE && !f->cgroup) {
		add(all, &count, json_integer((json_int_t)f->least - 1), "", NULL);
		add(all, &count, json_integer((json_int_t)f->most + 1), "", NULL);
		add(all, &count, json_integer(INT64_MAX), "", NULL);
		add(all, &count, json_integer(INT64_MIN), "", NULL);
	}
	if (f->item)
		add(all, &count, many_of(f, (int)f->most + 1), "", NULL);
	if (f->item && f->least > 0)
		add(all, &count, many_of(f, (int)f->least - 1), "", NULL);
	for (int i = 0; i < BAD_MAX && f->bad[i][0]; i++)
		add(all, &count, value_of(f->bad[i][0]), f->bad[i][1], f->bad[i][2]);
	return count;
}

static inline int odd_of(const struct field *f, struct one *all)
{
	int count = 0;

	for (int i = 0; i < ODD_MAX && f->odd[i][0]; i++)
		add(all, &count, value_of(f->odd[i][0]), f->odd[i][1], f->odd[i][2]);
	return count;
}

static inline int good_of(const struct field *f, struct one *all)
{
	int count = 0;

	if (f->kind == WHOLE) {
		add(all, &count, json_integer((json_int_t)f->least), NULL, NULL);
		add(all, &count, json_integer((json_int_t)f->most), NULL, NULL);
	}
	if (f->item) {
		add(all, &count, many_of(f, (int)f->least), NULL, NULL);
		add(all, &count, many_of(f, (int)f->most), NULL, NULL);
	}
	for (int i = 0; i < GOOD_MAX && f->good[i]; i++)
		add(all, &count, value_of(f->good[i]), NULL, NULL);
	CHECK(count > 0, "nothing is right for %s", f->name);
	return count;
}

static inline void drop(struct one *all, int count)
{
	for (int i = 0; i < count; i++)
		json_decref(all[i].value);
}

/* ---- bodies ---- */

static inline bool has(enum whose whose, const struct field *f)
{
	if (f->place <= DEFAULTS)
		return whose == SUPERVISOR;
	if (whose == CHILD || f->place == SPEC)
		return whose == CHILD || f->shared;
	return f->place != PORT && f->place != CLAIM;
}

static inline bool in_defaults(enum whose whose, const struct field *f)
{
	return whose == SUPERVISOR && f->place != OPTIONS;
}

static inline json_t *in_place(json_t *body, const struct field *f)
{
	return *places[f->place].path ? json_at(body, places[f->place].path) : body;
}

/* A body with this value; a new spec has a command too. */
static inline json_t *body_of(enum whose whose, const struct field *f, json_t *value, bool patch)
{
	json_t *body = value_of(places[f->place].body);

	if (whose == CHILD && !patch)
		json_object_set_new(body, "command", value_of("[\"/bin/sleep\",\"1000\"]"));
	if (value)
		json_object_set(in_place(body, f), f->name, value);
	else
		json_object_del(in_place(body, f), f->name);
	if (!in_defaults(whose, f))
		return body;
	json_object_del(body, "ports"); /* of a child alone */
	return json_pack("{s:o}", "child_defaults", body);
}

/* Where the field is in it. */
static inline const char *pointer_of(enum whose whose, const struct field *f)
{
	const char *path = places[f->place].path;
	char *out = (char *)(uintptr_t)text_of("%s%s%s/%s",
		in_defaults(whose, f) ? "/child_defaults" : "", *path ? "/" : "", path, f->name);

	for (char *at = strchr(out, '.'); at; at = strchr(at, '.'))
		*at = '/';
	return out;
}

#endif
