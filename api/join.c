/*
 * joinCluster: one hello to each address; the core tries each once and says what became of it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/cluster.h"
#include "api/resource.h"

#define JOIN_ADDRESSES_MAX 64
#define WAIT_JOIN_MS 5000

struct joining {
	size_t count;
	size_t joined;
	bool mismatch; /* an address belongs to another cluster */
	bool name_taken;
	struct address {
		const char *given; /* in the request's body, which stays */
		char url[URL_BYTES_MAX + 1];
		enum link_result result;
		enum err err;
	} addresses[JOIN_ADDRESSES_MAX];
};

/* `host:port` means http; a slash at the end means nothing. False when it is too long. */
static bool normalise(const char *given, char ret_url[URL_BYTES_MAX + 1])
{
	const char *scheme = strstr(given, "://") ? "" : "http://";
	int length = snprintf(ret_url, URL_BYTES_MAX + 1, "%s%s", scheme, given);

	if (length < 0 || length > URL_BYTES_MAX)
		return false;
	if (length > 0 && ret_url[length - 1] == '/')
		ret_url[length - 1] = '\0';
	return true;
}

/* Says hello to all; NULL when a problem was answered, and nothing was asked then. */
static struct joining *begin(struct exchange *x)
{
	const json_t *addresses = json_object_get(exchange_body(x), "addresses");
	const struct service *service = resource_service(x);
	struct joining *j = calloc(1, sizeof(*j));

	if (!j) {
		exchange_fail(x, ERR_NO_MEMORY);
		return NULL;
	}
	exchange_state_set(x, j, free);
	for (; j->count < json_array_size(addresses) && j->count < JOIN_ADDRESSES_MAX; j->count++) {
		struct address *a = &j->addresses[j->count];
		char pointer[32];

		a->given = json_string_value(json_array_get(addresses, j->count));
		if (normalise(a->given, a->url))
			continue;
		snprintf(pointer, sizeof(pointer), "/addresses/%zu", j->count);
		exchange_fault(x, pointer, "too-long", "at most %d bytes", URL_BYTES_MAX);
		exchange_problem(x, PROBLEM_INVALID_SPEC, "an address is too long");
		return NULL;
	}
	for (size_t i = 0; i < j->count; i++) {
		struct command_result result;
		struct event e = {.kind = EVENT_JOIN};
		struct address *a = &j->addresses[i];

		e.join.url = a->url;
		a->err = service->command(service->node, &e, &result);
		a->result = a->err == ERR_OK ? LINK_PENDING : LINK_FAILED;
	}
	return j;
}

/* True when every address has been decided. */
static bool look(const struct horde *h, struct joining *j)
{
	bool decided = true;

	j->joined = 0;
	for (size_t i = 0; i < j->count; i++) {
		struct address *a = &j->addresses[i];

		if (a->result == LINK_PENDING)
			a->result = horde_link_result(h, a->url, &a->err);
		decided = decided && a->result != LINK_PENDING;
		j->joined += a->result == LINK_JOINED;
		if (a->result != LINK_FAILED)
			continue;
		j->mismatch = j->mismatch || a->err == ERR_CLUSTER_MISMATCH;
		j->name_taken = j->name_taken || a->err == ERR_NAME_TAKEN;
	}
	return decided;
}

static enum problem_code problem_of_link(enum err e)
{
	if (e == ERR_CLUSTER_MISMATCH || e == ERR_NAME_TAKEN || e == ERR_FORBIDDEN ||
		e == ERR_NOT_READY || e == ERR_SHUTTING_DOWN)
		return problem_of(e);
	return e == ERR_PROTOCOL ? PROBLEM_UNSUPPORTED : PROBLEM_PEER_UNREACHABLE;
}

static void put_failed(struct text *out, const struct joining *j)
{
	json_key(out, "failed");
	json_array(out);
	for (size_t i = 0; i < j->count; i++) {
		const struct address *a = &j->addresses[i];
		bool pending = a->result == LINK_PENDING;
		enum problem_code p = pending ? PROBLEM_PEER_UNREACHABLE : problem_of_link(a->err);
		const char *detail = pending ? "it has not answered yet"
				     : a->err == ERR_UNREACHABLE
					     ? "it refuses the connection, or is silent"
					     : err_text(a->err);

		if (a->result == LINK_JOINED)
			continue;
		json_object(out);
		json_put_string(out, "address", a->given);
		json_key(out, "problem");
		json_object(out);
		json_put_string(out, "code", problem_slug(p));
		json_put_string(out, "title", problem_title(p));
		json_put_string(out, "detail", detail);
		json_end_object(out);
		json_end_object(out);
	}
	json_end_array(out);
}

static void reply(struct exchange *x, const struct joining *j)
{
	struct text body = TEXT_INIT;

	if (j->joined == 0) {
		enum problem_code p = j->mismatch     ? PROBLEM_CLUSTER_MISMATCH
				      : j->name_taken ? PROBLEM_NAME_TAKEN
						      : PROBLEM_PEER_UNREACHABLE;

		put_failed(exchange_extra(x), j);
		exchange_problem(x, p, "none of %zu addresses could be joined", j->count);
		return;
	}
	json_object(&body);
	json_key(&body, "joined");
	json_array(&body);
	for (size_t i = 0; i < j->count; i++) {
		if (j->addresses[i].result == LINK_JOINED)
			json_string(&body, j->addresses[i].given);
	}
	json_end_array(&body);
	put_failed(&body, j);
	json_end_object(&body);
	exchange_reply(x, 200, &body);
}

void join_cluster(struct exchange *x)
{
	int64_t deadline = resource_deadline_ms(x, WAIT_JOIN_MS);
	struct joining *j = exchange_state(x);

	if (!j && !(j = begin(x)))
		return;
	if (look(resource_horde(x), j) || resource_late(x, deadline)) {
		reply(x, j);
		return;
	}
	exchange_watch_prefix(x, "member/", strlen("member/"));
	exchange_park(x, deadline);
}
