#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "api/signals.h"
#include "tests/unit/api/record_texts.h"
#include "tests/unit/core/failing.h"

#define HEX "00112233445566778899aabbccddeeff"
#define ZERO "00000000000000000000000000000000"

static const struct origin_id id = {0x0011223344556677u, 0x8899aabbccddeeffu};

/* Encodes, decodes, encodes again: the two texts must be the same. */
static struct record *there_and_back(const char *key, const struct record *r, const char *value)
{
	struct text first = TEXT_INIT, second = TEXT_INIT;
	struct record *d;

	record_encode(r, value, value ? strlen(value) : 0, &first);
	d = decode(key, text_cstr(&first));
	cr_assert(d, "%s", text_cstr(&first));
	record_encode(d, value, value ? strlen(value) : 0, &second);
	cr_assert_str_eq(text_cstr(&first), text_cstr(&second));
	text_fini(&first);
	text_fini(&second);
	return d;
}

Test(records, a_member_comes_back_as_it_was)
{
	struct record r = {.family = FAMILY_MEMBER,
		.member = {"n\"1", "http://127.0.0.1:1", id, UINT64_MAX - 1, MEMBER_DRAINING}};
	struct record *d = there_and_back("member/x", &r, NULL);

	cr_assert_str_eq(d->member.name, "n\"1");
	cr_assert_str_eq(d->member.url, "http://127.0.0.1:1");
	cr_assert(origin_equal(d->member.incarnation, id));
	cr_assert_eq(d->member.started, UINT64_MAX - 1);
	cr_assert_eq(d->member.state, MEMBER_DRAINING);
	record_free(d);
}

Test(records, an_assign_comes_back_as_it_was_but_for_its_reason)
{
	struct record r = {.family = FAMILY_ASSIGN,
		.assign = {id, {1, 2}, 1700000000123, NULL, 1700000000456}};
	struct record *d = there_and_back("assign/default/a", &r, NULL);

	cr_assert(origin_equal(d->assign.node, id));
	cr_assert(origin_equal(d->assign.incarnation, r.assign.incarnation));
	cr_assert_eq(d->assign.epoch, 1700000000123);
	cr_assert_eq(d->assign.at_ms, 1700000000456);
	record_free(d);
	d = decode("assign/default/a", "{\"node\":\"" HEX "\",\"incarnation\":\"" HEX
				       "\",\"epoch\":1,\"reason\":\"x\",\"at\":2}");
	cr_assert_null(d->assign.reason);
	record_free(d);
}

Test(records, a_status_comes_back_as_it_was)
{
	struct record r = {.family = FAMILY_STATUS,
		.status = {CHILD_BACKOFF, REASON_SPAWN_ERROR, id, {3, 4}, 77, 0xfeedfacecafebeefu,
			4242, 9, 1000, 2000, {true, -1, 9, true, 3000, 50, "exec: ENOENT"}, {0}}};
	struct record *d = there_and_back("status/default/a", &r, NULL);

	cr_assert_eq(d->status.state, CHILD_BACKOFF);
	cr_assert_eq(d->status.reason, REASON_SPAWN_ERROR);
	cr_assert_eq(d->status.spec_hash, 0xfeedfacecafebeefu);
	cr_assert_eq(d->status.pid, 4242);
	cr_assert_eq(d->status.retry_at_ms, 2000);
	cr_assert(d->status.last_exit.known);
	cr_assert(d->status.last_exit.core_dumped);
	cr_assert_eq(d->status.last_exit.code, -1);
	cr_assert_eq(d->status.last_exit.signal, 9);
	cr_assert_str_eq(d->status.last_exit.error, "exec: ENOENT");
	cr_assert_null(d->status.exit_tail);
	record_free(d);
	r.status.last_exit.oom_killed = true;
	r.status.exit_tail = "panic: \"x\"\n\tat y";
	d = there_and_back("status/default/a", &r, NULL);
	cr_assert_str_eq(d->status.exit_tail, r.status.exit_tail);
	cr_assert(d->status.last_exit.oom_killed);
	record_free(d);
	r.status.process_epoch = 76;
	r.status.last_exit.known = false;
	d = there_and_back("status/default/a", &r, NULL);
	cr_assert_not(d->status.last_exit.known);
	cr_assert_eq(d->status.process_epoch, 76);
	record_free(d);
}

Test(records, what_a_child_left_has_the_epoch_of_then)
{
	struct record *d = decode("state/default/a", "{\"at\":1,\"epoch\":77,\"bytes\":\"\"}");

	cr_assert_eq(d->state.epoch, 77);
	record_free(d);
	d = decode("state/default/a", "{\"at\":1,\"bytes\":\"\"}"); /* of an older version */
	cr_assert_eq(d->state.epoch, 0);
	record_free(d);
}

Test(records, readiness_comes_back_and_a_status_without_it_is_ready_when_it_runs)
{
	char text[] = "warming \"up\"";
	struct record r = {.family = FAMILY_STATUS,
		.status = {.state = CHILD_RUNNING, .node = id, .incarnation = id, .text = text}};
	struct record *d = there_and_back("status/default/a", &r, NULL);

	cr_assert_not(d->status.ready);
	cr_assert_str_eq(d->status.text, text);
	record_free(d);
	r.status.ready = true;
	r.status.ready_at_ms = 12;
	d = there_and_back("status/default/a", &r, NULL);
	cr_assert(d->status.ready);
	cr_assert_eq(d->status.ready_at_ms, 12);
	record_free(d);
	r.status.state = CHILD_EXITED;
	d = there_and_back("status/default/a", &r, NULL);
	cr_assert_not(d->status.ready);
	record_free(d);
}

Test(records, a_trail_comes_back_as_it_was)
{
	struct transition trail[] = {
		{5, {8, 9}, 3, CHILD_RUNNING, REASON_NONE, false, false, 0, 0, 0, "", false},
		{6, id, 4, CHILD_BACKOFF, REASON_SIGNAL, true, true, -1, 11, 70, "", true},
		{7, id, 4, CHILD_FAILED, REASON_SPAWN_ERROR, true, false, -1, 0, 0, "exec: EACCES",
			false}};
	struct record r = {.family = FAMILY_STATUS,
		.status = {.node = id, .incarnation = id, .trail = {trail, 3}}};
	struct record *d = there_and_back("status/default/a", &r, NULL);

	cr_assert_eq(d->status.trail.count, 3);
	for (size_t i = 0; i < 3; i++) {
		const struct transition *x = &d->status.trail.items[i];

		cr_expect_eq(x->at_ms, trail[i].at_ms);
		cr_expect(origin_equal(x->node, trail[i].node));
		cr_expect_eq(x->epoch, trail[i].epoch);
		cr_expect_eq(x->state, trail[i].state);
		cr_expect_eq(x->reason, trail[i].reason);
		cr_expect_eq(x->ended, trail[i].ended);
		cr_expect_eq(x->core_dumped, trail[i].core_dumped);
		cr_expect_eq(x->oom_killed, trail[i].oom_killed);
		cr_expect_eq(x->signal, trail[i].signal);
		cr_expect_eq(x->uptime_ms, trail[i].uptime_ms);
		cr_expect_str_eq(x->error, trail[i].error);
	}
	record_free(d);
}

Test(records, a_reason_of_a_newer_version_is_no_hindrance)
{
	struct record *d = decode("status/default/a",
		"{\"state\":\"failed\",\"reason\":\"eaten_by_a_grue\",\"node\":\"" HEX
		"\",\"incarnation\":\"" HEX "\",\"epoch\":1,\"spec_hash\":\"1\",\"more\":{}}");

	cr_assert_eq(d->status.reason, REASON_NONE);
	cr_assert_eq(d->status.spec_hash, 1);
	record_free(d);
}

Test(records, an_entry_knows_where_its_raw_value_stands)
{
	static const char *const values[] = {
		"1", "0.1", "{\"value\":[1, 2 ]}", "\"a\\\"}\"", "null", "[]", "1e2"};

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		struct record r = {.family = FAMILY_ENTRY,
			.entry = {OWNER_CHILD, 0, 0, "default/web", id, 5, 0x123456789abcdefu}};
		struct text t = TEXT_INIT;
		struct record *d;

		r.entry.first = i % 2;
		r.entry.voted = i / 2 % 2;
		d = there_and_back("entry/default/k", &r, values[i]);

		record_encode(&r, values[i], strlen(values[i]), &t);
		cr_assert_eq(d->entry.value_bytes, strlen(values[i]));
		cr_assert_eq(
			strncmp(text_cstr(&t) + d->entry.value_at, values[i], d->entry.value_bytes),
			0);
		cr_assert_str_eq(d->entry.owner_id, "default/web");
		cr_assert_eq(d->entry.owner_kind, OWNER_CHILD);
		cr_assert_eq(d->entry.epoch, 5);
		cr_assert_eq(d->entry.created, 0x123456789abcdefu);
		cr_assert_eq(d->entry.first, i % 2);
		cr_assert_eq(d->entry.voted, i / 2 % 2);
		record_free(d);
		text_fini(&t);
	}
}

Test(records, what_is_not_understood_has_no_record)
{
	static const struct {
		const char *key, *json;
	} rows[] = {
		{"meta/default/a", "{\"a\":1}"},
		{"halt/team", "{\"child\":\"team/a\",\"at\":1}"},
		{"idem/a", "{\"expires_at\":-1}"},
		{"idem/a", "{\"expires_at\":\"1\"}"},
		{"other/a", "1"},
		{"member/a", "not json"},
		{"member/a", ""},
		{"member/a", "[]"},
		{"member/a", "{}"},
		{"member/a", "{\"name\":1,\"url\":\"\",\"incarnation\":\"" HEX
			     "\",\"started\":\"1\",\"state\":\"alive\"}"},
		{"member/a", "{\"name\":\"\",\"url\":\"\",\"incarnation\":\"" HEX
			     "\",\"started\":\"0x1\",\"state\":\"alive\"}"},
		{"member/a", "{\"name\":\"\",\"url\":\"\",\"incarnation\":\"" HEX
			     "\",\"started\":\"1\",\"state\":\"asleep\"}"},
		{"assign/d/a", "{\"node\":\"" HEX "\",\"incarnation\":\"" HEX "\",\"epoch\":-1}"},
		{"assign/d/a", "{\"node\":\"" HEX "\",\"incarnation\":\"" HEX "\"}"},
		{"assign/d/a", "{\"node\":\"12\",\"incarnation\":\"" HEX "\",\"epoch\":1}"},
		{"status/d/a", "{\"state\":\"odd\",\"reason\":\"none\",\"node\":\"" HEX
			       "\",\"incarnation\":\"" HEX "\",\"epoch\":1,\"spec_hash\":\"1\"}"},
		{"status/d/a", "{\"state\":\"failed\",\"reason\":\"none\",\"node\":\"" HEX
			       "\",\"incarnation\":\"" HEX
			       "\",\"epoch\":1,\"spec_hash\":\"1\",\"last_exit\":7}"},
		{"status/d/a", "{\"state\":\"failed\",\"reason\":\"none\",\"node\":\"" HEX
			       "\",\"incarnation\":\"" HEX
			       "\",\"epoch\":1,\"spec_hash\":\"1\",\"pid\":4294967296}"},
		{"entry/d/a", "{\"owner\":{\"kind\":\"ghost\",\"id\":\"x\",\"node\":\"" ZERO
			      "\",\"epoch\":0},\"created\":\"1\",\"value\":1}"},
		{"entry/d/a", "{\"owner\":{\"kind\":\"static\",\"id\":\"x\",\"node\":\"" ZERO
			      "\",\"epoch\":0},\"created\":\"1\"}"},
		{"entry/d/a", "{\"owner\":7,\"created\":\"1\",\"value\":1}"},
		{"spec/d/a", "{\"desired\":\"running\"}"},
		{"spec/d/a", "{\"desired\":\"running\",\"spec\":{}}"},
		{"spec/d/a", "{\"desired\":\"running\",\"spec\":{\"command\":[]}}"},
		{"spec/d/a", "{\"desired\":\"running\",\"spec\":{\"command\":[1]}}"},
		{"spec/d/a", "{\"desired\":\"perhaps\",\"spec\":{\"command\":[\"x\"]}}"},
		{"spec/d/a", SPEC("\"env\":[]")},
		{"spec/d/a", SPEC("\"env\":{\"A\":1}")},
		{"spec/d/a", SPEC("\"restart\":\"often\"")},
		{"spec/d/a", SPEC("\"on_max_restarts\":\"pray\"")},
		{"spec/d/a", SPEC("\"max_restarts\":-1")},
		{"spec/d/a", SPEC("\"backoff\":1")},
		{"spec/d/a", SPEC("\"backoff\":{\"factor\":0.5}")},
		{"spec/d/a", SPEC("\"backoff\":{\"factor\":\"2\"}")},
		{"spec/d/a", SPEC("\"shutdown\":{\"signal\":\"BANG\"}")},
		{"spec/d/a", SPEC("\"success_exit_codes\":[256]")},
		{"spec/d/a", SPEC("\"success_exit_codes\":{}")},
		{"spec/d/a", SPEC("\"logs\":{\"max_files\":0}")},
		{"spec/d/a", SPEC("\"retain_ms\":-1")},
		{"spec/d/a", SPEC("\"retain_ms\":\"1h\"")},
		{"spec/d/a", SPEC("\"ready\":1")},
		{"spec/d/a", SPEC("\"watchdog_ms\":99")},
		{"spec/d/a", SPEC("\"register\":{}")},
		{"spec/d/a", SPEC("\"register\":[1]")},
		{"spec/d/a", SPEC("\"register\":[{}]")},
		{"spec/d/a", SPEC("\"register\":[{\"key\":\"\"}]")},
		{"spec/d/a", SPEC("\"register\":[{\"key\":\"a\",\"registry\":\"a/b\"}]")},
		{"spec/d/a", SPEC("\"ready\":{}")},
		{"spec/d/a", SPEC("\"ready\":{\"kind\":\"prayer\"}")},
		{"spec/d/a", SPEC("\"ready\":{\"kind\":\"tcp\"}")},
		{"spec/d/a", SPEC("\"ready\":{\"kind\":\"tcp\",\"port\":65536}")},
		{"spec/d/a", SPEC("\"ready\":{\"kind\":\"tcp\",\"port\":1,\"period_ms\":99}")},
		{"spec/d/a",
			SPEC("\"ready\":{\"kind\":\"tcp\",\"port\":1,\"timeout_ms\":86400001}")},
		{"spec/d/a", SPEC("\"ready\":{\"kind\":\"exec\"}")},
		{"spec/d/a", SPEC("\"ready\":{\"kind\":\"exec\",\"command\":[]}")},
		{"spec/d/a", SPEC("\"ready\":{\"kind\":\"exec\",\"command\":[1]}")},
		{"spec/d/a", SPEC("\"health\":{}")},
		{"spec/d/a", SPEC("\"health\":[1]")},
		{"spec/d/a", SPEC("\"health\":[{\"kind\":\"none\"}]")},
		{"spec/d/a", SPEC("\"health\":[{\"kind\":\"notify\"}]")},
		{"spec/d/a", SPEC("\"health\":[{\"kind\":\"http\",\"port\":1,\"threshold\":0}]")},
		{"spec/d/a", SPEC("\"health\":[{},{},{},{},{},{},{},{},{}]")},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		cr_assert_null(decode(rows[i].key, rows[i].json), "%s", rows[i].json);
}

#define LEASE(ttl, node, secret)                                                                   \
	"{\"ttl_ms\":" ttl ",\"node\":\"" node                                                     \
	"\",\"epoch\":3,\"created_at\":7,\"secret\":\"" secret "\"}"
#define HASH "00ff102030405060708090a0b0c0d0e0f00112233445566778899aabbccddeef"

Test(records, a_lease_is_decoded_and_written_as_it_was)
{
	static const char text[] = LEASE("1000", ZERO, HASH);
	struct text again = TEXT_INIT;
	struct record *r = decode("lease/x", text);

	cr_assert_not_null(r);
	cr_expect_eq(r->family, FAMILY_LEASE);
	cr_expect_eq(r->lease.ttl_ms, 1000);
	cr_expect_eq(r->lease.epoch, 3);
	cr_expect_eq(r->lease.created_at_ms, 7);
	cr_expect_eq(r->lease.secret[0], 0);
	cr_expect_eq(r->lease.secret[1], 0xff);
	cr_expect_eq(r->lease.secret[31], 0xef);
	record_encode(r, NULL, 0, &again);
	cr_expect_str_eq(text_cstr(&again), text);
	text_fini(&again);
	record_free(r);
}

Test(records, what_is_no_lease_has_no_record)
{
	static const char *const texts[] = {LEASE("0", ZERO, HASH), LEASE("-1", ZERO, HASH),
		LEASE("86400001", ZERO, HASH), LEASE("1000", "", HASH), LEASE("1000", ZERO, ""),
		LEASE("1000", ZERO, HASH "0"), LEASE("1000", ZERO, "0" HASH "0"),
		LEASE("1000", ZERO,
			"g0ff102030405060708090a0b0c0d0e0f00112233445566778899aabbccddeef"),
		"{}"};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		cr_expect_null(decode("lease/x", texts[i]), "%s", texts[i]);
}

Test(records, texts_from_outside_must_be_json_whatever_their_family)
{
	static const char *const keys[] = {"meta/d/a", "other", "member/a"};
	struct record *r = NULL;

	for (int i = 0; i < 3; i++) {
		cr_assert_eq(
			record_decode_checked(keys[i], strlen(keys[i]), "{", 1, &r), ERR_MALFORMED);
		cr_assert_eq(record_decode_checked(keys[i], strlen(keys[i]), "\"\xff\"", 3, &r),
			ERR_MALFORMED);
		cr_assert_eq(record_decode_checked(keys[i], strlen(keys[i]), "1", 1, &r), ERR_OK);
		cr_assert_null(r);
	}
}

Test(records, without_memory_there_is_an_error_and_not_a_record_less)
{
	static const struct {
		const char *key, *json;
	} rows[] = {
		{"spec/d/a", SPEC("\"env\":{\"A\":\"1\",\"B\":\"2\"},\"cwd\":\"/tmp\"")},
		{"spec/d/a", SPEC(CHECKS)},
		{"spec/d/a", SPEC(CLAIMS)},
		{"status/d/a", "{\"state\":\"failed\",\"reason\":\"exit\",\"node\":\"" HEX
			       "\",\"incarnation\":\"" HEX
			       "\",\"epoch\":1,\"spec_hash\":\"1\",\"last_exit\":{\"code\":1,"
			       "\"signal\":0,\"core_dumped\":false,\"at\":1,\"uptime_ms\":1,"
			       "\"tail\":\"no\"}}"},
		{"spec/d/a", SPEC("\"env_from\":{\"A\":{\"file\":\"/a\"}},\"env_files\":[\"/b\"]")},
		{"member/a", "{\"name\":\"n\",\"url\":\"u\",\"incarnation\":\"" HEX
			     "\",\"started\":\"1\",\"state\":\"alive\"}"},
		{"entry/d/a", "{\"owner\":{\"kind\":\"static\",\"id\":\"x\",\"node\":\"" ZERO
			      "\",\"epoch\":0},\"created\":\"1\",\"value\":1}"},
		{"supervisor/a", "{\"created_at\":1,\"options\":{\"max_restarts\":2,"
				 "\"child_defaults\":{\"cwd\":\"/\",\"env\":{\"A\":\"1\"}}}}"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		bool failed = true;

		for (long n = 0; failed; n++) {
			struct record *r = NULL;
			enum err e;

			failing_arm(n);
			e = record_decode(rows[i].key, strlen(rows[i].key), rows[i].json,
				strlen(rows[i].json), &r);
			failed = failing_disarm();
			cr_assert_eq(e, failed ? ERR_NO_MEMORY : ERR_OK, "row %zu, %ld", i, n);
			cr_assert_eq(!r, failed);
			record_free(r);
		}
	}
}

Test(records, signals_have_names_and_numbers)
{
	static const struct {
		const char *name;
		int number;
	} rows[] = {{"TERM", SIGTERM}, {"INT", SIGINT}, {"HUP", SIGHUP}, {"USR1", SIGUSR1},
		{"USR2", SIGUSR2}, {"QUIT", SIGQUIT}, {"KILL", SIGKILL}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		cr_assert_eq(signal_from_name(rows[i].name), rows[i].number);
		cr_assert_str_eq(signal_name(rows[i].number), rows[i].name);
	}
	cr_assert_eq(signal_from_name("SIGTERM"), 0);
	cr_assert_eq(signal_from_name(""), 0);
	cr_assert_null(signal_name(0));
}
