#include "server/peers_inside.h"

#include "api/json.h"
#include <stdio.h>
#include <string.h>

static void put_origin(struct text *out, const char *name, struct origin_id id)
{
	char hex[ORIGIN_HEX_BYTES];

	origin_to_hex(id, hex);
	json_put_string(out, name, origin_is_zero(id) ? "none" : hex);
}

void peers_hello_write(struct text *out, const struct hello *self)
{
	json_object(out);
	json_put_string(out, "cluster", self->cluster);
	put_origin(out, "cluster_id", self->cluster_id);
	put_origin(out, "node_id", self->node_id);
	json_put_string(out, "name", self->name);
	put_origin(out, "incarnation", self->incarnation);
	json_put_string(out, "url", self->url);
	json_put_bool(out, "virgin", self->virgin);
	json_put_uint(out, "protocol_min", self->protocol_min);
	json_put_uint(out, "protocol_max", self->protocol_max);
	json_put_uint(out, "started", self->started);
	json_put_uint(out, "clk", self->clock);
	json_end_object(out);
}

/* The answer is checked like a request is: a text that is missing, or does not fit, is malformed.
 */
static bool get_text(const json_t *object, const char *name, char *ret, size_t size)
{
	const json_t *value = json_object_get(object, name);

	if (!json_is_string(value) || json_string_length(value) == 0 ||
		json_string_length(value) >= size)
		return false;
	memcpy(ret, json_string_value(value), json_string_length(value) + 1);
	return strlen(ret) == json_string_length(value);
}

static bool get_origin(const json_t *object, const char *name, bool optional, struct origin_id *ret)
{
	const char *hex = json_string_value(json_object_get(object, name));

	if (!hex)
		return false;
	if (optional && strcmp(hex, "none") == 0)
		return true;
	return origin_from_hex(hex, ret) && !origin_is_zero(*ret);
}

static bool get_number(const json_t *object, const char *name, int64_t max, int64_t *ret)
{
	const json_t *value = json_object_get(object, name);

	*ret = json_integer_value(value);
	return json_is_integer(value) && *ret >= 0 && *ret <= max;
}

static bool get_hello(const json_t *root, struct hello *h)
{
	int64_t min, max, started, clock;

	if (!get_number(root, "protocol_min", UINT16_MAX, &min) ||
		!get_number(root, "protocol_max", UINT16_MAX, &max) ||
		!get_number(root, "started", INT64_MAX, &started) ||
		!get_number(root, "clk", INT64_MAX, &clock))
		return false;
	h->protocol_min = (uint32_t)min;
	h->protocol_max = (uint32_t)max;
	h->started = (uint64_t)started;
	h->clock = (uint64_t)clock;
	h->virgin = json_is_true(json_object_get(root, "virgin"));
	return get_text(root, "cluster", h->cluster, sizeof h->cluster) &&
	       get_text(root, "name", h->name, sizeof h->name) &&
	       get_text(root, "url", h->url, sizeof h->url) &&
	       get_origin(root, "cluster_id", true, &h->cluster_id) &&
	       get_origin(root, "node_id", false, &h->node_id) &&
	       get_origin(root, "incarnation", false, &h->incarnation);
}

enum err peers_hello_read(const char *json, size_t bytes, struct hello *ret)
{
	struct hello h = {0};
	json_error_t error;
	json_t *root = json_loadb(json, bytes, JSON_REJECT_DUPLICATES, &error);
	enum err e = ERR_OK;

	if (!root)
		return json_error_code(&error) == json_error_out_of_memory ? ERR_NO_MEMORY
									   : ERR_MALFORMED;
	if (!get_hello(root, &h))
		e = ERR_MALFORMED;
	else if (h.protocol_min > PROTOCOL_VERSION || h.protocol_max < PROTOCOL_VERSION)
		e = ERR_PROTOCOL;
	else
		*ret = h;
	json_decref(root);
	return e;
}

void peers_goodbye_write(struct text *out, const struct hello *self, enum goodbye_reason reason,
	int64_t back_within_ms)
{
	json_object(out);
	put_origin(out, "node_id", self->node_id);
	put_origin(out, "incarnation", self->incarnation);
	json_put_string(out, "reason", reason == GOODBYE_RESTART ? "restart" : "leave");
	if (reason == GOODBYE_RESTART)
		json_put_int(out, "back_within_ms", back_within_ms);
	json_end_object(out);
}

enum err peers_problem_read(long status, const char *json, size_t bytes)
{
	static const struct {
		const char *code;
		enum err err;
	} codes[] = {{"cluster-mismatch", ERR_CLUSTER_MISMATCH}, {"name-taken", ERR_NAME_TAKEN},
		{"not-a-member", ERR_FORBIDDEN}, {"forbidden", ERR_FORBIDDEN},
		{"unauthorized", ERR_FORBIDDEN}, {"host-not-allowed", ERR_FORBIDDEN},
		{"unsupported", ERR_PROTOCOL}, {"not-ready", ERR_NOT_READY},
		{"shutting-down", ERR_SHUTTING_DOWN}, {"overloaded", ERR_LIMIT},
		{"unknown-link", ERR_UNKNOWN_LINK}};
	json_t *root = json_loadb(json, bytes, 0, NULL);
	const char *code = json_string_value(json_object_get(root, "code"));
	enum err e = status == 401 || status == 403 ? ERR_FORBIDDEN : ERR_MALFORMED;

	for (size_t i = 0; code && i < sizeof codes / sizeof codes[0]; i++)
		if (strcmp(code, codes[i].code) == 0)
			e = codes[i].err;
	json_decref(root);
	return e;
}
