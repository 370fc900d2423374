/*
 * The readers of outside text that are written by hand. The first byte of an input says which of
 * them it is for (see `readers` at the end), the rest is its text.
 */
#include <strings.h>

#include "api/duration.h"
#include "api/json_read.h"
#include "api/json_text.h"
#include "api/nearest.h"
#include "api/pattern.h"
#include "api/selector.h"
#include "api/spec.h"
#include "api/utf8.h"
#include "server/core/dot.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/records.h"

/* ---- j: JSON as it was written, against jansson ---- */

static json_t *parse(const char *bytes, size_t count)
{
	json_t *tree = NULL;

	return json_read(bytes, count, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &tree) == ERR_OK
		       ? tree
		       : NULL;
}

/* jansson ends at a depth of 2048, and so does this. */
static size_t depth_of(json_t *v)
{
	size_t deepest = 0, i;
	const char *key;
	json_t *item;

	if (!json_is_object(v) && !json_is_array(v))
		return 0;
	json_array_foreach(v, i, item)
	{
		size_t depth = depth_of(item);

		deepest = depth > deepest ? depth : deepest;
	}
	json_object_foreach(v, key, item)
	{
		size_t depth = depth_of(item);

		deepest = depth > deepest ? depth : deepest;
	}
	return deepest + 1;
}

static bool is_ascii(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s >= 0x80)
			return false;
	return true;
}

static void check_members(json_t *object, const char *bytes, size_t count)
{
	const char *key;
	json_t *value;

	json_object_foreach(object, key, value)
	{
		size_t length = 0;
		const char *raw = is_ascii(key) ? json_member(bytes, count, key, &length) : NULL;
		json_t *again = raw ? parse(raw, length) : NULL;

		must(!is_ascii(key) || raw, "each member is found");
		must(!raw || (again && json_equal(again, value)), "it is the one of that name");
		json_decref(again);
	}
}

static void check_indent(json_t *tree, const char *bytes, size_t count)
{
	struct text once = TEXT_INIT, twice = TEXT_INIT;
	json_t *again;

	json_indent(&once, bytes, count);
	again = parse(once.bytes, once.used);
	must(again && json_equal(tree, again), "indented JSON means the same");
	json_indent(&twice, once.bytes, once.used);
	must(twice.used == once.used && memcmp(twice.bytes, once.bytes, once.used) == 0,
		"indenting twice changes nothing");
	json_decref(again);
	text_fini(&once);
	text_fini(&twice);
}

static void read_json(const char *bytes, size_t count)
{
	json_t *tree = parse(bytes, count);
	json_t *other = json_loadb(bytes, count, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, NULL);
	size_t depth = json_depth(bytes, count), length = 0;
	const char *raw = json_member(bytes, count, "value", &length);
	struct text out = TEXT_INIT;

	must(!tree == !other && (!tree || json_equal(tree, other)), "json_read is jansson's");
	must(!raw || (raw >= bytes && length <= count - (size_t)(raw - bytes)), "stays inside");
	must(!tree || depth == depth_of(tree), "the depth is the tree's");
	if (tree) {
		check_members(tree, bytes, count);
		check_indent(tree, bytes, count);
	} else {
		json_indent(&out, bytes, count);
	}
	text_fini(&out);
	json_decref(tree);
	json_decref(other);
}

/* ---- u, %: UTF-8, against jansson; percent-encoding, there and back ---- */

static bool has_control(const char *bytes, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if ((unsigned char)bytes[i] < 0x20 || bytes[i] == 0x7F)
			return true;
	return false;
}

static void check_trim(const char *bytes, size_t count)
{
	for (size_t end = count < 8 ? 0 : count - 8; end <= count; end++) {
		char *cut = fuzz_string(bytes, end);
		size_t left;

		utf8_trim(cut);
		left = strlen(cut);
		must(left <= end && end - left < 4 && utf8_is_text(cut, left),
			"only a last sequence is cut off");
		free(cut);
	}
}

static void read_utf8(const char *bytes, size_t count)
{
	json_t *string = json_stringn(bytes, count);
	bool text = utf8_is_text(bytes, count);
	char *copy = fuzz_string(bytes, count);

	must(text == (string && !has_control(bytes, count)), "UTF-8 is what jansson says");
	utf8_trim(copy);
	if (text) {
		must(utf8_length(copy) <= count, "a character has a byte");
		check_trim(bytes, count);
	}
	free(copy);
	json_decref(string);
}

static void read_escapes(const char *bytes, size_t count)
{
	char *out = fuzz_copy("", 0), *again;
	struct text encoded = TEXT_INIT;
	size_t used = 0, used_again = 0;

	free(out);
	out = malloc(count + 1);
	if (!out)
		abort();
	if (percent_decode(bytes, count, out, &used)) {
		must(used <= count && !memchr(out, '\0', used), "decoding adds nothing");
		percent_encode(&encoded, out, used);
		again = malloc(encoded.used + 1);
		must(again && percent_decode(encoded.bytes, encoded.used, again, &used_again) &&
				used == used_again && memcmp(out, again, used) == 0,
			"what was encoded is decoded");
		free(again);
	}
	text_fini(&encoded);
	free(out);
}

/* ---- p: a set of characters, a newline, and a string: the table against the engine ---- */

static void read_pattern(const char *bytes, size_t count)
{
	const char *newline = memchr(bytes, '\n', count);
	size_t set = newline ? (size_t)(newline - bytes) : 0;
	char text[64], *string;
	struct pattern p;

	/* What costs the engine much comes from no document, and nothing else from outside. */
	if (!newline || set > 40 || memchr(bytes, '\0', set) || memchr(bytes, '{', set) ||
		memchr(bytes, '(', set) || memchr(bytes, '\\', set))
		return;
	snprintf(text, sizeof(text), "^[%.*s]*$", (int)set, bytes);
	if (pattern_compile(&p, text) != 0)
		return;
	string = fuzz_string(newline + 1, count - set - 1);
	must(pattern_matches(&p, string) == (regexec(&p.regex, string, 0, NULL, 0) == 0),
		"the table matches what the engine matches");
	must(pattern_matches(&p, string) == (regexec(&p.regex, string, 0, NULL, 0) == 0),
		"and again");
	free(string);
	pattern_fini(&p);
}

/* ---- d: durations, against long arithmetic ---- */

static void read_duration(const char *bytes, size_t count)
{
	static const struct {
		const char *name;
		unsigned ms;
	} units[] = {{"", 1}, {"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}};
	char *string = fuzz_string(bytes, count);
	size_t digits = strspn(string, "0123456789");
	__extension__ unsigned __int128 wanted = 0, most = (uint64_t)1 << 53;
	enum err e = ERR_MALFORMED;
	int64_t ms = -1;

	for (size_t i = 0; i < digits; i++)
		wanted = wanted > most ? wanted : wanted * 10 + (unsigned)(string[i] - '0');
	for (size_t i = 0; digits && i < sizeof(units) / sizeof(units[0]); i++)
		if (strcmp(string + digits, units[i].name) == 0) {
			wanted *= units[i].ms;
			e = wanted < most ? ERR_OK : ERR_LIMIT;
		}
	/* Of two faults either may be named. */
	if (e == ERR_OK || e == ERR_LIMIT)
		must(duration_parse(string, &ms) == e, "a duration below 2^53 ms is read");
	else
		must(duration_parse(string, &ms) != ERR_OK, "what is no duration is refused");
	must(ms == (e == ERR_OK ? (int64_t)wanted : -1), "it is as long as it says");
	free(string);
}

/* ---- s: selectors ---- */

static void put_back(const struct selector *s, struct text *out)
{
	for (size_t i = 0; i < s->count; i++) {
		if (i > 0)
			text_adds(out, ",");
		if (s->terms[i].kind == SELECTOR_ABSENT)
			text_adds(out, "!");
		text_adds(out, s->terms[i].name);
		if (s->terms[i].kind == SELECTOR_UNEQUAL)
			text_adds(out, "!=");
		if (s->terms[i].kind == SELECTOR_EQUAL)
			text_adds(out, "=");
		text_adds(out, s->terms[i].value);
	}
}

/* Labels for which each term that says "equal" or "has" holds. */
static json_t *labels_for(const struct selector *s)
{
	json_t *labels = json_loads("{}", 0, NULL);

	for (size_t i = 0; labels && i < s->count; i++)
		if (s->terms[i].kind == SELECTOR_EQUAL || s->terms[i].kind == SELECTOR_PRESENT)
			json_object_set_new_nocheck(
				labels, s->terms[i].name, json_string_nocheck(s->terms[i].value));
	return labels;
}

static bool holds(const struct selector *s, const json_t *labels)
{
	for (size_t i = 0; i < s->count; i++) {
		const json_t *label = json_object_get(labels, s->terms[i].name);
		bool equal = label && strcmp(json_string_value(label), s->terms[i].value) == 0;
		const bool is[] = {[SELECTOR_EQUAL] = equal,
			[SELECTOR_UNEQUAL] = !equal,
			[SELECTOR_PRESENT] = label != NULL,
			[SELECTOR_ABSENT] = !label};

		if (!is[s->terms[i].kind])
			return false;
	}
	return true;
}

static void read_selector(const char *bytes, size_t count)
{
	char *string = fuzz_string(bytes, count);
	struct selector *s = malloc(sizeof(*s));
	struct text out = TEXT_INIT;
	json_t *labels;

	if (!s)
		abort();
	if (selector_parse(string, s) == ERR_OK) {
		put_back(s, &out);
		must(out.used == strlen(string) &&
				(out.used == 0 || memcmp(out.bytes, string, out.used) == 0),
			"the terms say what the text said");
		labels = labels_for(s);
		must(selector_matches(s, labels) == holds(s, labels), "each term is looked at");
		must(selector_matches(s, NULL) == holds(s, NULL), "also without labels");
		json_decref(labels);
	}
	text_fini(&out);
	free(s);
	free(string);
}

/* ---- o: dots and origins ---- */

static void read_dot(const char *bytes, size_t count)
{
	char again[DOT_TEXT_BYTES], hex[ORIGIN_HEX_BYTES];
	char *string = fuzz_string(bytes, count);
	struct origin_id id;
	struct dot d;

	if (dot_from_text(bytes, count, &d)) {
		dot_to_text(d, again);
		must(d.seq > 0 && strlen(again) == count && strncasecmp(again, bytes, count) == 0,
			"a dot is written as it was read");
	}
	if (origin_from_hex(string, &id)) {
		origin_to_hex(id, hex);
		must(strcasecmp(hex, string) == 0, "an origin is written as it was read");
	}
	free(string);
}

/* ---- r: a key, a newline, and its value ---- */

static void read_record(const char *bytes, size_t count)
{
	const char *newline = memchr(bytes, '\n', count);
	size_t key_bytes = newline ? (size_t)(newline - bytes) : 0;
	char *key, *value;

	if (!newline)
		return;
	key = fuzz_copy(bytes, key_bytes);
	value = fuzz_copy(newline + 1, count - key_bytes - 1);
	records_check(key, key_bytes, value, count - key_bytes - 1);
	free(key);
	free(value);
}

/* ---- c: specs as texts; m: a spec, a newline, and a merge patch ---- */

static void read_spec(const char *bytes, size_t count)
{
	json_t *spec = parse(bytes, count), *again = NULL;
	struct spec_parts parts = {.created_at_ms = 17, .running = count % 2 == 0}, back;
	struct text first = TEXT_INIT, second = TEXT_INIT, value = TEXT_INIT;

	if (json_is_object(spec)) {
		spec_over_limit(spec);
		must(spec_canonical(spec, &first) == ERR_OK, "an object has a text");
		again = parse(first.bytes, first.used);
		must(again && spec_canonical(again, &second) == ERR_OK &&
				first.used == second.used &&
				memcmp(first.bytes, second.bytes, first.used) == 0,
			"the text of a text is itself");
		parts.spec = first.bytes;
		parts.spec_bytes = first.used;
		spec_value(&parts, &value);
		must(spec_split(value.bytes, value.used, &back) == ERR_OK &&
				back.created_at_ms == 17 && back.running == parts.running &&
				back.spec_bytes == first.used &&
				memcmp(back.spec, first.bytes, first.used) == 0,
			"a value is taken apart as it was put together");
	}
	spec_split(bytes, count, &back);
	json_decref(spec);
	json_decref(again);
	text_fini(&first);
	text_fini(&second);
	text_fini(&value);
}

static void read_merge(const char *bytes, size_t count)
{
	const char *newline = memchr(bytes, '\n', count);
	size_t first = newline ? (size_t)(newline - bytes) : 0;
	json_t *target = newline ? parse(bytes, first) : NULL;
	json_t *patch = target ? parse(newline + 1, count - first - 1) : NULL;
	json_t *merged = NULL, *again = NULL;

	if (patch) {
		must(spec_merge(target, patch, &merged) == ERR_OK, "all can be merged");
		must(spec_merge(merged, patch, &again) == ERR_OK && json_equal(merged, again),
			"a merge patch applied twice is applied once");
	}
	json_decref(target);
	json_decref(patch);
	json_decref(merged);
	json_decref(again);
}

/* ---- n: names, a line each; the first is the wanted one ---- */

static void read_names(const char *bytes, size_t count)
{
	char *all = fuzz_string(bytes, count), *rest = all;
	struct nearest n = {.wanted = strsep(&rest, "\n")};
	bool there = false;

	for (char *name = strsep(&rest, "\n"); name; name = strsep(&rest, "\n")) {
		nearest_offer(&n, name);
		there = there || strcmp(name, n.wanted) == 0;
	}
	/* Of longer ones only the beginnings are compared. */
	if (there && strlen(n.wanted) < 63)
		must(n.best && strcmp(n.best, n.wanted) == 0, "the same name is the nearest");
	free(all);
}

static void (*const readers[256])(const char *bytes, size_t count) = {
	['j'] = read_json,
	['u'] = read_utf8,
	['%'] = read_escapes,
	['p'] = read_pattern,
	['d'] = read_duration,
	['s'] = read_selector,
	['o'] = read_dot,
	['r'] = read_record,
	['c'] = read_spec,
	['m'] = read_merge,
	['n'] = read_names,
};

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
	char *copy;

	if (count == 0 || !readers[bytes[0]])
		return -1; /* of no use as a corpus */
	copy = fuzz_copy(bytes + 1, count - 1);
	readers[bytes[0]](copy, count - 1);
	free(copy);
	return 0;
}
