#include "api/dispatch.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/endpoint.h"
#include "api/json_read.h"

static bool url_part(CURLU *url, CURLUPart part, unsigned flags, char *out, size_t size)
{
	char *text = NULL;
	bool fits = curl_url_get(url, part, &text, flags) == CURLUE_OK && strlen(text) < size;

	if (fits)
		memcpy(out, text, strlen(text) + 1);
	curl_free(text);
	return fits;
}

/* "[::1]" is ::1 */
static void strip_brackets(char *host)
{
	size_t length = strlen(host);

	if (length < 2 || host[0] != '[' || host[length - 1] != ']')
		return;
	memmove(host, host + 1, length - 2);
	host[length - 2] = '\0';
}

/* http alone, and nothing in it but host, port and path. */
static bool read_url(const char *text, struct dispatch_target *ret)
{
	static const CURLUPart others[] = {
		CURLUPART_USER, CURLUPART_PASSWORD, CURLUPART_QUERY, CURLUPART_FRAGMENT};
	CURLU *url = curl_url();
	char port[8], scheme[8];
	bool good = url && curl_url_set(url, CURLUPART_URL, text, 0) == CURLUE_OK &&
		    url_part(url, CURLUPART_SCHEME, 0, scheme, sizeof(scheme)) &&
		    strcmp(scheme, "http") == 0 &&
		    url_part(url, CURLUPART_HOST, 0, ret->host, sizeof(ret->host)) &&
		    url_part(url, CURLUPART_PORT, CURLU_DEFAULT_PORT, port, sizeof(port)) &&
		    url_part(url, CURLUPART_PATH, 0, ret->base, sizeof(ret->base));

	for (size_t i = 0; good && i < sizeof(others) / sizeof(others[0]); i++) {
		char *there = NULL;

		good = curl_url_get(url, others[i], &there, 0) != CURLUE_OK;
		curl_free(there);
	}
	curl_url_cleanup(url);
	if (!good)
		return false;
	ret->port = (uint16_t)strtoul(port, NULL, 10);
	strip_brackets(ret->host);
	for (size_t n = strlen(ret->base); n && ret->base[n - 1] == '/'; n--)
		ret->base[n - 1] = '\0';
	return ret->port != 0;
}

/* The value's own place. */
static bool read_value(const json_t *value, struct dispatch_target *ret)
{
	const char *url = json_string_value(json_object_get(value, "url"));
	const char *host = json_string_value(json_object_get(value, "host"));
	json_int_t port = json_integer_value(json_object_get(value, "port"));

	if (url)
		return read_url(url, ret);
	if (!host || port < 1 || port > UINT16_MAX || strlen(host) >= sizeof(ret->host))
		return false;
	for (const char *p = host; *p; p++)
		if (*p <= ' ' || strchr("/?#@\x7f\\%", *p))
			return false;
	memcpy(ret->host, host, strlen(host) + 1);
	strip_brackets(ret->host);
	ret->port = (uint16_t)port;
	return ret->host[0] != '\0';
}

static bool by_value(struct exchange *x, const struct entry *e, struct dispatch_target *ret)
{
	const struct service *s = resource_service(x);
	size_t bytes;
	const char *raw = entry_raw(e, &bytes);
	json_t *value = NULL;
	bool found;

	*ret = (struct dispatch_target){.port = 0};
	if (bytes < 2 || raw[0] != '{' || json_read(raw, bytes, 0, &value) != ERR_OK)
		return false;
	found = read_value(value, ret) && s->dispatch->allowed(s->node, ret->host, ret->port);
	json_decref(value);
	if (found)
		memcpy(ret->name, ret->host, sizeof(ret->name));
	return found;
}

static bool by_owner(struct exchange *x, const struct entry *e, struct dispatch_target *ret)
{
	struct endpoint at;

	*ret = (struct dispatch_target){.port = 0};
	if (!endpoint_of(resource_horde(x), e, &at) || strlen(at.host) >= sizeof(ret->host) ||
		strlen(at.node) >= sizeof(ret->name))
		return false;
	memcpy(ret->host, at.host, strlen(at.host) + 1);
	memcpy(ret->name, at.node, strlen(at.node) + 1);
	ret->port = at.port;
	return true;
}

bool dispatch_target(struct exchange *x, const struct entry *e, struct dispatch_target *ret)
{
	const char *key = exchange_path(x, "key");

	if (!by_value(x, e, ret) && !by_owner(x, e, ret)) {
		exchange_problem(x, PROBLEM_NO_ENDPOINT,
			"the owner of '%s' has no port, and its value names no place that this "
			"node's --dispatch-hosts have",
			key);
		return false;
	}
	if (!horde_entry_ready(resource_horde(x), e)) {
		exchange_problem(x, PROBLEM_NO_ENDPOINT, "the owner of '%s' is not ready", key);
		return false;
	}
	return true;
}
