#include "api/health.h"

#include "api/resource.h"

#define API_VERSION 1
#define CHECKS 4

struct node_check {
	const char *name;
	bool ok;
	const char *missing; /* said when it is not */
};

static void list_checks(struct readiness r, struct node_check ret_checks[CHECKS])
{
	ret_checks[0] = (struct node_check){"cluster", r.cluster,
		"the cluster's id is not known and stored: no address to join has answered yet"};
	ret_checks[1] = (struct node_check){
		"synced", r.synced, "the first sync with every known member is not over"};
	ret_checks[2] = (struct node_check){"storing", r.storing, "the last commit failed"};
	ret_checks[3] = (struct node_check){"running", r.running, "the node is shutting down"};
}

static void put_checks(struct text *out, const struct node_check checks[CHECKS])
{
	json_key(out, "checks");
	json_array(out);
	for (int i = 0; i < CHECKS; i++) {
		json_object(out);
		json_put_string(out, "name", checks[i].name);
		json_put_bool(out, "ok", checks[i].ok);
		if (!checks[i].ok)
			json_put_string(out, "detail", checks[i].missing);
		json_end_object(out);
	}
	json_end_array(out);
}

static void get_readyz(struct exchange *x)
{
	struct readiness r = horde_readiness(resource_horde(x));
	bool verbose = exchange_query_bool(x, "verbose", false);
	struct node_check checks[CHECKS];
	const char *missing = NULL;
	struct text body = TEXT_INIT;

	list_checks(r, checks);
	/* The last one is the reason that explains the others. */
	for (int i = 0; i < CHECKS; i++)
		missing = checks[i].ok ? missing : checks[i].missing;
	if (missing) {
		if (verbose)
			put_checks(exchange_extra(x), checks);
		resource_put_silent(x);
		exchange_problem(
			x, r.running ? PROBLEM_NOT_READY : PROBLEM_SHUTTING_DOWN, "%s", missing);
		return;
	}
	json_object(&body);
	json_put_string(&body, "status", "ready");
	if (verbose)
		put_checks(&body, checks);
	json_end_object(&body);
	exchange_reply(x, 200, &body);
}

static void put_range(struct text *out, const char *name, unsigned min, unsigned max)
{
	json_key(out, name);
	json_object(out);
	json_put_uint(out, "min", min);
	json_put_uint(out, "max", max);
	json_end_object(out);
}

static void get_version(struct exchange *x)
{
	struct text body = TEXT_INIT;

	json_object(&body);
	json_put_string(&body, "version", resource_service(x)->version);
	put_range(&body, "api", API_VERSION, API_VERSION);
	put_range(&body, "peer_protocol", PROTOCOL_VERSION, PROTOCOL_VERSION);
	json_key(&body, "features");
	json_array(&body);
	json_end_array(&body);
	json_end_object(&body);
	exchange_reply(x, 200, &body);
}

const struct binding health_bindings[] = {
	{"getReadyz", get_readyz},
	{"getVersion", get_version},
	{NULL, NULL},
};
