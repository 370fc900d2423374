/* From a match spec to its conditions, with all that is wrong with it. */
#include "api/match.h"

#include <string.h>

#include "api/nearest.h"
#include "api/schema.h"

enum place { /* what is at hand where a condition stands */
	PLACE_ENTRY,
	PLACE_KEY,   /* a text that has no members; `prefix` says `$prefix` here too */
	PLACE_PLAIN, /* another text, or a boolean */
	PLACE_OWNER,
	PLACE_FREE /* any JSON */
};

enum operand { OPERAND_ANY, OPERAND_ORDERED, OPERAND_LIST, OPERAND_BOOLEAN, OPERAND_TEXT };

static const struct {
	const char *name;
	enum match_test test;
	enum operand operand;
} operators[] = {
	{"$eq", TEST_EQ, OPERAND_ANY},
	{"$ne", TEST_NE, OPERAND_ANY},
	{"$gt", TEST_GT, OPERAND_ORDERED},
	{"$gte", TEST_GTE, OPERAND_ORDERED},
	{"$lt", TEST_LT, OPERAND_ORDERED},
	{"$lte", TEST_LTE, OPERAND_ORDERED},
	{"$in", TEST_IN, OPERAND_LIST},
	{"$nin", TEST_NIN, OPERAND_LIST},
	{"$exists", TEST_EXISTS, OPERAND_BOOLEAN},
	{"$prefix", TEST_PREFIX, OPERAND_TEXT},
};

#define OPERATORS (sizeof(operators) / sizeof(operators[0]))

static const char *const owner_members[] = {"kind", "id", "node", "epoch"};

#define OWNER_MEMBERS (sizeof(owner_members) / sizeof(owner_members[0]))

struct compiler {
	struct match *m;
	struct faults *faults;
	size_t depth;
	bool full; /* there are more conditions than may be, which was said */
};

static const struct condition nothing = {.part = MATCH_PARTS};

/* Its index; one that may be overwritten when there are too many. */
static size_t add(struct compiler *c, enum match_test test)
{
	size_t index = c->m->count;

	if (index == MATCH_CONDITIONS_MAX) {
		if (!c->full)
			faults_add_here(c->faults, "too-many", "a spec has at most %d conditions",
				MATCH_CONDITIONS_MAX);
		c->full = true;
		return MATCH_CONDITIONS_MAX - 1;
	}
	c->m->conditions[index] = nothing;
	c->m->conditions[index].test = test;
	c->m->count++;
	c->m->cost++;
	return index;
}

static size_t add_value(struct compiler *c, enum match_test test, const json_t *operand)
{
	size_t index = add(c, test);

	c->m->conditions[index].operand = operand;
	return index;
}

/* Behind the others of `parent`; 0 is what did not compile. */
static void append(struct compiler *c, size_t parent, size_t index)
{
	uint16_t *place = &c->m->conditions[parent].first;

	if (c->full || index == 0)
		return;
	while (*place)
		place = &c->m->conditions[*place].next;
	*place = (uint16_t)index;
}

static size_t compile(struct compiler *c, const json_t *spec, enum place place);

/* ---- operators ---- */

static void add_unknown(struct compiler *c, const char *name)
{
	struct nearest near = {.wanted = name};

	if (strcmp(name, "$regex") == 0) {
		faults_add_here(c->faults, "unknown-operator",
			"there are no regular expressions here, only $prefix");
		return;
	}
	for (size_t i = 0; i < OPERATORS; i++)
		nearest_offer(&near, operators[i].name);
	nearest_offer(&near, "$and");
	nearest_offer(&near, "$or");
	nearest_offer(&near, "$not");
	faults_add_here(
		c->faults, "unknown-operator", "unknown operator, did you mean %s?", near.best);
}

static bool fits(struct compiler *c, enum operand wanted, const json_t *operand)
{
	static const char *const words[] = {[OPERAND_ANY] = "any value",
		[OPERAND_ORDERED] = "a number or a string",
		[OPERAND_LIST] = "an array",
		[OPERAND_BOOLEAN] = "true or false",
		[OPERAND_TEXT] = "a string"};
	bool ok = wanted == OPERAND_ANY ||
		  (wanted == OPERAND_ORDERED &&
			  (json_is_number(operand) || json_is_string(operand))) ||
		  (wanted == OPERAND_LIST && json_is_array(operand)) ||
		  (wanted == OPERAND_BOOLEAN && json_is_boolean(operand)) ||
		  (wanted == OPERAND_TEXT && json_is_string(operand));

	if (!ok)
		faults_add_here(c->faults, "type", "must be %s", words[wanted]);
	if (ok && wanted == OPERAND_LIST && json_array_size(operand) > MATCH_IN_MAX) {
		faults_add_here(c->faults, "too-many", "at most %d values", MATCH_IN_MAX);
		ok = false;
	}
	return ok;
}

static void compile_value(
	struct compiler *c, size_t parent, const char *name, const json_t *operand)
{
	size_t i = 0;

	while (i < OPERATORS && strcmp(operators[i].name, name) != 0)
		i++;
	if (i == OPERATORS) {
		add_unknown(c, name);
		return;
	}
	if (!fits(c, operators[i].operand, operand))
		return;
	append(c, parent, add_value(c, operators[i].test, operand));
	if (operators[i].operand == OPERAND_LIST)
		c->m->cost += json_array_size(operand);
}

/* $and and $or: one of each item at least. */
static void compile_list(struct compiler *c, size_t parent, enum match_test test,
	const json_t *items, enum place place)
{
	size_t list = add(c, test);

	if (!json_is_array(items) || json_array_size(items) == 0) {
		faults_add_here(c->faults, "type", "must be an array that is not empty");
		return;
	}
	for (size_t i = 0; i < json_array_size(items) && !c->full; i++) {
		size_t here = faults_enter_item(c->faults, i);

		append(c, list, compile(c, json_array_get(items, i), place));
		faults_leave(c->faults, here);
	}
	append(c, parent, list);
}

static void compile_operator(struct compiler *c, size_t parent, const char *name,
	const json_t *operand, enum place place)
{
	if (strcmp(name, "$and") == 0) {
		compile_list(c, parent, TEST_ALL, operand, place);
	} else if (strcmp(name, "$or") == 0) {
		compile_list(c, parent, TEST_ANY, operand, place);
	} else if (strcmp(name, "$not") == 0) {
		size_t not = add(c, TEST_NOT);

		append(c, not, compile(c, operand, place));
		append(c, parent, not );
	} else if (place == PLACE_ENTRY) {
		faults_add_here(c->faults, "misplaced-operator",
			"stands below the name of a part, as in {\"key\":{\"%s\":...}}", name);
	} else {
		compile_value(c, parent, name, operand);
	}
}

/* ---- names ---- */

static bool is_owner_member(const char *name, size_t bytes)
{
	for (size_t i = 0; i < OWNER_MEMBERS; i++)
		if (strlen(owner_members[i]) == bytes && memcmp(owner_members[i], name, bytes) == 0)
			return true;
	return false;
}

/* What is at hand below a name; false: nothing can be there, which was said. */
static bool enter(struct faults *faults, enum place *place, const char *name, size_t bytes)
{
	if (*place == PLACE_KEY || *place == PLACE_PLAIN) {
		faults_add_here(faults, "unknown-member",
			"is a plain value, which has no members; operators begin with $");
		return false;
	}
	if (*place == PLACE_OWNER && !is_owner_member(name, bytes)) {
		faults_add_here(faults, "unknown-member",
			"an owner has the members kind, id, node and epoch");
		return false;
	}
	*place = *place == PLACE_OWNER ? PLACE_PLAIN : PLACE_FREE;
	return true;
}

static size_t add_at(
	struct compiler *c, size_t parent, enum match_part part, const char *name, size_t bytes)
{
	size_t at = add(c, TEST_AT);

	c->m->conditions[at].part = part;
	c->m->conditions[at].name = name;
	c->m->conditions[at].name_bytes = bytes;
	append(c, parent, at);
	return at;
}

static enum place place_of(enum match_part part)
{
	if (part == MATCH_KEY)
		return PLACE_KEY;
	if (part == MATCH_OWNER)
		return PLACE_OWNER;
	return part == MATCH_VALUE || part == MATCH_LABELS ? PLACE_FREE : PLACE_PLAIN;
}

static void add_unknown_part(struct faults *faults, const char *name)
{
	struct nearest near = {.wanted = name};

	for (enum match_part p = 0; p < MATCH_PARTS; p++)
		nearest_offer(&near, match_part_name(p));
	faults_add_here(faults, "unknown-member", "an entry has no such part, did you mean '%s'?",
		near.best);
}

/* `key`, or a path: `value.shard.0`. */
static void compile_path(struct compiler *c, size_t parent, const char *path, const json_t *spec)
{
	size_t bytes = strcspn(path, ".");
	enum match_part part = match_part_from(path, bytes);
	enum place place;

	if (part == MATCH_PARTS) {
		add_unknown_part(c->faults, path);
		return;
	}
	place = place_of(part);
	parent = add_at(c, parent, part, path, bytes);
	for (path += bytes; *path == '.' && !c->full; path += bytes) {
		bytes = strcspn(++path, ".");
		if (!enter(c->faults, &place, path, bytes))
			return;
		parent = add_at(c, parent, MATCH_PARTS, path, bytes);
	}
	append(c, parent, compile(c, spec, place));
}

enum match_part match_path_check(const char *path, struct faults *faults)
{
	size_t bytes = strcspn(path, ".");
	enum match_part part = match_part_from(path, bytes);
	enum place place;

	if (part == MATCH_PARTS) {
		add_unknown_part(faults, path);
		return MATCH_PARTS;
	}
	place = place_of(part);
	for (path += bytes; *path == '.'; path += bytes) {
		bytes = strcspn(++path, ".");
		if (!enter(faults, &place, path, bytes))
			return MATCH_PARTS;
	}
	return part;
}

static void compile_member(
	struct compiler *c, size_t parent, const char *name, const json_t *spec, enum place place)
{
	size_t at;

	if (name[0] == '$') {
		compile_operator(c, parent, name, spec, place);
	} else if (place == PLACE_ENTRY) {
		compile_path(c, parent, name, spec);
	} else if (place == PLACE_KEY && strcmp(name, "prefix") == 0) {
		compile_value(c, parent, "$prefix", spec);
	} else if (enter(c->faults, &place, name, strlen(name))) {
		at = add_at(c, parent, MATCH_PARTS, name, strlen(name));
		append(c, at, compile(c, spec, place));
	}
}

/* ---- the whole ---- */

static size_t compile_members(struct compiler *c, const json_t *spec, enum place place)
{
	size_t all = add(c, TEST_ALL);
	json_t *object = (json_t *)spec, *member;
	const char *name;

	if (place != PLACE_ENTRY && json_object_size(spec) == 0)
		faults_add_here(c->faults, "empty",
			"says nothing: {\"$exists\":true} is anything, {\"$eq\":{}} the empty one");
	json_object_foreach(object, name, member)
	{
		size_t here = faults_enter(c->faults, name);

		compile_member(c, all, name, member, place);
		faults_leave(c->faults, here);
		if (c->full)
			break;
	}
	return all;
}

/* The index of what is to hold; 0, the outermost's, when a fault was noted. */
static size_t compile(struct compiler *c, const json_t *spec, enum place place)
{
	size_t index = 0;

	if (!json_is_object(spec) && place != PLACE_ENTRY)
		return add_value(c, TEST_EQ, spec);
	if (c->depth == MATCH_DEPTH_MAX) {
		faults_add_here(c->faults, "too-deep", "conditions are at most %d levels deep",
			MATCH_DEPTH_MAX);
		return index;
	}
	c->depth++;
	if (json_is_object(spec))
		index = compile_members(c, spec, place);
	else
		faults_add_here(c->faults, "type", "must be an object");
	c->depth--;
	return index;
}

/* What the keys of all that match begin with, by what must hold of the key in any case. */
static void note_prefix(struct match *m, const struct condition *c, bool key)
{
	if (c->test == TEST_AT && c->part == MATCH_KEY)
		note_prefix(m, &m->conditions[c->first], true);
	for (size_t i = c->test == TEST_ALL ? c->first : 0; i; i = m->conditions[i].next)
		note_prefix(m, &m->conditions[i], key);
	if (key && (c->test == TEST_PREFIX || c->test == TEST_EQ) && json_is_string(c->operand) &&
		json_string_length(c->operand) >= m->prefix_bytes) {
		m->prefix = json_string_value(c->operand);
		m->prefix_bytes = json_string_length(c->operand);
	}
}

enum err match_compile(struct match *m, const json_t *spec, struct faults *faults)
{
	size_t before = faults->count;
	struct compiler c = {.m = m, .faults = faults};

	m->count = m->cost = 0;
	m->prefix = "";
	m->prefix_bytes = 0;
	compile(&c, spec, PLACE_ENTRY);
	if (faults->count != before)
		return ERR_MALFORMED;
	note_prefix(m, &m->conditions[0], false);
	return ERR_OK;
}
