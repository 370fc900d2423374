/* What a process sees in its environment: what a node lets through, and secrets that are nowhere
 * else. */
#include "tests/integration/suite.h"

SUITE(environment);

#define SECRET "correct-horse-battery-staple"

static char secrets[220];

/* Three nodes whose secrets are in one directory. */
static struct cluster *with_secrets(int count)
{
	static const char *args[] = {"--inherit-env", "PASSED_ON", "--secrets-dir", secrets, NULL};
	char made[] = "/tmp/horde-secrets-XXXXXX";

	CHECK(mkdtemp(made), "no directory");
	snprintf(secrets, sizeof secrets, "%s", made);
	setenv("PASSED_ON", "through", 1);
	setenv("KEPT_BACK", "no", 1);
	return cluster_start(count, &(struct cluster_options){.args = args});
}

static void put_secret(const char *name, const char *text)
{
	file_write(text_of("%s/%s", secrets, name), text, strlen(text), 0600);
}

static void forget_secrets(void)
{
	CHECK_INT(system(text_of("rm -rf '%s'", secrets)), 0);
}

/* A child that writes its variables, sorted, into a file and lives on; `members` go into its spec.
 */
static const char *variables_of(struct cluster *c, const char *id, const char *members)
{
	const char *path = text_of("%s/%s.env", c->dir, id);

	child_start(&c->nodes[0], id,
		text_of("{\"command\":[\"/bin/sh\",\"-c\",\"env | sort >%s.new && mv %s.new %s; "
			"exec sleep 1000\"],%s}",
			path, path, path, members));
	return file_wait(path, CLUSTER_SOON_MS);
}

static bool sees(const char *variables, const char *line)
{
	const char *at = strstr(variables, text_of("%s\n", line));

	return at && (at == variables || at[-1] == '\n');
}

/* Whether any file below the cluster's directory holds the secret, but for the child's own. */
static int files_with_secret(const struct cluster *c)
{
	return system(text_of("grep -rlI --exclude='*.env' '" SECRET "' '%s' | grep -q . || "
			      "grep -rlU --exclude='*.env' '" SECRET "' '%s' | grep -q .",
		c->dir, c->dir));
}

CLUSTER_TEST(environment, a_child_sees_its_secrets_and_nobody_else_does)
{
	struct cluster *c = with_secrets(3);
	const char *variables;

	put_secret("db", SECRET "\n");
	put_secret("app.env", "LEVEL=debug\nDB_PASSWORD=never\nOTHER=" SECRET "\n");
	variables = variables_of(c, "web",
		text_of("\"env\":{\"OWN\":\"1\"},\"env_from\":{\"DB_PASSWORD\":{\"file\":\"%s/"
			"db\"}},"
			"\"env_files\":[\"%s/app.env\"]",
			secrets, secrets));
	CHECK(sees(variables, "DB_PASSWORD=" SECRET), "%s", variables);
	CHECK(sees(variables, "LEVEL=debug"), "%s", variables);
	CHECK(sees(variables, "OWN=1"), "%s", variables);
	CHECK(sees(variables, "PASSED_ON=through"), "%s", variables);
	CHECK(!strstr(variables, "KEPT_BACK"), "%s", variables);
	for (int i = 0; i < 3; i++) {
		struct http_reply *r = node_call(&c->nodes[i], "GET", NULL, CHILDREN "/web");

		http_until_status(node_url(&c->nodes[i], CHILDREN "/web"), 200, CLUSTER_SOON_MS);
		CHECK(!strstr(r->body, SECRET), "n%d returns it", i + 1);
		r = node_call(&c->nodes[i], "GET", NULL, CHILDREN "/web/history");
		CHECK(!strstr(r->body, SECRET), "n%d returns it", i + 1);
	}
	CHECK(files_with_secret(c) != 0, "it is in a file of a node");
	forget_secrets();
}

CLUSTER_TEST(environment, each_start_reads_anew_and_one_that_cannot_says_which)
{
	struct cluster *c = with_secrets(1);
	struct http_reply *r;

	put_secret("a", "one");
	r = child_start(&c->nodes[0], "web",
		text_of("{\"command\":[\"/bin/sh\",\"-c\",\"echo $A; exec sleep "
			"1000\"],\"env_from\":"
			"{\"A\":{\"file\":\"%s/a\"}}}",
			secrets));
	http_until_str(node_url(&c->nodes[0], CHILDREN "/web/logs?tail=1"), "items.0.data", "one",
		CLUSTER_SOON_MS);
	put_secret("a", "two");
	expect_status(node_call(&c->nodes[0], "POST", NULL, CHILDREN "/web/restart"), 200);
	http_until_str(node_url(&c->nodes[0], CHILDREN "/web/logs?tail=1"), "items.0.data", "two",
		CLUSTER_SOON_MS);
	CHECK_INT(unlink(text_of("%s/a", secrets)), 0);
	r = expect_status(node_call(&c->nodes[0], "POST", NULL, CHILDREN "/web/restart"), 200);
	CHECK_STR(json_str(r->json, "status.error"), "env_from.A: ENOENT");
	put_secret("a", "three");
	expect_status(node_call(&c->nodes[0], "POST", NULL, CHILDREN "/web/restart"), 200);
	http_until_str(node_url(&c->nodes[0], CHILDREN "/web/logs?tail=1"), "items.0.data", "three",
		CLUSTER_SOON_MS);
	forget_secrets();
}

CLUSTER_TEST(environment, nothing_outside_of_the_secrets_is_read)
{
	struct cluster *c = with_secrets(1);
	const char *paths[] = {"/etc/hostname", text_of("%s/../hostname", secrets),
		text_of("%s/out", secrets), text_of("%s-other/a", secrets)};

	CHECK_INT(symlink("/etc/hostname", text_of("%s/out", secrets)), 0);
	for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
		struct http_reply *r = child_put(&c->nodes[0], text_of("c%zu", i),
			text_of("{\"command\":[\"/usr/bin/env\"],\"env_files\":[\"%s\"]}",
				paths[i]));

		CHECK_STR(json_str(expect_success(r)->json, "status.error"), "env_files[0]: EPERM");
	}
	forget_secrets();
}

CLUSTER_TEST(environment, what_a_supervisor_says_is_inherited_and_a_change_replaces_the_process)
{
	struct cluster *c = with_secrets(1);
	const char *variables;
	struct http_reply *r;

	put_secret("a", "inherited");
	put_secret("b", "own");
	expect_status(
		node_call(&c->nodes[0], "PUT",
			text_of("{\"child_defaults\":{\"env_from\":{\"A\":{\"file\":\"%s/a\"},"
				"\"B\":{\"file\":\"%s/a\"}}}}",
				secrets, secrets),
			"/v1/supervisors/default"),
		201);
	variables = variables_of(c, "web", "\"env\":{\"B\":\"own\"}");
	CHECK(sees(variables, "A=inherited") && sees(variables, "B=own"), "%s", variables);
	r = node_call(&c->nodes[0], "PATCH",
		text_of("{\"env_from\":{\"C\":{\"file\":\"%s/b\"}}}", secrets), CHILDREN "/web");
	CHECK_STR(json_str(expect_status(r, 200)->json, "applied"), "replaced");
	r = node_call(&c->nodes[0], "PATCH", "{\"env_from\":{\"C\":null}}", CHILDREN "/web");
	CHECK_STR(json_str(expect_status(r, 200)->json, "applied"), "replaced");
	CHECK(!json_at(r->json, "env_from.C"), "it is there still");
	forget_secrets();
}

CLUSTER_TEST(environment, each_fault_is_named)
{
	struct cluster *c = cluster_start(1, NULL);
	struct http_reply *r = child_put(&c->nodes[0], "web",
		"{\"command\":[\"x\"],\"env\":{\"A\":\"1\"},\"env_from\":{\"A\":{\"file\":\"/a\"},"
		"\"HORDE_EPOCH\":{\"file\":\"/a\"}}}");

	expect_problem(r, 422, "invalid-spec");
	CHECK_INT(json_array_size(json_at(r->json, "errors")), 2);
	CHECK_STR(json_str(r->json, "errors.0.pointer"), "/env_from/A");
	CHECK_STR(json_str(r->json, "errors.0.code"), "duplicate");
	CHECK_STR(json_str(r->json, "errors.1.code"), "reserved");
	r = child_put(&c->nodes[0], "web",
		"{\"command\":[\"x\"],\"env_from\":{\"a-b\":{\"file\":\"/"
		"a\"},\"C\":{\"file\":\"a\"},"
		"\"D\":\"/a\"},\"env_files\":[\"a\",7]}");
	expect_problem(r, 422, "invalid-spec");
	CHECK(json_array_size(json_at(r->json, "errors")) >= 5, "%s", r->body);
	r = node_call(&c->nodes[0], "PUT",
		"{\"child_defaults\":{\"env\":{\"A\":\"1\"},\"env_from\":{\"A\":{\"file\":\"/"
		"a\"}}}}",
		"/v1/supervisors/team");
	expect_problem(r, 422, "invalid-spec");
	CHECK_STR(json_str(r->json, "errors.0.pointer"), "/child_defaults/env_from/A");
	expect_problem(
		node_call(&c->nodes[0], "GET", NULL, CHILDREN "/web"), 404, "child-not-found");
}
