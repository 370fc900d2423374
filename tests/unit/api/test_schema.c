/* The check of values: each keyword, every fault with its pointer and code. */
#include <criterion/criterion.h>
#include <string.h>

#include "api/schema.h"

static const char document[] = "spec:\n"
			       "  type: object\n"
			       "  required: [command, id]\n"
			       "  additionalProperties: false\n"
			       "  properties:\n"
			       "    id: {type: string, readOnly: true}\n"
			       "    command: {type: array, minItems: 1, maxItems: 3, x-max-bytes: "
			       "10, items: {type: string, minLength: 1}}\n"
			       "    env: {type: object, maxProperties: 2, x-key-pattern: "
			       "'^[^=]+$', additionalProperties: {type: string}}\n"
			       "    restart: {type: string, enum: [permanent, transient]}\n"
			       "    cgroup: {type: integer, nullable: true, "
			       "x-needs-cgroup: true}\n"
			       "    level: {type: integer, enum: [1, 2]}\n"
			       "    count: {type: integer, minimum: 1, maximum: 5}\n"
			       "    factor: {type: number, minimum: 1.5}\n"
			       "    most: {type: integer, maximum: 9007199254740991}\n"
			       "    on: {type: boolean}\n"
			       "    name: {type: string, minLength: 2, maxLength: 3, pattern: "
			       "'^[a-z\xC3\xBC]*$', nullable: true}\n"
			       "    grace: {type: string, format: duration, x-max-ms: 1000}\n"
			       "    value: {x-max-bytes: 8}\n"
			       "    'a/b~c': {type: integer}\n"
			       "    child: {$ref: '#/spec'}\n"
			       "list: {type: array, items: {type: string, enum: [a, b]}}\n"
			       "number: {type: integer, format: duration, maximum: 9000}\n";

static struct arena arena;
static const struct markup *root;
static struct schema_set set;

static const struct schema *compile(const char *name)
{
	const struct schema *s = NULL;
	char why[HTTP_WHY_BYTES];

	cr_assert_eq(schema_compile(&set, markup_get(root, name), &s, why), ERR_OK, "%s", why);
	return s;
}

static void setup(void)
{
	char why[HTTP_WHY_BYTES];

	arena_init(&arena, NULL, 0);
	cr_assert_eq(
		markup_load(&arena, document, sizeof(document) - 1, &root, why), ERR_OK, "%s", why);
	schema_set_init(&set, &arena, root);
}

static void finish(void)
{
	schema_set_fini(&set);
	arena_fini(&arena);
}

TestSuite(schema, .init = setup, .fini = finish);

struct row {
	const char *json;
	const char *faults; /* "pointer code pointer code ..." */
};

/* The faults as "pointer code", one space between. */
static void summarise(const struct faults *f, char out[400])
{
	json_t *all, *item;
	struct text text = TEXT_INIT;
	size_t i;

	text_addf(&text, "[%.*s]", (int)f->items.used, f->items.used ? f->items.bytes : "");
	all = json_loads(text_cstr(&text), 0, NULL);
	cr_assert(all, "%s", text.bytes);
	out[0] = '\0';
	json_array_foreach(all, i, item)
	{
		snprintf(out + strlen(out), 400 - strlen(out), "%s%s %s", i ? " " : "",
			json_string_value(json_object_get(item, "pointer")),
			json_string_value(json_object_get(item, "code")));
	}
	json_decref(all);
	text_fini(&text);
}

static void check_row(const struct schema *s, const struct row *row)
{
	struct schema_check how = {.raw = row->json, .raw_length = strlen(row->json)};
	json_t *value = json_loads(row->json, JSON_DECODE_ANY, NULL);
	struct faults faults = {0};
	char summary[400];

	cr_assert(value, "%s", row->json);
	schema_check_body(s, value, &how, &faults);
	summarise(&faults, summary);
	cr_expect_str_eq(summary, row->faults, "%s: %s", row->json, summary);
	faults_fini(&faults);
	json_decref(value);
}

Test(schema, each_fault_has_its_pointer_and_code)
{
	static const struct row rows[] = {
		{"{\"command\":[\"a\"]}", ""},
		{"{\"command\":[\"a\"],\"id\":7}", ""},
		{"{\"command\":[\"a\"],\"cgroup\":7}", "/cgroup unsupported"},
		{"{\"command\":[\"a\"],\"cgroup\":\"x\"}", "/cgroup type"},
		{"{\"command\":[\"a\"],\"cgroup\":null}", ""},
		{"{}", "/command required"},
		{"[]", " type"},
		{"null", " type"},
		{"{\"command\":[]}", "/command too-short"},
		{"{\"command\":[\"a\",\"b\",\"c\",\"d\"]}", "/command too-long"},
		{"{\"command\":[\"12345678901\"]}", "/command too-long"},
		{"{\"command\":[\"a\",\"\",3]}", "/command/1 too-short /command/2 type"},
		{"{\"command\":[\"a\"],\"comand\":1}", "/comand unknown-member"},
		{"{\"command\":[\"a\"],\"env\":{\"A\":\"1\"}}", ""},
		{"{\"command\":[\"a\"],\"env\":{\"A=\":\"1\"}}", "/env/A= pattern"},
		{"{\"command\":[\"a\"],\"env\":{\"A\":1}}", "/env/A type"},
		{"{\"command\":[\"a\"],\"env\":{\"A\":\"\",\"B\":\"\",\"C\":\"\"}}",
			"/env too-long"},
		{"{\"command\":[\"a\"],\"restart\":\"permanet\"}", "/restart enum"},
		{"{\"command\":[\"a\"],\"level\":2}", ""},
		{"{\"command\":[\"a\"],\"level\":3}", "/level enum"},
		{"{\"command\":[\"a\"],\"count\":0}", "/count out-of-range"},
		{"{\"command\":[\"a\"],\"count\":6}", "/count out-of-range"},
		{"{\"command\":[\"a\"],\"count\":2.0}", "/count type"},
		{"{\"command\":[\"a\"],\"factor\":2}", ""},
		{"{\"command\":[\"a\"],\"factor\":1.25}", "/factor out-of-range"},
		{"{\"command\":[\"a\"],\"on\":1}", "/on type"},
		{"{\"command\":[\"a\"],\"on\":null}", "/on type"},
		{"{\"command\":[\"a\"],\"name\":null}", ""},
		{"{\"command\":[\"a\"],\"name\":\"a\"}", "/name too-short"},
		{"{\"command\":[\"a\"],\"name\":\"\xC3\xBC\xC3\xBC\xC3\xBC\"}", ""},
		{"{\"command\":[\"a\"],\"name\":\"abcd\"}", "/name too-long"},
		{"{\"command\":[\"a\"],\"name\":\"aB\"}", "/name pattern"},
		{"{\"command\":[\"a\"],\"grace\":\"1s\"}", ""},
		{"{\"command\":[\"a\"],\"grace\":\"2s\"}", "/grace out-of-range"},
		{"{\"command\":[\"a\"],\"grace\":\"2x\"}", "/grace format"},
		{"{\"command\":[\"a\"],\"value\":[null]}", ""},
		{"{\"command\":[\"a\"],\"value\":null}", ""},
		{"{\"command\":[\"a\"],\"value\": 12345678}", ""},
		{"{\"command\":[\"a\"],\"value\": 123456789}", "/value too-long"},
		{"{\"command\":[\"a\"],\"a/b~c\":\"\"}", "/a~1b~0c type"},
		{"{\"command\":[\"a\"],\"child\":{\"command\":[1]}}", "/child/command/0 type"},
		{"{\"command\":[\"a\"],\"child\":{\"command\":[\"a\"],\"value\": [ 1, 2 , 34]}}",
			""},
		{"{\"command\":[\"a\"],\"child\":{\"command\":[\"a\"],\"value\":[1,2,345]}}",
			"/child/value too-long"},
		{"{\"command\":1,\"on\":2,\"x\":3}", "/command type /on type /x unknown-member"},
	};
	const struct schema *s = compile("spec");

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		check_row(s, &rows[i]);
}

/* What is said of a body, for text_fini. */
static struct text faults_of(const char *json)
{
	const struct schema_check how = {.raw = json, .raw_length = strlen(json)};
	json_t *value = json_loads(json, 0, NULL);
	struct faults faults = {0};
	struct text said;

	schema_check_body(compile("spec"), value, &how, &faults);
	json_decref(value);
	said = faults.items;
	faults.items = (struct text)TEXT_INIT;
	faults_fini(&faults);
	return said;
}

Test(schema, details_help)
{
	struct text said = faults_of("{\"comand\":1,\"restart\":\"permanet\"}");
	const char *text = text_cstr(&said);

	cr_expect(strstr(text, "did you mean 'command'?"), "%s", text);
	cr_expect(strstr(text, "must be one of permanent, transient (did you mean 'permanent'?)"),
		"%s", text);
	text_fini(&said);
}

Test(schema, a_pointer_is_cut_at_its_limit_and_between_characters)
{
	char name[2 * HTTP_POINTER_BYTES_MAX + 1], *pointer;
	struct faults faults = {0};
	json_t *item;
	size_t here;

	for (size_t i = 0; i < HTTP_POINTER_BYTES_MAX; i++)
		memcpy(name + 2 * i, "\xC3\xBC", 3);
	faults_begin(&faults, "/a");
	here = faults_enter(&faults, "b~c/d");
	faults_enter(&faults, name);
	faults_add_here(&faults, "type", "must be %s", "so");
	faults_leave(&faults, here);
	cr_expect_str_eq(text_cstr(&faults.pointer), "/a");
	item = json_loadb(faults.items.bytes, faults.items.used, 0, NULL);
	cr_assert(item, "%s", text_cstr(&faults.items));
	pointer = (char *)(uintptr_t)json_string_value(json_object_get(item, "pointer"));
	cr_expect_eq(strlen(pointer), HTTP_POINTER_BYTES_MAX - 1);
	pointer[12] = '\0';
	cr_expect_str_eq(pointer, "/a/b~0c~1d/\xC3");
	json_decref(item);
	faults_fini(&faults);
}

Test(schema, limits_are_told_as_they_are)
{
	struct text said =
		faults_of("{\"command\":[\"a\"],\"factor\":1,\"most\":9007199254740992}");
	const char *text = text_cstr(&said);

	cr_expect(strstr(text, "must be at least 1.5\""), "%s", text);
	cr_expect(strstr(text, "must be at most 9007199254740991\""), "%s", text);
	text_fini(&said);
}

Test(schema, the_list_of_faults_is_bounded)
{
	const struct schema_check how = {.raw = "", .raw_length = 0};
	const struct schema *s = compile("list");
	json_t *value = json_pack("[]");
	struct faults faults = {0};

	for (int i = 0; i < 1000; i++)
		json_array_append_new(value, json_integer(i));
	schema_check_body(s, value, &how, &faults);
	cr_expect_eq(faults.count, HTTP_FAULTS_MAX);
	faults_fini(&faults);
	json_decref(value);
}

Test(schema, parameters_are_typed_text)
{
	static const struct {
		const char *schema, *text;
		bool joined;
		const char *code;
	} rows[] = {
		{"list", "a", false, NULL},
		{"list", "a,b", true, NULL},
		{"list", "a,c", true, "enum"},
		{"list", "a,", true, "enum"},
		{"list", "a,b", false, "enum"},
		{"number", "12", false, NULL},
		{"number", "5s", false, NULL},
		{"number", "10s", false, "out-of-range"},
		{"number", "", false, "type"},
		{"number", "1.5", false, "type"},
		{"number", "99999999999999999999", false, "type"},
	};
	char detail[HTTP_WHY_BYTES];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *code = schema_check_text(
			compile(rows[i].schema), rows[i].text, rows[i].joined, detail);

		cr_expect(rows[i].code ? code && strcmp(code, rows[i].code) == 0 : !code,
			"row %zu: %s", i, code ? code : "none");
	}
}

Test(schema, what_nobody_checks_is_refused)
{
	static const char *const bad[] = {"{type: strin}", "{oneOf: []}",
		"{type: string, pattern: '('}", "{required: [a]}", "{minLength: x}", "{enum: []}",
		"{$ref: '#/none'}", "{$ref: '#/a'}"};
	char yaml[100], why[HTTP_WHY_BYTES];
	const struct schema *s;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(yaml, sizeof(yaml), "a: %s\n", bad[i]);
		cr_assert_eq(
			markup_load(&arena, yaml, strlen(yaml), &root, why), ERR_OK, "%s", why);
		set.root = root;
		cr_expect_eq(schema_compile(&set, markup_get(root, "a"), &s, why), ERR_MALFORMED,
			"%s", bad[i]);
		cr_expect(strstr(why, "line 1"), "%s", why);
	}
}
