/* The spec of a child, read from its text: what it says, and what it leaves to the defaults. */
#include <signal.h>

#include "server/core/digest.h"
#include "tests/unit/api/record_texts.h"

Test(records_spec, checks_are_read_with_their_defaults)
{
	struct record *r = decode("spec/d/a", SPEC(CHECKS));
	struct record *copy = record_dup(r);

	for (int i = 0; i < 2; i++) {
		const struct checks *c = i == 0 ? &r->spec.checks : &copy->spec.checks;

		cr_assert_eq(c->ready->kind, CHECK_HTTP);
		cr_assert_eq(c->ready->port, 80);
		cr_assert_str_eq(c->ready->path, "/r");
		cr_assert_str_eq(c->ready->host, "h");
		cr_assert_eq(c->ready->limit_ms, 1);
		cr_assert_eq(c->ready->period_ms, 200);
		cr_assert_eq(c->ready->timeout_ms, 300);
		cr_assert_eq(c->health_count, 3);
		cr_assert_str_eq(c->health[2].command[1], "b");
		cr_assert_null(c->health[2].command[2]);
		cr_assert_eq(c->health[0].kind, CHECK_TCP);
		cr_assert_eq(c->health[0].period_ms, 10000);
		cr_assert_eq(c->health[0].timeout_ms, 5000);
		cr_assert_eq(c->health[0].grace_ms, 10000);
		cr_assert_eq(c->health[0].threshold, 3);
		cr_assert_null(c->health[0].host);
		cr_assert_str_eq(c->health[1].path, "/h");
		cr_assert_eq(c->health[1].grace_ms, 0);
		cr_assert_eq(c->health[1].threshold, 1);
		record_free(i == 0 ? r : copy);
	}
	r = decode("spec/d/a", SPEC("\"ready\":{\"kind\":\"tcp\",\"port\":1}"));
	cr_assert_eq(r->spec.checks.ready->limit_ms, 10000);
	cr_assert_eq(r->spec.checks.ready->period_ms, 500);
	cr_assert_eq(r->spec.checks.ready->timeout_ms, 5000);
	record_free(r);
	r = decode("spec/d/a", SPEC("\"ready\":{\"kind\":\"none\"}"));
	cr_assert_null(r->spec.checks.ready);
	cr_assert(r->spec.given & GIVEN_READY, "which is not to inherit any");
	record_free(r);
}

Test(records_spec, names_are_read_as_whole_keys_with_their_raw_values)
{
	struct record *r = decode("spec/d/a", SPEC(CLAIMS)), *copy = record_dup(r);

	for (int i = 0; i < 2; i++) {
		const struct claims *c = i == 0 ? &r->spec.claims : &copy->spec.claims;

		cr_assert_eq(c->count, 2);
		cr_assert_str_eq(c->items[0].key, "entry/default/web/1");
		cr_assert_eq(c->items[0].key_bytes, strlen("entry/default/web/1"));
		cr_assert_str_eq(c->items[0].value, "null");
		cr_assert_str_eq(c->items[1].value, "{\"a\":\"\xc3\xbc\",\"b\":[0.1,null]}");
		cr_assert_eq(claims_hash(c), claims_hash(&r->spec.claims));
	}
	copy->spec.claims.items[1].value[0] = ' ';
	cr_assert_neq(claims_hash(&copy->spec.claims), claims_hash(&r->spec.claims));
	record_free(copy);
	record_free(r);
}

Test(records_spec, a_bare_spec_has_the_defaults_of_the_api)
{
	struct record *d = decode("spec/default/a", "{\"created_at\":1,\"desired\":\"running\","
						    "\"spec\":{\"command\":[\"/bin/true\"]}}");
	const struct spec_record *s = &d->spec;

	cr_assert_str_eq(s->command[0], "/bin/true");
	cr_assert_null(s->command[1]);
	cr_assert_null(s->env[0]);
	cr_assert_str_eq(s->cwd, "/");
	cr_assert_eq(s->restart.type, RESTART_PERMANENT);
	cr_assert_eq(s->restart.policy, POLICY_BACKOFF);
	cr_assert_eq(s->restart.max_restarts, 3);
	cr_assert_eq(s->restart.max_seconds, 5);
	cr_assert_eq(s->restart.initial_ms, 200);
	cr_assert_eq(s->restart.max_ms, 30000);
	cr_assert_eq(s->restart.factor, 2.0);
	cr_assert_eq(s->restart.reset_after_ms, 60000);
	cr_assert_eq(s->shutdown_signal, SIGTERM);
	cr_assert_eq(s->shutdown_timeout_ms, 5000);
	cr_assert_eq(s->success_exit[0], 1);
	cr_assert_eq(s->log_bytes_max, 10485760);
	cr_assert_eq(s->log_files_max, 3);
	cr_assert_eq(s->retain_ms, 0);
	cr_assert(s->desired_running);
	cr_assert_eq(s->hash, digest_content("{\"command\":[\"/bin/true\"]}", 25));
	record_free(d);
}

Test(records_spec, a_full_spec_is_read_member_by_member)
{
	struct record *d = decode("spec/default/a",
		"{\"created_at\":1,\"desired\":\"stopped\",\"spec\":{\"command\":[\"a\",\"b c\"],"
		"\"env\":{\"A\":\"1\",\"B\":\"x=y\"},\"cwd\":\"/tmp\",\"restart\":\"transient\","
		"\"max_restarts\":1,\"max_seconds\":2,\"on_max_restarts\":\"fail_child\","
		"\"backoff\":{\"initial_ms\":3,\"max_ms\":4,\"factor\":1.5,\"reset_after_ms\":5},"
		"\"shutdown\":{\"signal\":\"USR1\",\"timeout_ms\":0},\"success_exit_codes\":[0,9,"
		"255],"
		"\"logs\":{\"max_bytes\":6,\"max_files\":7},\"later\":[1]}}");
	const struct spec_record *s = &d->spec;

	cr_assert_str_eq(s->command[1], "b c");
	cr_assert_str_eq(s->env[0], "A=1");
	cr_assert_str_eq(s->env[1], "B=x=y");
	cr_assert_null(s->env[2]);
	cr_assert_str_eq(s->cwd, "/tmp");
	cr_assert_eq(s->restart.type, RESTART_TRANSIENT);
	cr_assert_eq(s->restart.policy, POLICY_FAIL_CHILD);
	cr_assert_eq(s->restart.max_restarts, 1);
	cr_assert_eq(s->restart.factor, 1.5);
	cr_assert_eq(s->restart.reset_after_ms, 5);
	cr_assert_eq(s->shutdown_signal, SIGUSR1);
	cr_assert_eq(s->shutdown_timeout_ms, 0);
	cr_assert_eq(s->success_exit[0], 1);
	cr_assert_eq(s->success_exit[1], 2);
	cr_assert_eq(s->success_exit[31], 0x80);
	cr_assert_eq(s->log_bytes_max, 6);
	cr_assert_eq(s->log_files_max, 7);
	cr_assert_not(s->desired_running);
	record_free(d);
}

Test(records_spec, the_hash_of_a_spec_leaves_desired_and_times_out)
{
	struct record *a = decode("spec/default/a",
		"{\"created_at\":1,\"desired\":\"running\",\"spec\":{\"command\":[\"x\"]}}");
	struct record *b = decode("spec/default/a",
		"{\"created_at\":2,\"desired\":\"stopped\",\"spec\":{\"command\":[\"x\"]}}");
	struct record *c = decode("spec/default/a",
		"{\"created_at\":1,\"desired\":\"running\",\"spec\":{\"command\":[\"y\"]}}");

	cr_assert_eq(a->spec.hash, b->spec.hash);
	cr_assert_neq(a->spec.hash, c->spec.hash);
	cr_assert_not(a->spec.from_file);
	record_free(a);
	record_free(b);
	record_free(c);
}

Test(records_spec, who_said_a_spec_is_no_part_of_its_hash)
{
	struct record *a = decode("spec/default/a",
		"{\"created_at\":1,\"desired\":\"running\",\"spec\":{\"command\":[\"x\"]}}");
	struct record *b = decode("spec/default/a",
		"{\"created_at\":1,\"desired\":\"running\",\"source\":\"file\","
		"\"spec\":{\"command\":[\"x\"]}}");
	struct record *c = decode("spec/default/a",
		"{\"created_at\":1,\"desired\":\"running\",\"source\":\"moon\","
		"\"spec\":{\"command\":[\"x\"]}}");

	cr_assert(b->spec.from_file);
	cr_assert_not(c->spec.from_file);
	cr_assert_eq(a->spec.hash, b->spec.hash);
	cr_assert_eq(a->spec.process_hash, b->spec.process_hash);
	record_free(a);
	record_free(b);
	record_free(c);
}

Test(records_spec, how_long_it_is_kept_is_no_part_of_a_spec_s_hash)
{
	static const char plain[] = "{\"command\":[\"x\"],\"max_restarts\":1,\"shutdown\":{}}";
	struct record *a = decode("spec/default/a",
		"{\"created_at\":1,\"desired\":\"running\",\"spec\":{\"command\":[\"x\"],"
		"\"max_restarts\":1,\"retain_ms\":1000,\"shutdown\":{}}}");
	struct record *b = decode("spec/default/a",
		"{\"created_at\":1,\"desired\":\"running\",\"spec\":{\"command\":[\"x\"],"
		"\"max_restarts\":1,\"retain_ms\":2000,\"shutdown\":{}}}");
	struct record *c = decode("spec/default/a",
		"{\"created_at\":1,\"desired\":\"running\",\"spec\":{\"command\":[\"x\"],"
		"\"max_restarts\":2,\"retain_ms\":1000,\"shutdown\":{}}}");

	cr_assert_eq(a->spec.hash, digest_content(plain, strlen(plain)), "as without");
	cr_assert_eq(a->spec.hash, b->spec.hash);
	cr_assert_neq(a->spec.hash, c->spec.hash);
	cr_assert_eq(a->spec.retain_ms, 1000);
	cr_assert_eq(b->spec.retain_ms, 2000);
	cr_assert(a->spec.given & GIVEN_RETAIN);
	record_free(a);
	record_free(b);
	record_free(c);
}
