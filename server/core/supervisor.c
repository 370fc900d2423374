/*
 * Supervisors: named groups of children, what they allow, and what their children inherit.
 *
 * `default` always exists; any other while its record does. Limits are looked at by the node that
 * is asked, from its own map: two nodes that are asked at one moment may pass them together.
 */
#include "server/core/parts.h"

#include <stdio.h>
#include <string.h>

#define DEFAULT_SUPERVISOR "default"

/* Of "sup/child", with its slash. */
static size_t scope_bytes(const char *ref)
{
	return (size_t)(key_rest(ref) - ref);
}

/* False: `ref` is none that the API could have made. */
static bool name_of(const char *ref, char ret_name[REF_BYTES_MAX])
{
	size_t bytes = scope_bytes(ref);

	if (bytes <= 1 || bytes > REF_BYTES_MAX)
		return false;
	memcpy(ret_name, ref, bytes - 1);
	ret_name[bytes - 1] = '\0';
	return true;
}

static const struct entry *entry_of(const struct horde *h, const char *ref)
{
	char name[REF_BYTES_MAX];

	return name_of(ref, name) ? get(h, "supervisor", name) : NULL;
}

static const struct supervisor_record *record_of(const struct horde *h, const char *ref)
{
	const struct entry *e = entry_of(h, ref);

	return e && e->record ? &e->record->supervisor : NULL;
}

bool horde_supervisor(const struct horde *h, const char *name, const struct entry **ret_entry)
{
	*ret_entry = get(h, "supervisor", name);
	return *ret_entry || strcmp(name, DEFAULT_SUPERVISOR) == 0;
}

static bool is_halted(const struct horde *h, const char *ref)
{
	char name[REF_BYTES_MAX];

	return name_of(ref, name) && get(h, "halt", name);
}

struct spec_record supervisor_spec(const struct horde *h, const char *ref,
	const struct spec_record *own, const struct spec_record **ret_defaults)
{
	const struct supervisor_record *s = record_of(h, ref);
	struct spec_record spec = spec_inherit(own, s ? &s->defaults : NULL);

	*ret_defaults = s ? &s->defaults : NULL;
	if (is_halted(h, ref))
		spec.desired_running = false;
	return spec;
}

/* ---- limits ---- */

bool supervisor_occupied(const struct horde *h, const char *ref)
{
	struct child_view v;

	horde_child(h, ref, &v);
	return v.spec && v.state != CHILD_EXITED && v.state != CHILD_FAILED &&
	       v.state != CHILD_STOPPED;
}

/* Another child than `ref`, of its supervisor, that takes up room. */
static bool is_rival(const struct child *c, const char *ref, size_t scope)
{
	return c->occupies && strncmp(c->ref, ref, scope) == 0 && strcmp(c->ref, ref) != 0;
}

static uint32_t load_of(const struct horde *h, const char *ref)
{
	size_t scope = scope_bytes(ref);
	uint32_t load = 0;

	for (const struct child *c = h->all; c; c = c->next)
		load += is_rival(c, ref, scope);
	return load;
}

/* The candidates' shares of it, in one walk: there may be many children. */
static void loads_of(const struct horde *h, const char *ref, const struct candidate *candidates,
	size_t count, uint32_t *ret_loads)
{
	size_t scope = scope_bytes(ref);

	memset(ret_loads, 0, count * sizeof(*ret_loads));
	for (const struct child *c = h->all; c; c = c->next) {
		if (!is_rival(c, ref, scope))
			continue;
		for (size_t i = 0; i < count; i++)
			ret_loads[i] += origin_equal(c->assigned, candidates[i].node);
	}
}

void supervisor_bar(struct horde *h, const char *ref, struct candidate *candidates, size_t count)
{
	const struct supervisor_record *s = record_of(h, ref);
	uint32_t most = s ? s->max_children_per_node : 0, loads[MEMBERS_MAX];

	if (most)
		loads_of(h, ref, candidates, count, loads);
	for (size_t i = 0; i < count; i++)
		candidates[i].barred = most && loads[i] >= most;
}

bool supervisor_room_here(struct horde *h, const char *ref)
{
	struct candidate self = {.node = h->config.node_id};

	supervisor_bar(h, ref, &self, 1);
	return !self.barred;
}

/* With nobody to run it, it waits; that is another thing. */
static bool all_full(struct horde *h, const char *ref)
{
	struct candidate candidates[MEMBERS_MAX];
	size_t count = member_candidates(h, candidates), barred = 0;

	supervisor_bar(h, ref, candidates, count);
	for (size_t i = 0; i < count; i++)
		barred += candidates[i].barred;
	return count > 0 && barred == count;
}

enum err supervisor_room(struct horde *h, const char *ref)
{
	const struct supervisor_record *s = record_of(h, ref);

	if (!s || (!s->max_children && !s->max_children_per_node) || supervisor_occupied(h, ref))
		return ERR_OK;
	if (s->max_children && load_of(h, ref) >= s->max_children)
		return ERR_FULL;
	return s->max_children_per_node && all_full(h, ref) ? ERR_FULL : ERR_OK;
}

/* ---- writing ---- */

static bool is_child_of(const struct child *c, const char *name, size_t bytes)
{
	return strncmp(c->ref, name, bytes) == 0 && c->ref[bytes] == '/';
}

void supervisor_mark(struct horde *h, const char *name)
{
	size_t bytes = strlen(name);

	for (struct child *c = h->all; c; c = c->next)
		if (is_child_of(c, name, bytes))
			child_mark_it(h, c);
}

/* Each key is copied, since its entry goes with it. */
static enum err remove_specs(struct horde *h, const char *name)
{
	char key[KEY_BYTES_MAX];
	size_t prefix = (size_t)snprintf(key, sizeof(key), "spec/%s/", name), bytes = prefix;
	const struct entry *e = map_from(h->map, key, prefix);

	while (e && e->key_bytes > prefix && memcmp(e->key, key, prefix) == 0) {
		enum err err;

		bytes = e->key_bytes < sizeof(key) ? e->key_bytes : sizeof(key) - 1;
		memcpy(key, e->key, bytes);
		key[bytes] = '\0';
		err = spec_remove(h, key_rest(key));
		if (err != ERR_OK)
			return err;
		e = map_after(h->map, key, bytes);
	}
	return ERR_OK;
}

/*
 * The specs first: without memory for all of them the supervisor is there still, and the next try
 * goes on. All of it is one batch, and comes to the others as one slice.
 */
enum err supervisor_remove(struct horde *h, const struct event *e)
{
	const struct entry *there = map_get(h->map, e->put.key, e->put.key_bytes);
	enum err err;

	if (!there)
		return ERR_NOT_FOUND;
	err = remove_specs(h, key_rest(e->put.key));
	if (err == ERR_OK)
		err = remove_key(h, "halt", key_rest(e->put.key));
	if (err != ERR_OK)
		return err;
	return map_remove(h->map, e->put.key, e->put.key_bytes, stamp(h), &h->out->changes);
}

/*
 * A child that was put while somebody else deleted its supervisor lives on, as any write that a
 * delete did not know of; so there has to be a supervisor for it.
 */
enum err supervisor_restore(struct horde *h, const char *ref)
{
	char name[REF_BYTES_MAX];
	struct record r = {.family = FAMILY_SUPERVISOR};

	if (!name_of(ref, name) || get(h, "supervisor", name))
		return ERR_OK;
	if (strcmp(name, DEFAULT_SUPERVISOR) == 0)
		return ERR_OK;
	return write_record(h, "supervisor", name, &r);
}

/* ---- stopping all children, as OTP's supervisor does when one is over its intensity ---- */

void supervisor_halt(struct horde *h, const char *ref)
{
	char name[REF_BYTES_MAX], key[KEY_BYTES_MAX];
	struct text value = TEXT_INIT;
	enum err err = ERR_NO_MEMORY;

	if (!name_of(ref, name))
		return;
	json_object(&value);
	json_put_string(&value, "child", ref);
	json_put_string(&value, "node", h->config.name);
	json_put_int(&value, "at", h->wall_ms);
	json_end_object(&value);
	if (text_cstr(&value))
		err = map_put(h->map, key, (size_t)snprintf(key, sizeof(key), "halt/%s", name),
			value.bytes, value.used, NULL, stamp(h), &h->out->changes);
	text_fini(&value);
	if (err == ERR_OK)
		say(h, "supervisor.stopped", ref, "over its budget of restarts");
}

enum err supervisor_start(struct horde *h, const struct event *e)
{
	const char *name = key_rest(e->put.key);
	const struct entry *record;

	if (!horde_supervisor(h, name, &record))
		return ERR_NOT_FOUND;
	return get(h, "halt", name) ? remove_key(h, "halt", name) : ERR_WRONG_STATE;
}

/* ---- its children here go elsewhere, as when Horde's supervisor of one node shuts down ---- */

static bool others_eligible(const struct horde *h)
{
	for (size_t i = 0; i < h->member_count; i++)
		if (!h->members[i].self && member_eligible(h, &h->members[i]))
			return true;
	return false;
}

enum err supervisor_vacate(struct horde *h, const struct event *e)
{
	const char *name = key_rest(e->put.key);
	const struct entry *record;
	size_t bytes = strlen(name);

	if (!horde_supervisor(h, name, &record))
		return ERR_NOT_FOUND;
	if (!others_eligible(h))
		return ERR_NO_MEMBER;
	for (struct child *c = h->all; c; c = c->next)
		if (is_child_of(c, name, bytes))
			child_move(h, c);
	return ERR_OK;
}
