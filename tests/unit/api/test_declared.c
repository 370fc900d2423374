/* What a configuration file declares: the list, and every fault of it with its pointer. */
#include <criterion/criterion.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "api/declared.h"
#include "api/limits.h"
#include "tests/unit/core/failing.h"

/*
 * How many allocations of a reading fail, one at a time: the first, of the file, and the last, of
 * the children. Between them are thousands for the schemas, and a regcomp that fails for lack of
 * memory frees twice in some versions of glibc.
 */
#define FIRST 100
#define LAST 120

static struct declared found;
static struct text faults;

static enum err reads(const char *yaml)
{
	declared_fini(&found);
	text_clear(&faults);
	return declared_read(yaml, strlen(yaml), &found, &faults);
}

static void fini(void)
{
	declared_fini(&found);
	text_fini(&faults);
}

TestSuite(declared, .fini = fini);

static void fails(const char *yaml, const char *lines)
{
	cr_expect_eq(reads(yaml), ERR_MALFORMED, "%s", yaml);
	cr_expect_str_eq(text_cstr(&faults), lines, "%s: %s", yaml, text_cstr(&faults));
	cr_expect_eq(found.count, 0);
}

static const char two[] = "name: n1\nchildren:\n"
			  "  - {id: web, supervisor: team, spec: {restart: permanent,\n"
			  "     command: [/bin/a, \"5\"], env: {A: \"1\"}}}\n"
			  "  - id: db\n    spec: {command: [b]}\n";

Test(declared, children_are_found_by_their_ref_with_canonical_specs)
{
	const struct declared_child *c;

	cr_assert_eq(reads(two), ERR_OK, "%s", text_cstr(&faults));
	cr_assert_eq(found.count, 2);
	c = declared_find(&found, "team/web");
	cr_assert(c);
	cr_assert_str_eq(c->spec, "{\"command\":[\"/bin/a\",\"5\"],\"env\":{\"A\":\"1\"},"
				  "\"restart\":\"permanent\"}");
	cr_assert_str_eq(declared_find(&found, "default/db")->spec, "{\"command\":[\"b\"]}");
	cr_assert_null(declared_find(&found, "default/web"));
	cr_assert_eq(reads("children: []\n"), ERR_OK);
	cr_assert_eq(found.count, 0);
}

/* As it is on disk in the stores of nodes: another digest would put all children anew. */
Test(declared, the_digest_is_of_the_spec_alone_however_it_is_written)
{
	char digest[DECLARED_DIGEST_BYTES];

	cr_assert_eq(
		reads("children: [{id: a, spec: {command: [x, y], restart: permanent}}]"), ERR_OK);
	snprintf(digest, sizeof(digest), "%s", found.items[0].digest);
	cr_assert_str_eq(digest, "69374dc12fb461d0dcdf0b2948e980e1");
	cr_assert_eq(reads("# other words\nchildren:\n  - spec:\n      restart: \"permanent\"\n"
			   "      command:\n        - x\n        - 'y'\n    id: b\n"),
		ERR_OK);
	cr_assert_str_eq(found.items[0].digest, digest);
	cr_assert_eq(
		reads("children: [{id: a, spec: {command: [x, z], restart: permanent}}]"), ERR_OK);
	cr_assert_str_neq(found.items[0].digest, digest);
}

Test(declared, every_fault_is_listed_with_its_pointer)
{
	fails("children:\n"
	      "  - {id: a, spec: {command: [/bin/sleep, 5]}}\n"
	      "  - {id: -b, spec: {command: [x], restart: sometimes}}\n"
	      "  - {id: c}\n"
	      "  - {id: d, supervisor: 7, spec: {command: [x]}, extra: 1}\n"
	      "  - {id: e, spec: {command: [x], ready: {kind: tcp}}}\n"
	      "  - {id: f, spec: {command: [x]}}\n"
	      "  - {id: f, supervisor: other, spec: {command: [x]}}\n"
	      "  - {id: f, supervisor: default, spec: {command: [y]}}\n"
	      "  - 7\n",
		"/children/0/spec/command/1: must be a string\n"
		"/children/1/id: must match ^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$\n"
		"/children/1/spec/restart: must be one of permanent, transient, temporary\n"
		"/children/2/spec: is missing\n"
		"/children/3/supervisor: must be a string\n"
		"/children/3/extra: unknown member, did you mean 'id'?\n"
		"/children/8: must be an object\n"
		"/children/4/spec/ready/port: a check of kind 'tcp' needs it, or `port_name`\n"
		"/children/7/id: 'default/f' is declared twice\n");
}

Test(declared, what_is_no_list_is_a_fault)
{
	fails("children:\n", "/children: must be an array\n");
	fails("children: {a: {command: [x]}}\n", "/children: must be an array\n");
	fails("children: [\n", "line 2: did not find expected node content\n");
	fails("children:\n  - &a {id: x, spec: {command: [x]}}\n",
		"line 2: anchors are not supported\n");
}

/* `count` children, the i-th of them with the text `spec`. */
static char *many(int count, const char *spec)
{
	struct text t = TEXT_INIT;

	text_adds(&t, "children:\n");
	for (int i = 0; i < count; i++)
		text_addf(&t, "  - {id: w%d, spec: %s}\n", i, spec);
	return text_take(&t);
}

Test(declared, a_thousand_are_taken_and_one_more_is_a_fault)
{
	char *yaml = many(1000, "{command: [x]}");

	cr_assert_eq(reads(yaml), ERR_OK);
	cr_assert_eq(found.count, 1000);
	for (size_t i = 1; i < found.count; i++)
		cr_assert_lt(strcmp(found.items[i - 1].ref, found.items[i].ref), 0);
	free(yaml);
	yaml = many(1001, "{command: [x]}");
	fails(yaml, "/children: must have at most 1000 items\n");
	free(yaml);
}

Test(declared, beyond_the_faults_that_are_listed_the_others_are_counted)
{
	char *yaml = many(HTTP_FAULTS_MAX + 36, "{command: [x], ready: {kind: tcp}}");

	cr_assert_eq(reads(yaml), ERR_MALFORMED);
	cr_assert(strstr(text_cstr(&faults), "/children/255/spec/ready/port: "));
	cr_assert_not(strstr(text_cstr(&faults), "/children/256/"));
	cr_assert(strstr(text_cstr(&faults), "\n... and 36 more\n"));
	free(yaml);
}

Test(declared, what_is_remembered_is_set_replaced_and_removed)
{
	struct declared d = {0};

	for (int i = 0; i < 50; i++) {
		char ref[16];

		snprintf(ref, sizeof(ref), "a/%d", (i * 37) % 50);
		cr_assert_eq(declared_set(&d, ref, "1"), ERR_OK);
	}
	cr_assert_eq(declared_set(&d, "a/7", "2"), ERR_OK);
	cr_assert_eq(d.count, 50);
	cr_assert_str_eq(declared_find(&d, "a/7")->digest, "2");
	declared_remove(&d, "a/49");
	declared_remove(&d, "a/9"); /* the last one in order */
	declared_remove(&d, "a/0");
	declared_remove(&d, "b");
	cr_assert_eq(d.count, 47);
	cr_assert_null(declared_find(&d, "a/9"));
	cr_assert_str_eq(declared_find(&d, "a/48")->digest, "1");
	for (size_t i = 1; i < d.count; i++)
		cr_assert_lt(strcmp(d.items[i - 1].ref, d.items[i].ref), 0);
	declared_fini(&d);
}

Test(declared, a_failed_allocation_changes_nothing)
{
	struct declared d = {0};
	enum err e = ERR_NO_MEMORY;

	for (long n = 0; e != ERR_OK; n++) {
		failing_arm(n);
		e = declared_set(&d, "a/b", "1");
		failing_disarm();
		cr_assert_eq(d.count, e == ERR_OK);
	}
	declared_fini(&d);
}

/* The number of allocations of a reading. */
static long allocations(void)
{
	long count;

	failing_arm(LONG_MAX);
	cr_assert_eq(reads(two), ERR_OK);
	count = LONG_MAX - failing_left;
	failing_disarm();
	return count;
}

static void read_failing(long n)
{
	enum err e;

	declared_fini(&found);
	text_clear(&faults);
	failing_arm(n);
	e = declared_read(two, strlen(two), &found, &faults);
	/* A library may go on without what it asked for; a match without memory is none: a fault.
	 */
	cr_assert(failing_disarm() && (e == ERR_OK || e == ERR_NO_MEMORY || faults.used > 0),
		"%ld: %d", n, (int)e);
	cr_assert_eq(found.count, e == ERR_OK ? 2 : 0);
}

Test(declared, a_reading_without_memory_fails_and_finds_nothing)
{
	long all = allocations();

	for (long n = 0; n < FIRST; n++)
		read_failing(n);
	for (long n = all - LAST; n < all; n++)
		read_failing(n);
}
