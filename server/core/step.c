/* One event in, actions out. */
#include "server/core/parts.h"

#include <stdlib.h>
#include <string.h>

enum err horde_new(const struct horde_config *config, struct horde **ret_horde)
{
	struct horde *h = calloc(1, sizeof(*h));
	char *name = strdup(config->name), *url = strdup(config->url);
	char *cluster = strdup(config->cluster);
	char *local = strdup(config->local_url ? config->local_url : config->url);
	char *dirs = config->run_dirs ? strdup(config->run_dirs) : NULL;

	if (!h || !local || (config->run_dirs && !dirs) || !name || !url || !cluster ||
		held_new(&h->held) != ERR_OK ||
		events_new(config->incarnation, &h->events) != ERR_OK ||
		map_new(config->incarnation, 0, &h->map) != ERR_OK) {
		free(name);
		free(url);
		free(cluster);
		free(local);
		free(dirs);
		if (h) {
			held_free(h->held);
			events_free(h->events);
		}
		free(h);
		return ERR_NO_MEMORY;
	}
	h->config = *config;
	h->config.name = name;
	h->config.url = url;
	h->config.cluster = cluster;
	h->config.local_url = local;
	h->config.run_dirs = dirs;
	if (h->config.port_last == 0) {
		h->config.port_first = PORT_FIRST;
		h->config.port_last = PORT_LAST;
	}
	h->batch = 1;
	h->children = TREE_INIT(struct child, node, ref);
	locks_init(h);
	h->withdraw_ms = INT64_MAX;
	leases_init(h);
	h->retry_ms = h->review_ms = h->expiry_ms = h->truncate_ms = INT64_MAX;
	h->health_ms = h->replies_ms = INT64_MAX;
	map_batch_set(h->map, h->batch);
	*ret_horde = h;
	return ERR_OK;
}

void horde_free(struct horde *h)
{
	if (!h)
		return;
	for (struct child *c = h->all; c; c = c->next)
		c->dirty = false;
	while (h->all)
		child_bury(h, h->all);
	children_sweep(h);
	for (size_t i = 0; i < h->link_count; i++)
		sync_fini(&h->links[i]);
	acks_fini(h);
	locks_fini(h);
	leases_fini(h);
	held_free(h->held);
	events_free(h->events);
	text_fini(&h->telling);
	map_free(h->map);
	free((char *)(uintptr_t)h->config.name);
	free((char *)(uintptr_t)h->config.url);
	free((char *)(uintptr_t)h->config.cluster);
	free((char *)(uintptr_t)h->config.local_url);
	free((char *)(uintptr_t)h->config.run_dirs);
	free(h);
}

static enum err on_start(struct horde *h, const struct event *e)
{
	h->begun = true;
	h->start_ms = h->now_ms;
	h->rescan = true;
	h->members_stale = true;
	replies_begin(h);
	if (!origin_is_zero(e->start.cluster_id)) {
		struct hello known = {.cluster_id = e->start.cluster_id};
		enum err err;

		memcpy(known.cluster, h->config.cluster, strlen(h->config.cluster) + 1);
		err = contact_agree(h, &known);
		h->cluster_batch = 0;
		return err;
	}
	contact_found(h);
	return ERR_OK;
}

static enum err on_stored(struct horde *h, const struct event *e)
{
	if (h->store_error != ERR_OK)
		say(h, "storage.recovered", h->config.name, "batch %llu is on disk",
			(unsigned long long)e->stored.batch);
	h->store_error = ERR_OK;
	h->stored = e->stored.batch;
	acks_stored(h, h->stored);
	sync_stored(h);
	for (struct child *c = h->all; c; c = c->next)
		if (c->waiting)
			child_mark_it(h, c);
	return ERR_OK;
}

static enum err on_store_failed(struct horde *h, const struct event *e)
{
	if (h->store_error == ERR_OK)
		say(h, "storage.error", h->config.name, "%s", err_text(e->stored.err));
	h->store_error = e->stored.err;
	sync_stored(h); /* who waits for the disk waits no longer */
	return ERR_OK;
}

static enum err on_link(struct horde *h, const struct event *e)
{
	struct link *l = link_by_id(h, e->link);

	if (!l || h->stopping || (l->state != LINK_GREETING && l->state != LINK_POLLING))
		return ERR_OK; /* nothing is under way there: a late report of what was dropped */
	if (e->kind == EVENT_HELLO_ANSWERED)
		link_answered(h, l, e->hello);
	else if (e->kind == EVENT_FRAGMENT)
		sync_answered(h, l, e);
	else if (e->kind == EVENT_LINK_REFUSED)
		link_refused(h, l);
	else if (e->kind == EVENT_LINK_LOST)
		link_lost(h, l);
	else if (e->kind == EVENT_LINK_SILENT)
		link_silent(h, l);
	else
		link_rejected(h, l, e->rejected.err);
	return ERR_OK;
}

static enum err on_join(struct horde *h, const struct event *e)
{
	return link_join(h, e->join.url, e->join.keep);
}

static enum err on_hello(struct horde *h, const struct event *e)
{
	if (h->stopping)
		return ERR_SHUTTING_DOWN;
	return contact_hello(h, e->hello);
}

static enum err on_polled(struct horde *h, const struct event *e)
{
	if (origin_is_zero(h->cluster_id))
		return ERR_UNKNOWN_LINK;
	for (size_t i = 0; i < h->link_count; i++) {
		struct member *m;

		if (!origin_equal(h->links[i].incarnation, e->polled.incarnation))
			continue;
		m = member_by_id(h, h->links[i].node_id);
		if (m) {
			m->seen_ms = h->now_ms;
			acks_received(h, m, e->polled.poll);
		}
		if (diverge_forked(h, e->polled.poll))
			diverge_renew(h, e->fresh);
		return ERR_OK;
	}
	return ERR_UNKNOWN_LINK;
}

static enum err on_goodbye(struct horde *h, const struct event *e)
{
	struct member *m = member_by_id(h, e->goodbye.node_id);
	const struct link *l = link_by_node(h, e->goodbye.node_id);

	if (!m || !l || !origin_equal(l->incarnation, e->goodbye.incarnation))
		return ERR_NOT_FOUND;
	if (e->goodbye.reason == GOODBYE_LEAVE)
		m->leaving = true;
	else
		m->goodbye_until_ms = h->now_ms + e->goodbye.back_within_ms;
	say(h, "member.draining", m->recorded ? m->record->name : l->name,
		e->goodbye.reason == GOODBYE_LEAVE ? "leaves" : "will be back");
	act(h, ACTION_WAKE);
	return ERR_OK;
}

static enum err on_process(struct horde *h, const struct event *e)
{
	struct child *c = child_find(h, e->process.ref);
	const struct entry *spec = get(h, "spec", e->process.ref);
	const struct spec_record *defaults;
	struct spec_record rule;
	bool ruled = spec && spec->record;

	if (!c || c->process_epoch != e->process.epoch)
		return ERR_OK;
	if (ruled)
		rule = supervisor_spec(h, e->process.ref, &spec->record->spec, &defaults);
	if (e->kind == EVENT_STARTED)
		child_started(h, c, e->process.pid);
	else if (e->kind != EVENT_START_FAILED ||
		 !child_port_taken(h, c, e->process.port, ruled ? &rule : NULL))
		child_ended(h, c, &e->process.end,
			e->kind == EVENT_START_FAILED ? e->process.error : NULL,
			ruled ? &rule : NULL);
	return ERR_OK;
}

static enum err on_put_spec(struct horde *h, const struct event *e)
{
	return supervise_put(h, e);
}

static enum err on_remove(struct horde *h, const struct event *e)
{
	return map_remove(h->map, e->put.key, e->put.key_bytes, stamp(h), &h->out->changes);
}

static enum err on_remove_spec(struct horde *h, const struct event *e)
{
	return spec_remove(h, key_rest(e->put.key));
}

/* All of them, but for the one that is replaced. */
static size_t states_bytes(const struct horde *h, const struct event *put)
{
	const struct entry *e = map_from(h->map, "state/", strlen("state/"));
	size_t bytes = 0;

	for (; e && family_of(e->key, e->key_bytes) == FAMILY_STATE;
		e = map_after(h->map, e->key, e->key_bytes))
		if (e->key_bytes != put->put.key_bytes ||
			memcmp(e->key, put->put.key, e->key_bytes) != 0)
			bytes += e->value_bytes;
	return bytes;
}

/* What a child leaves for its next life. */
static enum err on_put_state(struct horde *h, const struct event *e)
{
	if (!get(h, "spec", key_rest(e->put.key)))
		return ERR_NOT_FOUND;
	if (states_bytes(h, e) + e->put.value_bytes > STATES_BYTES_MAX)
		return ERR_STORAGE_FULL;
	return put_as_it_is(h, e);
}

/* A join with an older replica. A fork that it shows is found with the peers too, and told then. */
static enum err on_merge(struct horde *h, const struct event *e)
{
	struct fragment *f = e->fragment;
	struct origin_id forked;

	return map_apply(h->map, &f, 1, &h->out->changes, &forked);
}

static enum err on_restart_child(struct horde *h, const struct event *e)
{
	return h->stopping ? ERR_SHUTTING_DOWN : supervise_restart(h, e->signal.ref);
}

static enum err on_stop(struct horde *h, const struct event *e)
{
	if (h->stopping)
		return ERR_OK;
	h->stop = *e;
	links_goodbye(h);
	h->stopping = true;
	children_mark_all(h);
	return ERR_OK;
}

static enum err on_tick(struct horde *h, const struct event *e)
{
	(void)h;
	(void)e;
	return ERR_OK; /* settle looks at what time has changed */
}

/* What each event does, and whether it is a write of the API, which may be refused as such. */
static const struct {
	enum err (*handle)(struct horde *h, const struct event *e);
	bool write;
} events[] = {
	[EVENT_START] = {on_start, false},
	[EVENT_TICK] = {on_tick, false},
	[EVENT_STORED] = {on_stored, false},
	[EVENT_STORE_FAILED] = {on_store_failed, false},
	[EVENT_JOIN] = {on_join, false},
	[EVENT_HELLO_ANSWERED] = {on_link, false},
	[EVENT_FRAGMENT] = {on_link, false},
	[EVENT_LINK_REFUSED] = {on_link, false},
	[EVENT_LINK_LOST] = {on_link, false},
	[EVENT_LINK_SILENT] = {on_link, false},
	[EVENT_LINK_REJECTED] = {on_link, false},
	[EVENT_HELLO] = {on_hello, false},
	[EVENT_POLLED] = {on_polled, false},
	[EVENT_GOODBYE] = {on_goodbye, false},
	[EVENT_STARTED] = {on_process, false},
	[EVENT_START_FAILED] = {on_process, false},
	[EVENT_EXITED] = {on_process, false},
	[EVENT_GUARDIAN_LOST] = {tell_guardian, false},
	[EVENT_PROBED] = {probe_tried, false},
	[EVENT_NOTIFIED] = {probe_notified, false},
	[EVENT_PUT_SPEC] = {on_put_spec, true},
	[EVENT_REMOVE_SPEC] = {on_remove_spec, true},
	[EVENT_PUT_SUPERVISOR] = {put_as_it_is, true},
	[EVENT_REMOVE_SUPERVISOR] = {supervisor_remove, true},
	[EVENT_START_SUPERVISOR] = {supervisor_start, true},
	[EVENT_VACATE_SUPERVISOR] = {supervisor_vacate, true},
	[EVENT_RESTART_CHILD] = {on_restart_child, false},
	[EVENT_SIGNAL_CHILD] = {supervise_signal, false},
	[EVENT_REGISTER] = {registry_register, true},
	[EVENT_CONFIRM] = {vote_confirm, false},
	[EVENT_UPDATE] = {registry_update, true},
	[EVENT_UNREGISTER] = {registry_unregister, true},
	[EVENT_PUT_REGISTRY] = {registries_put, true},
	[EVENT_REMOVE_REGISTRY] = {registries_remove, true},
	[EVENT_PUT_META] = {put_as_it_is, true},
	[EVENT_REMOVE_META] = {on_remove, true},
	[EVENT_PUT_STATE] = {on_put_state, true},
	[EVENT_REMOVE_STATE] = {on_remove, true},
	[EVENT_KEEP_REPLY] = {replies_keep, true},
	[EVENT_PUT_LEASE] = {leases_put, true},
	[EVENT_RENEW_LEASE] = {leases_renew, false},
	[EVENT_REMOVE_LEASE] = {leases_remove, true},
	[EVENT_MERGE] = {on_merge, true},
	[EVENT_STOP] = {on_stop, false},
};
_Static_assert(sizeof(events) / sizeof(events[0]) == EVENT_COUNT, "a row for each event");

static enum err dispatch(struct horde *h, const struct event *e)
{
	enum err refused = events[e->kind].write ? horde_write_refused(h) : ERR_OK;

	if (refused == ERR_OK)
		refused = credential_judge(h, e);
	return refused == ERR_OK ? events[e->kind].handle(h, e) : refused;
}

/*
 * The first sync was tried with everybody that is known; only then this node counts, and runs. One
 * that holds nothing yet goes on until it has had an answer: that of a dead seed would be
 * "nothing".
 */
static void try_sync(struct horde *h)
{
	bool patient = h->now_ms < h->start_ms + h->config.startup_grace_ms;

	if (!h->begun || origin_is_zero(h->cluster_id))
		return;
	if (!h->synced) {
		if (h->config.joins && h->link_count == 0)
			return;
		for (size_t i = 0; i < h->link_count; i++)
			if (link_blocks(h, &h->links[i], patient))
				return;
		if (contact_hollow(h))
			return;
		h->synced = true;
		say(h, "node.synced", h->config.name, "runs what is assigned to it");
		children_mark_all(h);
		leases_look(h);
		h->plan_now = true;
	}
	if (!h->announced && !h->stopping)
		h->announced = member_announce(h, MEMBER_ALIVE) == ERR_OK;
}

static bool exit_due(const struct horde *h)
{
	return h->stopping && !h->exit_said && !children_running(h);
}

/* All processes of a stopping node are gone: the last record, and the end. */
static void try_exit(struct horde *h)
{
	if (!exit_due(h))
		return;
	if (h->stop.stop.reason == GOODBYE_LEAVE && h->announced && !h->left) {
		h->left = member_announce(h, MEMBER_LEFT) == ERR_OK;
		if (!h->left)
			return;
	}
	h->exit_said = act(h, ACTION_EXIT) != NULL;
}

/* Until nothing follows from anything any more. */
static void settle(struct horde *h)
{
	do {
		supervise_changes(h);
		if (h->members_stale) {
			members_refresh(h);
			links_follow_members(h);
			acks_changed(h);
		}
		members_judge(h);
		try_sync(h);
		supervise_tick(h);
		registries_tick(h);
		locks_tick(h);
		leases_tick(h);
		supervise(h);
		probe_tick(h);
		replies_tick(h);
		if (h->plan_now || (h->orphans && h->now_ms >= h->plan_ms))
			orphans_plan(h);
		try_exit(h);
	} while (h->dirty || h->members_stale || leases_busy(h) || h->seen < h->out->changes.used);
	links_tick(h);
}

/* What time has made due between the replicas. */
static void replicate(struct horde *h)
{
	sync_tick(h);
	diverge_tick(h);
	acks_tick(h);
}

enum err horde_step(struct horde *h, const struct event *e, struct actions *out)
{
	enum err err;

	actions_clear(out);
	map_sweep(h->map);
	children_sweep(h);
	h->out = out;
	h->seen = h->told = 0;
	h->lease_work = 0;
	h->now_ms = e->now_ms;
	h->wall_ms = e->wall_ms;
	err = dispatch(h, e);
	out->dot = map_last_dot(h->map);
	if (e->ack_wanted && err == ERR_OK)
		h->ack_seq = out->dot.seq;
	replicate(h);
	settle(h);
	tell_quorum(h);
	if (out->changes.used > 0)
		h->changed_batch = h->batch;
	if (map_kills(h->map) > 0 && h->truncate_ms == INT64_MAX)
		acks_changed(h);
	h->out = NULL;
	return err;
}

static int64_t least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

int64_t horde_deadline_ms(const struct horde *h)
{
	int64_t at = least(links_deadline_ms(h), members_deadline_ms(h));

	at = least(at, h->truncate_ms);
	at = least(at, h->withdraw_ms);
	if (!h->stopping) {
		at = least(at, sync_deadline_ms(h));
		at = least(at, diverge_deadline_ms(h));
		at = least(at, h->retry_ms);
		at = least(at, h->review_ms);
		at = least(at, h->expiry_ms);
		at = least(at, h->health_ms);
		if (h->synced)
			at = least(at, h->stranded_ms);
		at = least(at, h->locks_ms);
		at = least(at, leases_deadline_ms(h));
		at = least(at, h->replies_ms);
	}
	if (h->orphans && !h->stopping)
		at = least(at, h->plan_ms);
	if (h->rescan || (h->synced && !h->announced && !h->stopping) || exit_due(h))
		at = least(at, h->now_ms + RETRY_NO_MEMORY_MS);
	if (!h->synced && h->begun && h->now_ms < h->start_ms + h->config.startup_grace_ms)
		at = least(at, h->start_ms + h->config.startup_grace_ms);
	return at;
}

uint64_t horde_batch_cut(struct horde *h)
{
	uint64_t cut = h->batch++;

	acks_cut(h, cut);
	map_batch_set(h->map, h->batch);
	return cut;
}
