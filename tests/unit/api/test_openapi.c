/* Documents: what is understood, what is refused, and that the real ones are good. */
#include <criterion/criterion.h>
#include <string.h>

#include "api/document.h"
#include "api/openapi.h"

static const char small[] = "openapi: 3.0.3\n"
			    "servers: [{url: /peer/v1}]\n"
			    "paths:\n"
			    "  /things/{id}:\n"
			    "    parameters:\n"
			    "      - $ref: '#/components/parameters/Id'\n"
			    "    put:\n"
			    "      operationId: putThing\n"
			    "      security: []\n"
			    "      parameters:\n"
			    "        - {name: until, in: query, explode: false, schema: {type: "
			    "array, items: {type: string}}}\n"
			    "      requestBody:\n"
			    "        required: true\n"
			    "        x-max-bytes: 77\n"
			    "        content: {application/json: {schema: {type: object}}}\n"
			    "    get:\n"
			    "      operationId: getThing\n"
			    "components:\n"
			    "  parameters:\n"
			    "    Id: {name: id, in: path, required: true, x-error-status: 400, "
			    "schema: {type: string}}\n";

static enum err load(struct openapi *o, const char *yaml, char why[HTTP_WHY_BYTES])
{
	return openapi_load(o, yaml, strlen(yaml), true, why);
}

Test(openapi, reads_operations_parameters_and_bodies)
{
	char why[HTTP_WHY_BYTES];
	struct openapi o;
	const struct operation *op;

	cr_assert_eq(load(&o, small, why), ERR_OK, "%s", why);
	cr_assert_eq(o.operation_count, 2);
	op = &o.operations[0];
	cr_assert_str_eq(op->id, "putThing");
	cr_assert_str_eq(op->path, "/peer/v1/things/{id}");
	cr_assert(op->peers && op->open && op->body_required);
	cr_assert_eq(op->body_kind, BODY_JSON);
	cr_assert_eq(op->body_bytes_max, 77);
	cr_assert_eq(op->parameter_count, 2);
	cr_assert_eq(op->parameters[0].segment, 3);
	cr_assert_eq(op->parameters[0].error_status, 400);
	cr_assert(op->parameters[1].joined);
	cr_assert_eq(o.operations[1].body_kind, BODY_NONE);
	cr_assert_not(o.operations[1].open);
	openapi_fini(&o);
}

Test(openapi, refuses_what_it_cannot_mean_and_names_the_line)
{
	static const struct {
		const char *yaml;
		const char *why;
	} rows[] = {
		{"paths: {/a: {get: {summary: x}}}", "operationId"},
		{"paths:\n  /a: {get: {operationId: a}}\n  /b: {get: {operationId: a}}\n",
			"line 3"},
		{"paths: {/a/{b}: 1}", "line 1"},
		{"paths: {'/a/{b}': {get: {operationId: a}}}", "path parameters"},
		{"paths: {/a: {get: {operationId: a, parameters: [{name: b, in: path, schema: "
		 "{type: string}}]}}}",
			"does not have"},
		{"paths: {/a: {get: {operationId: a, parameters: [{name: b, in: query}]}}}",
			"no schema"},
		{"paths: {/a: {get: {operationId: a, parameters: [{name: b, in: query, schema: "
		 "{oneOf: []}}]}}}",
			"oneOf"},
		{"paths: {/a: {post: {operationId: a, requestBody: {$ref: '#/nothing'}}}}",
			"content"},
		{"info: {}", "no paths"},
		{"", "empty"},
		{"a: 1\na: 2\n", "duplicate key 'a'"},
	};
	char why[HTTP_WHY_BYTES];
	struct openapi o;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		cr_expect_eq(load(&o, rows[i].yaml, why), ERR_MALFORMED, "row %zu", i);
		cr_expect(strstr(why, rows[i].why), "row %zu: %s", i, why);
	}
}

Test(openapi, the_embedded_documents_are_good)
{
	char why[HTTP_WHY_BYTES] = "";
	struct openapi users, peers;

	cr_assert_eq(openapi_load(&users, document_openapi, document_openapi_length(), false, why),
		ERR_OK, "%s", why);
	cr_assert_eq(openapi_load(&peers, document_peer, document_peer_length(), true, why), ERR_OK,
		"%s", why);
	cr_expect_gt(users.operation_count, 20);
	cr_expect_gt(peers.operation_count, 2);
	for (size_t i = 0; i < peers.operation_count; i++)
		cr_expect_eq(strncmp(peers.operations[i].path, "/peer/v1/", 9), 0, "%s",
			peers.operations[i].path);
	openapi_fini(&users);
	openapi_fini(&peers);
}
