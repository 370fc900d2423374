/* How a child is written, from records made by hand. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "api/child.h"

static char name[] = "n2";
static struct member_record node_record = {.name = name};
static struct member node = {.recorded = true, .record = &node_record};
static struct record spec_record = {.family = FAMILY_SPEC};
static struct record assign_record = {.family = FAMILY_ASSIGN};
static struct record status_record = {.family = FAMILY_STATUS};
static struct entry *spec, *assign, *status;

static const char value[] = "{\"created_at\":1000,\"desired\":\"running\","
			    "\"spec\":{\"command\":[\"a\"]}}";

/* In place of `old`, which is freed. */
static void set_entry(struct entry **old, const char *text, const struct record *record)
{
	free(*old);
	*old = calloc(1, sizeof(**old) + strlen(text) + 1);
	(*old)->record = record;
	(*old)->value_bytes = (uint32_t)strlen(text);
	strcpy((*old)->kept, text);
}

static struct child make(enum child_state state)
{
	struct child c = {.ref = "default/web"};

	spec_record.spec = (struct spec_record){.desired_running = true, .hash = 17};
	assign_record.assign.epoch = 5;
	status_record.status = (struct status_record){
		.state = state, .epoch = 5, .restarts = 2, .ready = state == CHILD_RUNNING};
	set_entry(&spec, value, &spec_record);
	set_entry(&assign, "2", &assign_record);
	set_entry(&status, "3", &status_record);
	c.sup = "default";
	c.id = "web"; /* not into c.ref: this struct is returned by value */
	c.value = value;
	c.value_bytes = strlen(value);
	c.view = (struct child_view){
		.spec = spec, .assign = assign, .status = status, .state = state, .node = &node};
	return c;
}

static void expect_status(const struct child *c, const char *wanted)
{
	struct text out = TEXT_INIT;

	child_put_status(&out, NULL, c);
	cr_expect_str_eq(text_cstr(&out), wanted);
	text_fini(&out);
}

Test(child, a_running_one_has_node_pid_epoch_and_is_ready)
{
	struct child c = make(CHILD_RUNNING);

	status_record.status.pid = 4242;
	status_record.status.started_at_ms = 1000;
	expect_status(&c, "\"status\":{\"state\":\"running\",\"reason\":\"none\",\"node\":\"n2\","
			  "\"pid\":4242,\"epoch\":5,\"restarts\":2,"
			  "\"started_at\":\"1970-01-01T00:00:01.000Z\",\"ready\":true}");
}

Test(child, one_that_runs_may_not_be_ready_yet)
{
	struct child c = make(CHILD_RUNNING);

	cr_expect(child_is_ready(&c));
	status_record.status.ready_at_ms = 1500;
	expect_status(&c, "\"status\":{\"state\":\"running\",\"reason\":\"none\",\"node\":\"n2\","
			  "\"epoch\":5,\"restarts\":2,\"ready\":true,"
			  "\"ready_at\":\"1970-01-01T00:00:01.500Z\"}");
	status_record.status.ready = false;
	status_record.status.ready_at_ms = 0;
	cr_expect_not(child_is_ready(&c));
	expect_status(&c, "\"status\":{\"state\":\"running\",\"reason\":\"none\",\"node\":\"n2\","
			  "\"epoch\":5,\"restarts\":2,\"ready\":false}");
}

Test(child, the_last_exit_has_a_code_or_a_signal)
{
	struct child c = make(CHILD_EXITED);

	c.view.reason = REASON_EXIT;
	status_record.status.last_exit =
		(struct exit_record){.known = true, .code = 7, .at_ms = 2000, .uptime_ms = 30};
	expect_status(&c, "\"status\":{\"state\":\"exited\",\"reason\":\"exit\",\"node\":\"n2\","
			  "\"epoch\":5,\"restarts\":2,\"last_exit\":{\"code\":7,"
			  "\"at\":\"1970-01-01T00:00:02.000Z\",\"uptime_ms\":30}}");
	status_record.status.last_exit.code = -1;
	status_record.status.last_exit.signal = 9;
	c.view.reason = REASON_SIGNAL;
	expect_status(&c, "\"status\":{\"state\":\"exited\",\"reason\":\"signal\",\"node\":\"n2\","
			  "\"epoch\":5,\"restarts\":2,\"last_exit\":{\"signal\":9,"
			  "\"at\":\"1970-01-01T00:00:02.000Z\",\"uptime_ms\":30}}");
}

Test(child, a_start_that_failed_is_an_error_and_a_warning)
{
	struct child c = make(CHILD_BACKOFF);
	struct text out = TEXT_INIT;

	c.view.reason = REASON_SPAWN_ERROR;
	status_record.status.last_exit = (struct exit_record){.known = true, .code = -1};
	strcpy(status_record.status.last_exit.error, "exec: ENOENT");
	expect_status(&c, "\"status\":{\"state\":\"backoff\",\"reason\":\"spawn_error\","
			  "\"node\":\"n2\",\"epoch\":5,\"restarts\":2,\"error\":\"exec: ENOENT\"}");
	child_put_warnings(&out, &c);
	cr_expect_str_eq(text_cstr(&out),
		"\"warnings\":[{\"code\":\"spawn-error\",\"detail\":\"exec: ENOENT\"}]");
	text_clear(&out);
	c.view.state = CHILD_RUNNING;
	child_put_warnings(&out, &c);
	cr_expect_eq(out.used, 0, "it runs now");
	text_fini(&out);
}

Test(child, a_status_of_an_older_assignment_says_nothing)
{
	struct child c = make(CHILD_PENDING);

	assign_record.assign.epoch = 6;
	status_record.status.pid = 4242;
	cr_expect_null(child_status(&c));
	expect_status(&c, "\"status\":{\"state\":\"pending\",\"reason\":\"none\",\"node\":\"n2\","
			  "\"epoch\":6,\"restarts\":0}");
}

Test(child, the_members_of_its_spec_are_its_own)
{
	struct child c = make(CHILD_PENDING);
	struct text out = TEXT_INIT;

	child_open(&out, NULL, &c);
	cr_expect_not_null(strstr(text_cstr(&out),
		"{\"command\":[\"a\"],\"id\":\"web\",\"supervisor\":\"default\","
		"\"created_at\":\"1970-01-01T00:00:01.000Z\",\"desired\":\"running\",\"source\":"
		"\"api\",\"status\":"
		"{"));
	text_fini(&out);
}

Test(child, a_spec_without_members_adds_none)
{
	static const char empty[] = "{\"created_at\":1000,\"desired\":\"running\",\"spec\":{ }}";
	struct child c = make(CHILD_PENDING);
	struct text out = TEXT_INIT;

	c.value = empty;
	c.value_bytes = strlen(empty);
	child_open(&out, NULL, &c);
	cr_expect_eq(strncmp(text_cstr(&out), "{\"id\":\"web\",", 12), 0, "%s", text_cstr(&out));
	text_fini(&out);
}

Test(child, its_etag_has_the_spec_first_and_no_opinion)
{
	struct child c = make(CHILD_RUNNING), lost = c;
	struct etag one = child_etag(&c), other;

	lost.view.state = CHILD_LOST;
	other = child_etag(&lost);
	cr_expect_str_eq(one.text, other.text, "lost is an opinion");
	set_entry(&status, "4", &status_record);
	c.view.status = status;
	other = child_etag(&c);
	cr_expect_str_neq(one.text, other.text, "the status differs");
	cr_expect_eq(memcmp(one.text, other.text, 16), 0, "the spec is the same");
	spec_record.spec.desired_running = false;
	one = child_etag(&c);
	cr_expect_str_neq(one.text, other.text, "desired differs");
	cr_expect_eq(memcmp(one.text, other.text, 16), 0, "the spec is the same");
	spec_record.spec.from_file = true;
	other = child_etag(&c);
	cr_expect_str_neq(one.text, other.text, "the source differs");
	cr_expect_eq(memcmp(one.text, other.text, 16), 0, "the spec is the same");
}
