/*
 * Which ports the processes here have. A number is kept from start to start, over a restart of the
 * daemon too: it stands in the child's status. A fixed one is a resource: two children that ask for
 * one number are never placed on one node.
 */
#include "server/core/view.h"

#include <stdio.h>
#include <string.h>

/* Numbers of the node's range that strangers may have before a start fails for it. */
#define PORT_TRIES_MAX 64

static const struct ports *asked_by(const struct horde *h, const char *ref)
{
	const struct entry *e = get(h, "spec", ref);

	return e && e->record ? &e->record->spec.ports : NULL;
}

/* What is kept for one without a process; a number that it asks for is anybody's until it runs. */
static void add_kept(const struct horde *h, const struct child *c, struct port_set *set)
{
	const struct ports *asked = c->ports_fixed ? asked_by(h, c->ref) : NULL;

	for (uint32_t i = 0; i < c->ports.count; i++)
		if (!asked || !ports_with(asked, c->ports.items[i].number))
			port_set_add(set, c->ports.items[i].number);
}

/* What other children here have, or will have again. */
static void in_use(const struct horde *h, const struct child *except, struct port_set *ret)
{
	memset(ret, 0, sizeof(*ret));
	for (const struct child *c = h->all; c; c = c->next) {
		if (c == except)
			continue;
		if (c->process != PROCESS_NONE)
			port_set_add_all(ret, &c->ports);
		else
			add_kept(h, c, ret);
	}
}

/* Where a search begins, so that a child is likely to find its number free after any restart. */
static uint16_t first_choice(const struct horde *h, const struct child *c, uint32_t index)
{
	uint32_t count = (uint32_t)h->config.port_last - h->config.port_first + 1u;

	return (uint16_t)(h->config.port_first + (c->node.priority + index) % count);
}

/* 0: none is left. */
static uint16_t give_one(const struct horde *h, const struct child *c, const struct port_set *used,
	const char *name, uint32_t index)
{
	uint16_t before = ports_number(&c->ports, name);

	return port_set_free(used, h->config.port_first, h->config.port_last,
		before ? before : first_choice(h, c, index));
}

/* Fills the numbers of `p`, which has the names; the one that cannot be had, or NULL. */
static const struct port *fill(
	const struct horde *h, const struct child *c, struct ports *p, const char **ret_error)
{
	struct port_set used;

	in_use(h, c, &used);
	*ret_error = "EADDRINUSE";
	for (uint32_t i = 0; i < p->count; i++)
		if (p->items[i].number && port_set_has(&used, p->items[i].number))
			return &p->items[i];
	*ret_error = "EADDRNOTAVAIL";
	port_set_add_all(&used, p); /* none of them is given to another of its names */
	for (uint32_t i = 0; i < p->count; i++) {
		struct port *one = &p->items[i];

		if (one->number)
			continue;
		one->number = give_one(h, c, &used, one->name, i);
		if (!one->number)
			return one;
		port_set_add(&used, one->number);
	}
	return NULL;
}

enum err ports_take(
	struct horde *h, struct child *c, const struct ports *asked, char ret_why[ERROR_BYTES_MAX])
{
	const struct port *missing;
	struct ports given;
	const char *error;

	if (asked->count == 0 && c->ports.count == 0)
		return ERR_OK;
	if (!ports_dup(asked, &given))
		return ERR_NO_MEMORY;
	missing = fill(h, c, &given, &error);
	if (missing)
		snprintf(ret_why, ERROR_BYTES_MAX, "ports.%s: %s", missing->name, error);
	ports_fini(missing ? &given : &c->ports);
	if (missing)
		return ERR_LIMIT;
	c->ports = given;
	return ERR_OK;
}

bool ports_refused(
	struct horde *h, struct child *c, uint16_t number, const struct spec_record *spec)
{
	struct port *one = ports_with(&c->ports, number);
	struct port_set used;

	if (!number || !one || !spec || ports_with(&spec->ports, number))
		return false; /* it is asked for by number, or not asked for any more */
	in_use(h, NULL, &used);
	number = port_set_free(
		&used, h->config.port_first, h->config.port_last, (uint16_t)(number + 1u));
	if (!number || ++c->port_tries > PORT_TRIES_MAX)
		return false;
	one->number = number;
	return true;
}

/* After a restart of the daemon its own status says what it had. */
static void recall(const struct horde *h, struct child *c, const struct view *v)
{
	bool ours = v->assigned == ASSIGNED_HERE || v->assigned == ASSIGNED_FORMERLY;

	if (ours && v->spec && v->spec->ports.count > 0 && v->status &&
		origin_equal(v->status->node, h->config.node_id))
		ports_dup(&v->status->ports, &c->ports); /* without memory it gets others */
}

void ports_follow(struct horde *h, struct child *c, const struct view *v)
{
	bool asks = v->spec && v->spec->ports.count > 0;

	c->ports_fixed = asks && ports_fixed(&v->spec->ports);
	if (c->ports.count == 0)
		recall(h, c, v);
	if (c->process != PROCESS_NONE || c->ports.count == 0)
		return;
	if (!asks || (v->assigned != ASSIGNED_HERE && v->assigned != ASSIGNED_FORMERLY))
		ports_fini(&c->ports);
}

void ports_bar(const struct horde *h, const char *ref, struct candidate *candidates, size_t count)
{
	const struct ports *asked = asked_by(h, ref);

	if (!asked || !ports_fixed(asked))
		return;
	for (const struct child *c = h->all; c; c = c->next) {
		const struct ports *other =
			c->ports_fixed && c->occupies ? asked_by(h, c->ref) : NULL;

		if (!other || strcmp(c->ref, ref) == 0 || !ports_clash(asked, other))
			continue;
		for (size_t i = 0; i < count; i++)
			if (origin_equal(candidates[i].node, c->assigned))
				candidates[i].barred = true;
	}
}

bool ports_room_here(const struct horde *h, const char *ref)
{
	struct candidate self = {.node = h->config.node_id};

	ports_bar(h, ref, &self, 1);
	return !self.barred;
}
