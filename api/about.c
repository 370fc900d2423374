#include "api/about.h"

#include "api/document.h"
#include "api/exchange.h"

static void get_livez(struct exchange *x)
{
	struct text body = TEXT_INIT;

	json_object(&body);
	json_put_string(&body, "status", "alive");
	if (exchange_query_bool(x, "verbose", false)) {
		json_key(&body, "checks");
		json_array(&body);
		json_object(&body);
		json_put_string(&body, "name", "loop");
		json_put_bool(&body, "ok", true);
		json_end_object(&body);
		json_end_array(&body);
	}
	json_end_object(&body);
	exchange_reply(x, 200, &body);
}

static void get_openapi_yaml(struct exchange *x)
{
	exchange_reply_static(
		x, 200, "application/yaml", document_openapi, document_openapi_length());
}

static void get_openapi_json(struct exchange *x)
{
	const struct text *json = http_json(exchange_http(x));
	struct text body = TEXT_INIT;

	text_add(&body, json->bytes, json->used);
	body.failed |= json->failed;
	exchange_reply(x, 200, &body);
}

const struct binding about_bindings[] = {
	{"getLivez", get_livez},
	{"getOpenapiYaml", get_openapi_yaml},
	{"getOpenapiJson", get_openapi_json},
	{NULL, NULL},
};
