#include "api/endpoint.h"

#include <stdio.h>
#include <string.h>

#include "api/json_text.h"

/* "http://[::1]:4750" is ::1 */
static bool host_of(const char *url, char ret_host[URL_BYTES_MAX + 1])
{
	const char *at = strstr(url, "://"), *end;

	at = at ? at + 3 : url;
	if (*at == '[') {
		end = strchr(++at, ']');
	} else {
		end = at + strcspn(at, ":/");
	}
	if (!end || end == at || (size_t)(end - at) > URL_BYTES_MAX)
		return false;
	memcpy(ret_host, at, (size_t)(end - at));
	ret_host[end - at] = '\0';
	return true;
}

/* A whole number that is a port, as the whole text; else 0. */
static uint16_t port_of(const char *text, size_t bytes)
{
	unsigned port = 0;

	if (bytes == 0 || bytes > 5)
		return 0;
	for (size_t i = 0; i < bytes; i++) {
		if (text[i] < '0' || text[i] > '9')
			return 0;
		port = 10 * port + (unsigned)(text[i] - '0');
	}
	return port <= UINT16_MAX ? (uint16_t)port : 0;
}

static uint16_t port_of_value(const struct entry *e)
{
	size_t bytes, port_bytes;
	const char *raw = entry_raw(e, &bytes), *port;

	if (bytes < 2 || raw[0] != '{')
		return 0;
	port = json_member(raw, bytes, "port", &port_bytes);
	return port ? port_of(port, port_bytes) : 0;
}

static uint16_t port_of_child(const struct status_record *s)
{
	for (uint32_t i = 0; s && i < s->ports.count; i++)
		if (strcmp(s->ports.items[i].name, "http") == 0)
			return s->ports.items[i].number;
	return s && s->ports.count > 0 ? s->ports.items[0].number : 0;
}

static uint16_t find_port(const struct horde *h, const struct entry *e, const char *ref)
{
	uint16_t port = port_of_value(e);
	struct child_view v;

	if (port)
		return port;
	horde_child(h, ref, &v);
	return port_of_child(v.status && v.status->record ? &v.status->record->status : NULL);
}

bool endpoint_of(const struct horde *h, const struct entry *e, struct endpoint *ret)
{
	const struct member *m;
	struct entry_record r;

	if (!entry_name(e, &r) || r.owner_kind != OWNER_CHILD)
		return false;
	m = horde_member_by_id(h, r.node);
	ret->port = find_port(h, e, r.owner_id);
	if (!m || !m->record || ret->port == 0)
		return false;
	ret->node = m->record->name;
	return host_of(m->record->url, ret->host);
}

void endpoint_put(struct text *out, const struct horde *h, const struct entry *e)
{
	struct endpoint at;

	json_put_bool(out, "ready", horde_entry_ready(h, e));
	if (!endpoint_of(h, e, &at))
		return;
	json_key(out, "endpoint");
	json_object(out);
	json_put_string(out, "node", at.node);
	json_put_string(out, "host", at.host);
	json_put_uint(out, "port", at.port);
	json_end_object(out);
}

/* That its node is out of reach is an opinion, and no part of this. */
uint64_t endpoint_hash(const struct horde *h, const struct entry *e)
{
	struct entry_record r;

	if (!entry_name(e, &r) || r.owner_kind != OWNER_CHILD)
		return 0;
	return hash_pair(horde_owner_ready(h, &r), find_port(h, e, r.owner_id));
}

void endpoint_watch(struct exchange *x, const struct entry *e)
{
	char key[KEY_BYTES_MAX + 1];
	struct entry_record r;

	if (entry_name(e, &r) && r.owner_kind == OWNER_CHILD)
		exchange_watch_key(
			x, key, (size_t)snprintf(key, sizeof(key), "status/%s", r.owner_id));
}
