/* Links by hand: what peers answer, event by event. */
#ifndef HORDE_TESTS_LINKS_H
#define HORDE_TESTS_LINKS_H

#include "tests/unit/core/support.h"

#define URL "http://n2"

static inline struct hello hello_of(const char *name, uint64_t life, struct origin_id cluster_id)
{
	struct horde_config config = config_of(name, life);
	struct hello h = {.cluster = "horde",
		.cluster_id = cluster_id,
		.node_id = config.node_id,
		.incarnation = config.incarnation,
		.protocol_min = PROTOCOL_VERSION,
		.protocol_max = PROTOCOL_VERSION};

	snprintf(h.name, sizeof(h.name), "%s", name);
	snprintf(h.url, sizeof(h.url), "http://%s", name);
	return h;
}

static inline struct origin_id cluster_of(const struct node *n)
{
	struct hello h;

	horde_hello(n->h, &h);
	return h.cluster_id;
}

static inline enum err join(struct node *n, const char *url, bool keep)
{
	struct event e = {.kind = EVENT_JOIN};

	e.join.url = url;
	e.join.keep = keep;
	n->writes_kept = true; /* so that the actions of the step can be looked at */
	return node_does(n, &e);
}

static inline enum err says_hello(struct node *n, struct hello h)
{
	struct event e = {.kind = EVENT_HELLO, .hello = &h};

	n->writes_kept = true;
	return node_does(n, &e);
}

static inline const struct action *action(const struct node *n, enum action_kind kind)
{
	for (size_t i = 0; i < n->actions.used; i++)
		if (n->actions.items[i].kind == kind)
			return &n->actions.items[i];
	return NULL;
}

static inline void answered(struct node *n, uint32_t link, struct hello h)
{
	struct event e = {.kind = EVENT_HELLO_ANSWERED, .link = link, .hello = &h};

	node_does(n, &e);
}

static inline void link_event(struct node *n, enum event_kind kind, uint32_t link)
{
	node_does(n, &(struct event){.kind = kind, .link = link});
}

/* The fragment of a node that knows nothing but its own member record. */
static inline void member_arrives_at(
	struct node *n, uint32_t link, const char *name, uint64_t life, const char *url)
{
	struct horde_config config = config_of(name, life);
	struct changes changes = {0};
	struct record r = {.family = FAMILY_MEMBER};
	struct map *m;
	struct fragment f;
	struct event e = {.kind = EVENT_FRAGMENT, .link = link, .fragment = &f};
	char key[64] = "member/";

	r.member = (struct member_record){.name = (char *)(uintptr_t)name,
		.url = (char *)(uintptr_t)url,
		.incarnation = config.incarnation,
		.started = 1 + life,
		.state = MEMBER_ALIVE};
	origin_to_hex(config.node_id, key + 7);
	cr_assert_eq(map_new(config.incarnation, 0, &m), ERR_OK);
	map_put(m, key, strlen(key), "{}", 2, record_dup(&r), 1, &changes);
	map_difference(m, map_vector(horde_map(n->h)), &f);
	node_does(n, &e);
	fragment_fini(&f);
	changes_fini(&changes);
	map_free(m);
}

static inline void member_arrives(struct node *n, uint32_t link, const char *name, uint64_t life)
{
	char url[32];

	snprintf(url, sizeof(url), "http://%s", name);
	member_arrives_at(n, link, name, life, url);
}

/* A node that polls n2, which is a member and perhaps a seed; returns the link. */
static inline uint32_t node_with_peer_kept(struct node *n, bool keep)
{
	const struct action *a;
	uint32_t link;

	*n = node_make("n1", 0);
	cr_assert_eq(join(n, URL, keep), ERR_OK);
	a = action(n, ACTION_HELLO);
	cr_assert(a && strcmp(a->url, URL) == 0);
	link = a->link;
	answered(n, link, hello_of("n2", 0, cluster_of(n)));
	cr_assert(action(n, ACTION_POLL));
	member_arrives(n, link, "n2", 0);
	cr_assert(action(n, ACTION_POLL), "it polls again");
	cr_assert_eq(horde_member_count(n->h), 2);
	return link;
}

static inline uint32_t node_with_peer(struct node *n)
{
	return node_with_peer_kept(n, false);
}

static inline enum opinion opinion_of_n2(const struct node *n)
{
	return horde_member_by_id(n->h, id_of(2))->opinion;
}

#endif
