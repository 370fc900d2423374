#include "server/core/record.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_ITEM(c, t) t,

/* The place of `name` in `names`, or `count` when it is not there. */
static int place_of(const char *name, const char *const *names, int count)
{
	int i = 0;

	while (i < count && strcmp(name, names[i]) != 0)
		i++;
	return i;
}

/* The two functions of one list: from value to name, and back. */
#define NAMES(type, function, LIST, COUNT)                                                         \
	static const char *const type##_names[] = {LIST(NAME_ITEM)};                               \
	_Static_assert(sizeof(type##_names) / sizeof(type##_names[0]) == COUNT, "a name each");    \
	const char *function##_name(enum type value)                                               \
	{                                                                                          \
		assert((unsigned)value < COUNT);                                                   \
		return type##_names[value];                                                        \
	}                                                                                          \
	enum type function##_from(const char *name)                                                \
	{                                                                                          \
		return (enum type)place_of(name, type##_names, COUNT);                             \
	}

NAMES(member_state, member_state, MEMBER_STATES, MEMBER_STATE_COUNT)
NAMES(restart_type, restart_type, RESTART_TYPES, RESTART_TYPE_COUNT)
NAMES(max_restarts_policy, max_restarts_policy, MAX_RESTARTS_POLICIES, POLICY_COUNT)
NAMES(child_state, child_state, CHILD_STATES, CHILD_STATE_COUNT)
NAMES(reason, reason, REASONS, REASON_COUNT)
NAMES(stop_reason, stop_reason, STOP_REASONS, STOP_REASON_COUNT)
NAMES(check_kind, check_kind, CHECK_KINDS, CHECK_KIND_COUNT)
NAMES(key_rule, key_rule, KEY_RULES, KEY_RULE_COUNT)
NAMES(taken_rule, taken_rule, TAKEN_RULES, TAKEN_RULE_COUNT)
NAMES(conflict_rule, conflict_rule, CONFLICT_RULES, CONFLICT_RULE_COUNT)
NAMES(owner_kind, owner_kind, OWNER_KINDS, OWNER_KIND_COUNT)

enum family family_of(const char *key, size_t key_bytes)
{
	static const struct {
		const char *prefix;
		size_t bytes;
		enum family family;
	} table[] = {
		{"member/", 7, FAMILY_MEMBER},
		{"supervisor/", 11, FAMILY_SUPERVISOR},
		{"spec/", 5, FAMILY_SPEC},
		{"assign/", 7, FAMILY_ASSIGN},
		{"status/", 7, FAMILY_STATUS},
		{"entry/", 6, FAMILY_ENTRY},
		{"dup/", 4, FAMILY_ENTRY},
		{"meta/", 5, FAMILY_META},
		{"halt/", 5, FAMILY_HALT},
		{"state/", 6, FAMILY_STATE},
		{"registry/", 9, FAMILY_REGISTRY},
		{"lease/", 6, FAMILY_LEASE},
		{"idem/", 5, FAMILY_REPLY},
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		if (key_bytes >= table[i].bytes &&
			memcmp(key, table[i].prefix, table[i].bytes) == 0)
			return table[i].family;
	}
	return FAMILY_OTHER;
}

bool family_has_record(enum family family)
{
	return family != FAMILY_META && family != FAMILY_HALT && family != FAMILY_OTHER;
}

const char *key_rest(const char *key)
{
	const char *slash = strchr(key, '/');

	return slash ? slash + 1 : "";
}

/* What a record of this family takes, without what it points to. */
static size_t block_bytes(enum family family)
{
	switch (family) {
	case FAMILY_MEMBER:
		return offsetof(struct record, member) + sizeof(struct member_record);
	case FAMILY_SPEC:
		return offsetof(struct record, spec) + sizeof(struct spec_record);
	case FAMILY_SUPERVISOR:
		return offsetof(struct record, supervisor) + sizeof(struct supervisor_record);
	case FAMILY_ASSIGN:
		return offsetof(struct record, assign) + sizeof(struct assign_record);
	case FAMILY_STATUS:
		return offsetof(struct record, status) + sizeof(struct status_record);
	case FAMILY_ENTRY:
		return offsetof(struct record, entry) + sizeof(struct entry_record);
	case FAMILY_STATE:
		return offsetof(struct record, state) + sizeof(struct state_record);
	case FAMILY_REGISTRY:
		return offsetof(struct record, registry) + sizeof(struct registry_record);
	case FAMILY_LEASE:
		return offsetof(struct record, lease) + sizeof(struct lease_record);
	case FAMILY_REPLY:
		return offsetof(struct record, reply) + sizeof(struct reply_record);
	case FAMILY_META:
	case FAMILY_HALT:
	case FAMILY_OTHER:
	case FAMILY_COUNT:
		break;
	}
	return sizeof(struct record);
}

struct record *record_new(enum family family)
{
	struct record *r = calloc(1, block_bytes(family));

	if (r)
		r->family = family;
	return r;
}

struct record *record_new_entry(const struct entry_record *fields, size_t owner_id_bytes)
{
	size_t bytes = block_bytes(FAMILY_ENTRY);
	struct record *r = malloc(bytes + owner_id_bytes + 1);
	char *id = (char *)r + bytes;

	if (!r)
		return NULL;
	r->family = FAMILY_ENTRY;
	r->entry = *fields;
	memcpy(id, fields->owner_id, owner_id_bytes);
	id[owner_id_bytes] = '\0';
	r->entry.owner_id = id;
	return r;
}

static void free_strings(char **strings)
{
	for (char **s = strings; s && *s; s++)
		free(*s);
	free(strings);
}

static void free_spec(struct spec_record *s)
{
	free_strings(s->command);
	free_strings(s->env);
	free_strings(s->env_from);
	free_strings(s->env_files);
	free(s->cwd);
	checks_fini(&s->checks);
	claims_fini(&s->claims);
	ports_fini(&s->ports);
	setup_fini(&s->setup);
}

void record_free(struct record *r)
{
	if (!r)
		return;
	switch (r->family) {
	case FAMILY_MEMBER:
		free(r->member.name);
		free(r->member.url);
		break;
	case FAMILY_SPEC:
		free_spec(&r->spec);
		break;
	case FAMILY_SUPERVISOR:
		free_spec(&r->supervisor.defaults);
		break;
	case FAMILY_ASSIGN:
		free(r->assign.avoid);
		break;
	case FAMILY_STATUS:
		free(r->status.text);
		free(r->status.exit_tail);
		ports_fini(&r->status.ports);
		trail_fini(&r->status.trail);
		break;
	case FAMILY_ENTRY:
	case FAMILY_META:
	case FAMILY_HALT:
	case FAMILY_STATE:
	case FAMILY_LEASE:
	case FAMILY_REGISTRY:
	case FAMILY_REPLY:
	case FAMILY_OTHER:
	case FAMILY_COUNT:
		break;
	}
	free(r);
}

/* A copy of `s` into `*ret`; NULL stays NULL. False when there is no memory. */
static bool dup_string(const char *s, char **ret)
{
	*ret = s ? strdup(s) : NULL;
	return !s || *ret;
}

static bool dup_strings(char *const *strings, char ***ret)
{
	size_t count = 0;

	*ret = NULL;
	if (!strings)
		return true;
	while (strings[count])
		count++;
	*ret = calloc(count + 1, sizeof(**ret));
	if (!*ret)
		return false;
	for (size_t i = 0; i < count; i++) {
		if (!dup_string(strings[i], &(*ret)[i]))
			return false;
	}
	return true;
}

static bool dup_spec(const struct spec_record *s, struct spec_record *copy)
{
	bool ok = dup_strings(s->command, &copy->command);

	ok = dup_strings(s->env, &copy->env) && ok;
	ok = dup_strings(s->env_from, &copy->env_from) && ok;
	ok = dup_strings(s->env_files, &copy->env_files) && ok;
	ok = checks_dup(&s->checks, &copy->checks) && ok;
	ok = claims_dup(&s->claims, &copy->claims) && ok;
	ok = ports_dup(&s->ports, &copy->ports) && ok;
	ok = setup_dup(&s->setup, &copy->setup) && ok;
	return dup_string(s->cwd, &copy->cwd) && ok;
}

static bool dup_avoid(const struct assign_record *a, struct assign_record *copy)
{
	size_t bytes = a->avoid_count * sizeof(*a->avoid);

	copy->avoid = NULL;
	if (bytes == 0)
		return true;
	copy->avoid = malloc(bytes);
	if (copy->avoid)
		memcpy(copy->avoid, a->avoid, bytes);
	return copy->avoid != NULL;
}

/* Makes the pointers of the flat copy `c` its own, all of them, so that it can be freed. */
static bool dup_parts(const struct record *r, struct record *c)
{
	bool ok = true;

	if (r->family == FAMILY_MEMBER) {
		ok = dup_string(r->member.name, &c->member.name);
		ok = dup_string(r->member.url, &c->member.url) && ok;
	} else if (r->family == FAMILY_SPEC) {
		ok = dup_spec(&r->spec, &c->spec);
	} else if (r->family == FAMILY_ASSIGN) {
		ok = dup_avoid(&r->assign, &c->assign);
	} else if (r->family == FAMILY_STATUS) {
		ok = trail_dup(&r->status.trail, &c->status.trail);
		ok = ports_dup(&r->status.ports, &c->status.ports) && ok;
		ok = dup_string(r->status.text, &c->status.text) && ok;
		ok = dup_string(r->status.exit_tail, &c->status.exit_tail) && ok;
	} else if (r->family == FAMILY_SUPERVISOR) {
		ok = dup_spec(&r->supervisor.defaults, &c->supervisor.defaults);
	}
	return ok;
}

struct record *record_dup(const struct record *r)
{
	struct record *copy;

	if (r->family == FAMILY_ENTRY)
		return record_new_entry(&r->entry, strlen(r->entry.owner_id));
	copy = record_new(r->family);
	if (!copy)
		return NULL;
	memcpy(copy, r, block_bytes(r->family));
	if (!dup_parts(r, copy)) {
		record_free(copy);
		return NULL;
	}
	return copy;
}

static void put_hex(struct text *t, const char *name, uint64_t value)
{
	char hex[ORIGIN_HEX_BYTES];

	/* The low half of an id is the 16 digits wanted. */
	origin_to_hex((struct origin_id){0, value}, hex);
	json_put_string(t, name, hex + 16);
}

static void put_origin(struct text *t, const char *name, struct origin_id id)
{
	char hex[ORIGIN_HEX_BYTES];

	origin_to_hex(id, hex);
	json_put_string(t, name, hex);
}

static void encode_member(const struct member_record *m, struct text *t)
{
	json_put_string(t, "name", m->name);
	json_put_string(t, "url", m->url);
	put_origin(t, "incarnation", m->incarnation);
	put_hex(t, "started", m->started);
	json_put_string(t, "state", member_state_name(m->state));
}

static void encode_avoid(const struct assign_record *a, struct text *t)
{
	if (a->avoid_count == 0)
		return;
	json_key(t, "avoid");
	json_array(t);
	for (uint32_t i = 0; i < a->avoid_count; i++) {
		json_object(t);
		put_origin(t, "node", a->avoid[i].node);
		json_put_int(t, "until", a->avoid[i].until_ms);
		json_end_object(t);
	}
	json_end_array(t);
}

static void encode_assign(const struct assign_record *a, struct text *t)
{
	put_origin(t, "node", a->node);
	put_origin(t, "incarnation", a->incarnation);
	json_put_uint(t, "epoch", a->epoch);
	if (a->reason)
		json_put_string(t, "reason", a->reason);
	json_put_int(t, "at", a->at_ms);
	encode_avoid(a, t);
}

static void encode_exit(const struct exit_record *e, const char *tail, struct text *t)
{
	json_key(t, "last_exit");
	json_object(t);
	json_put_int(t, "code", e->code);
	json_put_int(t, "signal", e->signal);
	json_put_bool(t, "core_dumped", e->core_dumped);
	if (e->oom_killed)
		json_put_bool(t, "oom_killed", true);
	json_put_int(t, "at", e->at_ms);
	json_put_int(t, "uptime_ms", e->uptime_ms);
	if (e->error[0])
		json_put_string(t, "error", e->error);
	if (tail)
		json_put_string(t, "tail", tail);
	json_end_object(t);
}

static void encode_ports(const struct ports *p, struct text *t)
{
	if (p->count == 0)
		return;
	json_key(t, "ports");
	json_object(t);
	for (uint32_t i = 0; i < p->count; i++)
		json_put_int(t, p->items[i].name, p->items[i].number);
	json_end_object(t);
}

static void encode_status(const struct status_record *s, struct text *t)
{
	json_put_string(t, "state", child_state_name(s->state));
	json_put_string(t, "reason", reason_name(s->reason));
	put_origin(t, "node", s->node);
	put_origin(t, "incarnation", s->incarnation);
	json_put_uint(t, "epoch", s->epoch);
	if (s->process_epoch)
		json_put_uint(t, "process_epoch", s->process_epoch);
	put_hex(t, "spec_hash", s->spec_hash);
	json_put_int(t, "pid", s->pid);
	json_put_uint(t, "restarts", s->restarts);
	json_put_int(t, "started_at", s->started_at_ms);
	json_put_int(t, "retry_at", s->retry_at_ms);
	if (s->state == CHILD_RUNNING && !s->ready)
		json_put_bool(t, "ready", false);
	if (s->ready_at_ms > 0)
		json_put_int(t, "ready_at", s->ready_at_ms);
	if (s->text && s->text[0])
		json_put_string(t, "status_text", s->text);
	encode_ports(&s->ports, t);
	if (s->last_exit.known)
		encode_exit(&s->last_exit, s->exit_tail, t);
	trail_encode(&s->trail, s->node, t);
}

static void encode_entry(
	const struct entry_record *e, const char *value, size_t bytes, struct text *t)
{
	json_key(t, "owner");
	json_object(t);
	json_put_string(t, "kind", owner_kind_name(e->owner_kind));
	json_put_string(t, "id", e->owner_id);
	if (!origin_is_zero(e->node) || e->epoch != 0) {
		put_origin(t, "node", e->node);
		json_put_uint(t, "epoch", e->epoch);
	}
	json_end_object(t);
	put_hex(t, "created", e->created);
	if (e->voted)
		json_put_bool(t, "voted", true);
	if (e->first)
		json_put_bool(t, "first", true);
	json_key(t, "value");
	json_raw(t, value, bytes);
}

static void encode_lease(const struct lease_record *l, struct text *t)
{
	char hex[2 * LEASE_SECRET_BYTES + 1];

	for (size_t i = 0; i < LEASE_SECRET_BYTES; i++)
		snprintf(hex + 2 * i, 3, "%02x", l->secret[i]);
	json_put_int(t, "ttl_ms", l->ttl_ms);
	put_origin(t, "node", l->node);
	json_put_uint(t, "epoch", l->epoch);
	json_put_int(t, "created_at", l->created_at_ms);
	json_put_string(t, "secret", hex);
}

/* One that nobody has described: all by default (supervisor.c). */
static void encode_supervisor(const struct supervisor_record *s, struct text *t)
{
	json_put_int(t, "created_at", s->created_at_ms);
	json_key(t, "options");
	json_object(t);
	json_end_object(t);
}

void record_encode(const struct record *r, const char *value, size_t value_bytes, struct text *t)
{
	json_object(t);
	switch (r->family) {
	case FAMILY_MEMBER:
		encode_member(&r->member, t);
		break;
	case FAMILY_SUPERVISOR:
		encode_supervisor(&r->supervisor, t);
		break;
	case FAMILY_ASSIGN:
		encode_assign(&r->assign, t);
		break;
	case FAMILY_STATUS:
		encode_status(&r->status, t);
		break;
	case FAMILY_LEASE:
		encode_lease(&r->lease, t);
		break;
	case FAMILY_ENTRY:
		encode_entry(&r->entry, value, value_bytes, t);
		break;
	case FAMILY_SPEC:
	case FAMILY_META:
	case FAMILY_HALT:
	case FAMILY_STATE:
	case FAMILY_REGISTRY:
	case FAMILY_REPLY:
	case FAMILY_OTHER:
	case FAMILY_COUNT:
		assert(false && "a family that the core does not write");
	}
	json_end_object(t);
}
