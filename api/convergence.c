/*
 * getConvergence: how far this node and its peers are apart, as this node knows it without asking
 * anybody. It changes with every poll, so it has no ETag and cannot be waited for.
 */
#include "api/cluster.h"

#include <stdio.h>

#include "api/resource.h"
#include "server/core/report.h"

static void put_digest(struct text *out, const char *name, struct digest d)
{
	char hex[33];

	snprintf(hex, sizeof(hex), "%016llx%016llx", (unsigned long long)d.sums[0],
		(unsigned long long)d.sums[1]);
	json_put_string(out, name, hex);
}

static void put_peer(const struct exchange *x, struct text *out, const struct peer_report *r)
{
	json_object(out);
	json_put_string(out, "name", r->name);
	json_put_origin(out, "node_id", r->node_id);
	json_put_bool(out, "connected", r->connected);
	json_put_bool(out, "vectors_equal", r->vectors_equal);
	json_put_bool(out, "digests_equal", r->digests_equal);
	json_put_bool(out, "diverged", r->diverged);
	json_put_count(out, "lag_events", r->lag_events);
	json_put_count(out, "behind_events", r->behind);
	json_put_count(out, "unacknowledged_events", r->ahead);
	json_put_count(out, "bytes_received", r->bytes_received);
	json_put_count(out, "bytes_sent", r->bytes_sent);
	json_put_count(out, "held", r->held);
	if (r->synced_ms > 0)
		json_put_time(
			out, "last_sync_at", wall_now_ms() - (exchange_now_ms(x) - r->synced_ms));
	json_end_object(out);
}

static void put_peers(const struct exchange *x, struct text *out)
{
	const struct horde *h = resource_horde(x);

	json_key(out, "peers");
	json_array(out);
	for (size_t i = 0; i < horde_member_count(h); i++) {
		struct peer_report r;

		if (horde_report_peer(h, horde_member_at(h, i), &r))
			put_peer(x, out, &r);
	}
	json_end_array(out);
}

void get_convergence(struct exchange *x)
{
	const struct horde *h = resource_horde(x);
	struct text body = TEXT_INIT;
	struct report r;

	horde_report(h, &r);
	json_object(&body);
	json_put_string(&body, "node", horde_config(h)->name);
	json_put_bool(&body, "converged", r.converged);
	put_digest(&body, "digest", r.digest);
	json_put_count(&body, "origins", r.origins);
	json_put_count(&body, "retired_origins", r.retired);
	json_put_count(&body, "kill_records", r.kill_records);
	put_peers(x, &body);
	json_end_object(&body);
	exchange_reply(x, 200, &body);
}
