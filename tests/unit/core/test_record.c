#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "server/core/record.h"
#include "tests/unit/core/failing.h"

Test(record, the_first_segment_of_a_key_is_its_family)
{
	static const struct {
		const char *key;
		enum family family;
		const char *rest;
	} rows[] = {
		{"member/1", FAMILY_MEMBER, "1"},
		{"spec/default/web", FAMILY_SPEC, "default/web"},
		{"assign/default/web", FAMILY_ASSIGN, "default/web"},
		{"status/default/web", FAMILY_STATUS, "default/web"},
		{"entry/default/a/b", FAMILY_ENTRY, "default/a/b"},
		{"meta/default/a", FAMILY_META, "default/a"},
		{"lease/x", FAMILY_LEASE, "x"},
		{"wanted/x", FAMILY_OTHER, "x"},
		{"member", FAMILY_OTHER, ""},
		{"members/x", FAMILY_OTHER, "x"},
		{"spec/", FAMILY_SPEC, ""},
		{"", FAMILY_OTHER, ""},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		cr_assert_eq(family_of(rows[i].key, strlen(rows[i].key)), rows[i].family, "%s",
			rows[i].key);
		cr_assert_str_eq(key_rest(rows[i].key), rows[i].rest);
	}
	cr_assert_eq(family_of("spec/x", 4), FAMILY_OTHER);
}

#define CR_NAMES(type, COUNT)                                                                      \
	for (unsigned i = 0; i < COUNT; i++)                                                       \
		cr_assert_eq((unsigned)type##_from(type##_name((enum type)i)), i);                 \
	cr_assert_eq(type##_from("?"), COUNT);                                                     \
	cr_assert_eq(type##_from(""), COUNT)

Test(record, every_value_has_a_name_that_leads_back)
{
	CR_NAMES(member_state, MEMBER_STATE_COUNT);
	CR_NAMES(restart_type, RESTART_TYPE_COUNT);
	CR_NAMES(max_restarts_policy, POLICY_COUNT);
	CR_NAMES(child_state, CHILD_STATE_COUNT);
	CR_NAMES(reason, REASON_COUNT);
	CR_NAMES(owner_kind, OWNER_KIND_COUNT);
	cr_assert_str_eq(reason_name(REASON_NO_ELIGIBLE_MEMBER), "no_eligible_member");
}

Test(record, an_entry_is_written_with_its_value_last)
{
	struct record r = {
		.family = FAMILY_ENTRY, .entry = {OWNER_STATIC, 0, 0, "a\"b", {0, 1}, 7, 0x1f}};
	struct text t = TEXT_INIT;

	record_encode(&r, "[1, 2]", 6, &t);
	cr_assert_str_eq(text_cstr(&t),
		"{\"owner\":{\"kind\":\"static\",\"id\":\"a\\\"b\","
		"\"node\":\"00000000000000000000000000000001\",\"epoch\":7},"
		"\"created\":\"000000000000001f\",\"value\":[1, 2]}");
	text_clear(&t);
	r.entry.node = (struct origin_id){0, 0};
	r.entry.epoch = 0;
	record_encode(&r, "1", 1, &t);
	cr_assert_str_eq(text_cstr(&t), "{\"owner\":{\"kind\":\"static\",\"id\":\"a\\\"b\"},"
					"\"created\":\"000000000000001f\",\"value\":1}");
	text_fini(&t);
}

Test(record, an_assign_is_written_with_its_reason)
{
	struct record r = {.family = FAMILY_ASSIGN, .assign = {{0, 1}, {0, 2}, 3, "takeover", 4}};
	struct text t = TEXT_INIT;

	record_encode(&r, NULL, 0, &t);
	cr_assert_str_eq(text_cstr(&t), "{\"node\":\"00000000000000000000000000000001\","
					"\"incarnation\":\"00000000000000000000000000000002\","
					"\"epoch\":3,\"reason\":\"takeover\",\"at\":4}");
	text_fini(&t);
}

static char *command[] = {"a", "b", NULL}, *environment[] = {"A=1", NULL}, *nothing[] = {NULL};

static struct transition steps[] = {{.at_ms = 1, .state = CHILD_RUNNING}};

static const struct record samples[] = {
	{.family = FAMILY_MEMBER, .member = {.name = "n", .url = "u", .started = 3}},
	{.family = FAMILY_SPEC, .spec = {.command = command, .env = environment, .cwd = "/"}},
	{.family = FAMILY_SPEC, .spec = {.command = nothing}},
	{.family = FAMILY_ENTRY, .entry = {.owner_id = "default/web", .epoch = 4}},
	{.family = FAMILY_STATUS, .status = {.pid = 4}},
	{.family = FAMILY_STATUS, .status = {.trail = {steps, 1}}},
};

Test(record, a_copy_has_nothing_in_common_with_the_original)
{
	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
		struct record *a = record_dup(&samples[i]), *b = record_dup(a);

		if (a->family == FAMILY_MEMBER)
			cr_assert_neq(a->member.name, b->member.name);
		record_free(a);
		cr_assert_eq(b->family, samples[i].family);
		if (b->family == FAMILY_MEMBER)
			cr_assert_str_eq(b->member.url, "u");
		if (b->family == FAMILY_SPEC && b->spec.env)
			cr_assert_str_eq(b->spec.env[0], "A=1");
		if (b->family == FAMILY_ENTRY)
			cr_assert_str_eq(b->entry.owner_id, "default/web");
		record_free(b);
	}
	record_free(NULL);
}

Test(record, a_copy_fails_cleanly_when_memory_runs_out)
{
	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
		bool failed = true;

		for (long n = 0; failed; n++) {
			struct record *copy;

			failing_arm(n);
			copy = record_dup(&samples[i]);
			failed = failing_disarm();
			cr_assert_eq(!copy, failed);
			record_free(copy);
		}
	}
}
