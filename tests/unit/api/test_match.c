#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/json_read.h"
#include "api/match.h"
#include "api/schema.h"

TestSuite(match, .timeout = 60);

#define ENTRY                                                                                      \
	"{\"key\":\"user/7\",\"value\":{\"shard\":5,\"name\":\"Zo\\u00eb\",\"tags\":[\"a\",{\"b\"" \
	":2}],\"none\":null,\"deep\":{\"er\":{\"est\":1.5}},\"$x\":1,\"a.b\":2},"                  \
	"\"owner\":{\"kind\":\"child\",\"id\":\"default/web\",\"node\":\"n2\",\"epoch\":17},"      \
	"\"labels\":{\"app\":\"web\"},\"stale\":false}"

static json_t *parse(const char *text)
{
	json_t *json;

	cr_assert_eq(json_read(text, strlen(text), 0, &json), ERR_OK, "%s", text);
	return json;
}

static unsigned reads[MATCH_PARTS];

static enum err read_part(void *data, enum match_part part, json_t **ret_part)
{
	reads[part]++;
	*ret_part = json_incref(json_object_get(data, match_part_name(part)));
	return ERR_OK;
}

static bool holds_of(const char *spec, const char *entry)
{
	static struct match m;
	struct faults faults = {.count = 0};
	json_t *json = parse(spec), *of = parse(entry);
	struct match_subject s = {.read = read_part, .data = of};
	bool yes = false;

	memset(&m, 0xa5, sizeof(m));
	faults_begin(&faults, "/match");
	cr_assert_eq(
		match_compile(&m, json, &faults), ERR_OK, "%s: %s", spec, text_cstr(&faults.items));
	cr_assert_eq(match_holds(&m, &s, &yes), ERR_OK);
	match_subject_fini(&s);
	faults_fini(&faults);
	json_decref(json);
	json_decref(of);
	return yes;
}

Test(match, conditions_hold_or_do_not)
{
	static const struct {
		const char *spec;
		bool holds;
	} rows[] = {
		{"{}", true},
		/* plain values, and members of members */
		{"{\"key\":\"user/7\"}", true},
		{"{\"key\":\"user/8\"}", false},
		{"{\"key\":\"user/7\",\"stale\":false}", true},
		{"{\"key\":\"user/7\",\"stale\":true}", false},
		{"{\"value\":{\"shard\":5}}", true},
		{"{\"value\":{\"shard\":5.0}}", true},
		{"{\"value\":{\"shard\":\"5\"}}", false},
		{"{\"value\":{\"shard\":5,\"name\":\"Zo\xc3\xab\"}}", true},
		{"{\"value\":{\"shard\":5,\"name\":\"Zoe\"}}", false},
		{"{\"value\":{\"deep\":{\"er\":{\"est\":1.5}}}}", true},
		{"{\"value.deep.er.est\":1.5}", true},
		{"{\"value.deep.er\":{\"est\":1.5}}", true},
		{"{\"value.deep.er.est\":1}", false},
		{"{\"value.deep.er.est.more\":1}", false},
		{"{\"value.$x\":1}", true},
		{"{\"value\":{\"a.b\":2}}", true},
		{"{\"value.a.b\":2}", false},
		{"{\"value\":{\"none\":null}}", true},
		{"{\"value\":{\"absent\":null}}", false},
		{"{\"value\":{\"tags\":[\"a\",{\"b\":2}]}}", true},
		{"{\"value\":{\"tags\":[\"a\",{\"b\":2.0}]}}", true},
		{"{\"value\":{\"tags\":[\"a\"]}}", false},
		{"{\"value\":{\"tags\":[{\"b\":2},\"a\"]}}", false},
		{"{\"value\":{\"tags\":{\"0\":\"a\",\"1\":{\"b\":2}}}}", true},
		{"{\"value.tags.1.b\":2}", true},
		{"{\"value.tags.01.b\":2}", false},
		{"{\"value.tags.2\":{\"$exists\":false}}", true},
		{"{\"value.tags.1x\":{\"$exists\":false}}", true},
		{"{\"value.tags.99999999999999999999\":{\"$exists\":false}}", true},
		{"{\"owner\":{\"node\":\"n2\",\"kind\":\"child\"}}", true},
		{"{\"owner.epoch\":{\"$gte\":17}}", true},
		{"{\"owner\":{\"node\":\"n1\"}}", false},
		{"{\"labels\":{\"app\":\"web\"}}", true},
		{"{\"labels\":{\"tier\":\"db\"}}", false},
		/* equality of wholes */
		{"{\"value.deep\":{\"$eq\":{\"er\":{\"est\":1.5}}}}", true},
		{"{\"value.deep\":{\"$eq\":{\"er\":{\"est\":1.5,\"x\":0}}}}", false},
		{"{\"value.deep\":{\"$eq\":{}}}", false},
		{"{\"value.deep\":{\"$ne\":{}}}", true},
		{"{\"owner\":{\"$eq\":{\"epoch\":17,\"node\":\"n2\",\"kind\":\"child\",\"id\":"
		 "\"default/web\"}}}",
			true},
		{"{\"value\":{\"shard\":{\"$ne\":5}}}", false},
		{"{\"value\":{\"shard\":{\"$ne\":6}}}", true},
		{"{\"value\":{\"absent\":{\"$ne\":5}}}", true},
		/* order */
		{"{\"value\":{\"shard\":{\"$gt\":4}}}", true},
		{"{\"value\":{\"shard\":{\"$gt\":5}}}", false},
		{"{\"value\":{\"shard\":{\"$gt\":4.5}}}", true},
		{"{\"value\":{\"shard\":{\"$gte\":5}}}", true},
		{"{\"value\":{\"shard\":{\"$gte\":6}}}", false},
		{"{\"value\":{\"shard\":{\"$lt\":6}}}", true},
		{"{\"value\":{\"shard\":{\"$lt\":5}}}", false},
		{"{\"value\":{\"shard\":{\"$lte\":5}}}", true},
		{"{\"value\":{\"shard\":{\"$lte\":4}}}", false},
		{"{\"value\":{\"shard\":{\"$gt\":\"4\"}}}", false},
		{"{\"value\":{\"shard\":{\"$lt\":\"4\"}}}", false},
		{"{\"value\":{\"name\":{\"$gt\":\"Zo\"}}}", true},
		{"{\"value\":{\"name\":{\"$lt\":\"a\"}}}", true},
		{"{\"value\":{\"none\":{\"$lte\":0}}}", false},
		{"{\"value\":{\"absent\":{\"$lte\":0}}}", false},
		{"{\"value\":{\"shard\":{\"$gt\":3,\"$lt\":7}}}", true},
		{"{\"value\":{\"shard\":{\"$gt\":3,\"$lt\":5}}}", false},
		/* lists of values */
		{"{\"value\":{\"shard\":{\"$in\":[1,5]}}}", true},
		{"{\"value\":{\"shard\":{\"$in\":[1,\"5\"]}}}", false},
		{"{\"value\":{\"shard\":{\"$in\":[]}}}", false},
		{"{\"value\":{\"absent\":{\"$in\":[null]}}}", false},
		{"{\"value\":{\"shard\":{\"$nin\":[1,5]}}}", false},
		{"{\"value\":{\"shard\":{\"$nin\":[1]}}}", true},
		{"{\"value\":{\"absent\":{\"$nin\":[1]}}}", true},
		/* being there */
		{"{\"value\":{\"none\":{\"$exists\":true}}}", true},
		{"{\"value\":{\"none\":{\"$exists\":false}}}", false},
		{"{\"value\":{\"absent\":{\"$exists\":true}}}", false},
		{"{\"value\":{\"absent\":{\"$exists\":false}}}", true},
		{"{\"created_at\":{\"$exists\":false}}", true},
		{"{\"value\":{\"$exists\":true,\"shard\":5}}", true},
		{"{\"value\":{\"$exists\":false,\"shard\":5}}", false},
		/* prefixes */
		{"{\"key\":{\"$prefix\":\"user/\"}}", true},
		{"{\"key\":{\"prefix\":\"user/\"}}", true},
		{"{\"key\":{\"prefix\":\"uses/\"}}", false},
		{"{\"key\":{\"$prefix\":\"user/7/\"}}", false},
		{"{\"key\":{\"$prefix\":\"\"}}", true},
		{"{\"value\":{\"shard\":{\"$prefix\":\"5\"}}}", false},
		{"{\"value\":{\"absent\":{\"$prefix\":\"\"}}}", false},
		/* and, or, not, outermost and below */
		{"{\"$and\":[{\"key\":\"user/7\"},{\"stale\":false}]}", true},
		{"{\"$and\":[{\"key\":\"user/7\"},{\"stale\":true}]}", false},
		{"{\"$or\":[{\"key\":\"x\"},{\"stale\":false}]}", true},
		{"{\"$or\":[{\"key\":\"x\"},{\"stale\":true}]}", false},
		{"{\"$or\":[{\"stale\":false},{\"key\":\"x\"}],\"key\":\"x\"}", false},
		{"{\"$not\":{\"key\":\"x\"}}", true},
		{"{\"$not\":{\"key\":\"user/7\"}}", false},
		{"{\"$not\":{}}", false},
		{"{\"$not\":{\"value\":{\"absent\":1}}}", true},
		{"{\"value\":{\"shard\":{\"$or\":[{\"$lt\":3},{\"$gt\":4}]}}}", true},
		{"{\"value\":{\"shard\":{\"$or\":[1,5]}}}", true},
		{"{\"value\":{\"shard\":{\"$or\":[1,2]}}}", false},
		{"{\"value\":{\"shard\":{\"$not\":5}}}", false},
		{"{\"value\":{\"shard\":{\"$not\":{\"$in\":[1,2]}}}}", true},
		{"{\"value\":{\"$and\":[{\"shard\":5},{\"none\":null}]}}", true},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		cr_expect_eq(holds_of(rows[i].spec, ENTRY), rows[i].holds, "%s", rows[i].spec);
}

Test(match, numbers_are_compared_exactly)
{
	static const struct {
		const char *value, *spec;
		bool holds;
	} rows[] = {
		{"9007199254740993", "{\"$gt\":9007199254740992}", true},
		{"9007199254740993", "{\"$gt\":9007199254740992.0}", true},
		{"9007199254740993", "9007199254740992.0", false},
		{"9223372036854775807", "9223372036854775808.0", false},
		{"-9223372036854775808", "-9223372036854775808.0", true},
		{"-1", "{\"$lt\":0}", true},
		{"-0.0", "0", true},
		{"0.1", "{\"$lt\":1}", true},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char entry[100], spec[100];

		snprintf(entry, sizeof(entry), "{\"value\":%s}", rows[i].value);
		snprintf(spec, sizeof(spec), "{\"value\":%s}", rows[i].spec);
		cr_expect_eq(holds_of(spec, entry), rows[i].holds, "%s of %s", spec, entry);
	}
}

Test(match, a_part_is_read_once_and_only_when_it_is_asked_for)
{
	memset(reads, 0, sizeof(reads));
	cr_expect(holds_of("{\"key\":{\"$gt\":\"a\",\"$lt\":\"z\"},\"value.shard\":5,\"value."
			   "none\":null,\"$or\":[{"
			   "\"stale\":false},{\"labels.app\":\"web\"}]}",
		ENTRY));
	cr_expect_eq(reads[MATCH_KEY], 1);
	cr_expect_eq(reads[MATCH_VALUE], 1);
	cr_expect_eq(reads[MATCH_STALE], 1);
	cr_expect_eq(reads[MATCH_LABELS], 0);
	cr_expect_eq(reads[MATCH_OWNER], 0);
	cr_expect_not(holds_of("{\"key\":\"x\",\"value.shard\":5}", ENTRY));
	cr_expect_eq(reads[MATCH_VALUE], 1);
}

static enum err no_memory(void *data, enum match_part part, json_t **ret_part)
{
	(void)data;
	(void)part;
	(void)ret_part;
	return ERR_NO_MEMORY;
}

Test(match, a_part_that_cannot_be_read_is_no_answer)
{
	static const char *const specs[] = {"{\"key\":\"x\"}", "{\"$not\":{\"key\":\"x\"}}",
		"{\"$or\":[{\"key\":\"x\"},{\"stale\":false}]}",
		"{\"$and\":[{\"$not\":{\"stale\":false}}]}"};

	for (size_t i = 0; i < sizeof(specs) / sizeof(specs[0]); i++) {
		struct match m;
		struct faults faults = {.count = 0};
		struct match_subject s = {.read = no_memory};
		json_t *json = parse(specs[i]);
		bool yes = true;

		cr_assert_eq(match_compile(&m, json, &faults), ERR_OK);
		cr_expect_eq(match_holds(&m, &s, &yes), ERR_NO_MEMORY, "%s", specs[i]);
		cr_expect(yes);
		json_decref(json);
		faults_fini(&faults);
	}
}

/* ---- faults ---- */

/* The faults of a spec, "[]" inside. */
static const char *faults_of(const char *spec, size_t *ret_count)
{
	static struct faults faults;
	static struct match m;
	json_t *json = parse(spec);

	faults_clear(&faults);
	faults_begin(&faults, "/match");
	memset(&m, 0xa5, sizeof(m));
	cr_expect_eq(match_compile(&m, json, &faults), ERR_MALFORMED, "%s", spec);
	json_decref(json);
	*ret_count = faults.count;
	return text_cstr(&faults.items);
}

Test(match, each_fault_is_named_with_its_place)
{
	static const struct {
		const char *spec, *pointer, *code;
	} rows[] = {
		{"{\"value\":{\"a\":{\"$gtt\":1}}}", "/match/value/a/$gtt", "unknown-operator"},
		{"{\"value\":{\"a\":{\"$regex\":\"x\"}}}", "/match/value/a/$regex",
			"unknown-operator"},
		{"{\"$nor\":[]}", "/match/$nor", "misplaced-operator"},
		{"{\"$eq\":1}", "/match/$eq", "misplaced-operator"},
		{"{\"keys\":1}", "/match/keys", "unknown-member"},
		{"{\"\":1}", "/match/", "unknown-member"},
		{"{\"a/b\":1}", "/match/a~1b", "unknown-member"},
		{"{\"value.\":1,\"valu.a\":1}", "/match/valu.a", "unknown-member"},
		{"{\"key\":{\"a\":1}}", "/match/key/a", "unknown-member"},
		{"{\"key.a\":1}", "/match/key.a", "unknown-member"},
		{"{\"stale\":{\"prefix\":\"a\"}}", "/match/stale/prefix", "unknown-member"},
		{"{\"owner\":{\"name\":\"a\"}}", "/match/owner/name", "unknown-member"},
		{"{\"owner\":{\"id\":{\"a\":1}}}", "/match/owner/id/a", "unknown-member"},
		{"{\"key\":{\"prefix\":1}}", "/match/key/prefix", "type"},
		{"{\"key\":{\"$prefix\":[\"a\"]}}", "/match/key/$prefix", "type"},
		{"{\"value\":{\"$gt\":null}}", "/match/value/$gt", "type"},
		{"{\"value\":{\"$lte\":{}}}", "/match/value/$lte", "type"},
		{"{\"value\":{\"$in\":1}}", "/match/value/$in", "type"},
		{"{\"value\":{\"$nin\":{}}}", "/match/value/$nin", "type"},
		{"{\"value\":{\"$exists\":1}}", "/match/value/$exists", "type"},
		{"{\"$and\":{}}", "/match/$and", "type"},
		{"{\"$and\":[]}", "/match/$and", "type"},
		{"{\"$or\":[{\"key\":\"a\"},1]}", "/match/$or/1", "type"},
		{"{\"$or\":[{\"key\":\"a\"},{\"x\":1}]}", "/match/$or/1/x", "unknown-member"},
		{"{\"$not\":1}", "/match/$not", "type"},
		{"{\"value\":{\"$not\":{\"$no\":1}}}", "/match/value/$not/$no", "unknown-operator"},
		{"{\"value\":{}}", "/match/value", "empty"},
		{"{\"value\":{\"$or\":[{}]}}", "/match/value/$or/0", "empty"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char wanted[200];
		size_t count;
		const char *faults = faults_of(rows[i].spec, &count);

		snprintf(wanted, sizeof(wanted), "{\"pointer\":\"%s\",\"code\":\"%s\"",
			rows[i].pointer, rows[i].code);
		cr_expect(strstr(faults, wanted), "%s of %s: %s", wanted, rows[i].spec, faults);
		cr_expect_eq(count, 1, "%s: %s", rows[i].spec, faults);
	}
}

Test(match, all_faults_are_found)
{
	size_t count;

	faults_of("{\"x\":1,\"key\":{\"$gt\":null,\"$y\":1},\"$or\":[{\"z\":1},2]}", &count);
	cr_expect_eq(count, 5);
}

/* The text between, `count` times, within the rest; commas between. */
static char *repeated(const char *before, const char *item, size_t count, const char *after)
{
	char *text = malloc(strlen(before) + count * (strlen(item) + 1) + strlen(after) + 1);
	char *at = text + sprintf(text, "%s", before);

	for (size_t i = 0; i < count; i++)
		at += sprintf(at, "%s%s", i ? "," : "", item);
	strcpy(at, after);
	return text;
}

static void expect_limit(char *within, char *beyond, const char *code)
{
	size_t count;
	const char *faults;
	char wanted[60];

	holds_of(within, ENTRY);
	faults = faults_of(beyond, &count);
	snprintf(wanted, sizeof(wanted), "\"code\":\"%s\"", code);
	cr_expect_eq(count, 1, "%s", faults);
	cr_expect(strstr(faults, wanted), "%s", faults);
	free(within);
	free(beyond);
}

/* One level is the spec's own. */
static char *nested(size_t levels)
{
	char *text = malloc(levels * 9 + 20), *at = text;

	for (size_t i = 1; i < levels; i++)
		at += sprintf(at, "{\"$not\":");
	at += sprintf(at, "{}");
	for (size_t i = 1; i < levels; i++)
		*at++ = '}';
	*at = '\0';
	return text;
}

Test(match, a_spec_has_limits)
{
	/* The outermost, the name, the $or and its items. */
	size_t items = MATCH_CONDITIONS_MAX - 4;

	expect_limit(repeated("{\"value\":{\"$or\":[", "1", items, "]}}"),
		repeated("{\"value\":{\"$or\":[", "1", items + 1, "]}}"), "too-many");
	expect_limit(repeated("{\"value\":{\"$in\":[", "1", MATCH_IN_MAX, "]}}"),
		repeated("{\"value\":{\"$in\":[", "1", MATCH_IN_MAX + 1, "]}}"), "too-many");
	expect_limit(nested(MATCH_DEPTH_MAX), nested(MATCH_DEPTH_MAX + 1), "too-deep");
}

Test(match, what_goes_on_beyond_the_limit_is_passed_over)
{
	char *text = repeated(
		"{\"value\":{\"$or\":[", "{\"a\":{\"b\":{\"$not\":{\"$in\":[1]}}}}", 200, "]}}");
	size_t count;

	faults_of(text, &count);
	cr_expect_eq(count, 1);
	free(text);
}

/* ---- the range of keys ---- */

Test(match, the_keys_of_all_that_match_have_a_common_begin)
{
	static const struct {
		const char *spec, *prefix;
	} rows[] = {
		{"{}", ""},
		{"{\"key\":\"a/b\"}", "a/b"},
		{"{\"key\":{\"$eq\":\"a\"}}", "a"},
		{"{\"key\":{\"prefix\":\"a\"},\"value\":1}", "a"},
		{"{\"key\":{\"$prefix\":\"a\",\"$gt\":\"a1\"}}", "a"},
		{"{\"$and\":[{\"key\":{\"$prefix\":\"ab\"}},{\"key\":{\"$prefix\":\"abc\"}}]}",
			"abc"},
		{"{\"$and\":[{\"key\":{\"$prefix\":\"abc\"}},{\"key\":{\"$prefix\":\"ab\"}}]}",
			"abc"},
		{"{\"key\":{\"$and\":[{\"$prefix\":\"ab\"}]}}", "ab"},
		{"{\"$or\":[{\"key\":\"a\"},{\"key\":\"b\"}]}", ""},
		{"{\"$not\":{\"key\":\"a\"}}", ""},
		{"{\"key\":{\"$ne\":\"a\"}}", ""},
		{"{\"key\":{\"$not\":\"a\"}}", ""},
		{"{\"key\":1}", ""},
		{"{\"value\":\"a\",\"owner\":{\"id\":\"b\"}}", ""},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct match m;
		struct faults faults = {.count = 0};
		json_t *json = parse(rows[i].spec);

		cr_assert_eq(match_compile(&m, json, &faults), ERR_OK);
		cr_expect_eq(m.prefix_bytes, strlen(rows[i].prefix), "%s", rows[i].spec);
		cr_expect(
			memcmp(m.prefix, rows[i].prefix, m.prefix_bytes) == 0, "%s", rows[i].spec);
		json_decref(json);
		faults_fini(&faults);
	}
}
