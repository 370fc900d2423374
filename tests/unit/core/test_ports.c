/* Which ports children have: kept, given anew when a stranger has them, never two of one number. */
#include "server/core/parts.h"
#include "tests/unit/core/cluster.h"

/* A spec that asks for these by number; 0: the node is to give it one. */
static struct record *asks(uint64_t hash, const char *name, uint16_t number)
{
	struct record *r = plain_spec(hash);

	cr_assert(ports_add(&r->spec.ports, name, number));
	return r;
}

static struct node narrow(uint16_t first, uint16_t last)
{
	struct horde_config config = config_of("n1", 0);
	struct node n;

	config.port_first = first;
	config.port_last = last;
	n = node_bare(config);
	node_start(&n);
	n.trace[0] = '\0';
	return n;
}

static uint16_t number_of(const struct node *n, const char *ref)
{
	return ports_number(&child_find(n->h, ref)->ports, "http");
}

static const struct ports *told(const struct node *n, const char *key)
{
	return &node_get(n, key)->record->status.ports;
}

/* The event of the last start of `ref`. */
static void fails(struct node *n, const char *ref, uint16_t port)
{
	struct event e = {.kind = EVENT_START_FAILED};

	e.process.ref = ref;
	e.process.epoch = child_find(n->h, ref)->process_epoch;
	e.process.error = "ports.http: EADDRINUSE";
	e.process.port = port;
	node_does(n, &e);
}

Test(ports, one_without_a_number_is_given_one_of_the_range_and_keeps_it)
{
	struct node n = narrow(300, 309);
	uint16_t number;

	node_runs(&n, "default/web", asks(1, "http", 0));
	number = number_of(&n, "default/web");
	cr_assert(number >= 300 && number <= 309, "%u", number);
	cr_assert_eq(ports_number(told(&n, "status/default/web"), "http"), number);
	node_exited(&n, "default/web", 1, 0);
	cr_trace(&n, "SPAWN web|");
	cr_assert_eq(number_of(&n, "default/web"), number);
	node_free(&n);
}

Test(ports, children_of_one_node_have_numbers_of_their_own_and_then_none_is_left)
{
	struct node n = narrow(300, 302);
	const char *const refs[] = {"default/a", "default/b", "default/c"};

	for (int i = 0; i < 3; i++)
		node_runs(&n, refs[i], asks(1, "http", 0));
	for (int i = 0; i < 3; i++)
		for (int k = 0; k < i; k++)
			cr_assert_neq(number_of(&n, refs[i]), number_of(&n, refs[k]));
	cr_assert_eq(node_put(&n, "default/d", asks(1, "http", 0)), ERR_OK);
	cr_assert_null(strstr(n.trace, "SPAWN"));
	cr_assert_str_eq(node_child(&n, "default/d").status->record->status.last_exit.error,
		"ports.http: EADDRNOTAVAIL");
	n.trace[0] = '\0';
	cr_assert_eq(node_remove(&n, "default/b"), ERR_OK);
	node_exited(&n, "default/b", 0, 15);
	node_wait(&n, 40000);
	cr_assert_not_null(strstr(n.trace, "SPAWN d|"));
	node_free(&n);
}

Test(ports, one_that_a_stranger_has_is_left_to_him_and_no_failure_is_counted)
{
	struct node n = narrow(300, 302);
	uint16_t first, second;

	node_put(&n, "default/web", asks(1, "http", 0));
	first = number_of(&n, "default/web");
	n.trace[0] = '\0';
	fails(&n, "default/web", first);
	second = number_of(&n, "default/web");
	cr_assert_neq(second, first);
	cr_trace(&n, "SPAWN web|");
	node_started(&n, "default/web", 4711);
	cr_assert_eq(node_child(&n, "default/web").status->record->status.restarts, 0);
	node_free(&n);
}

Test(ports, a_range_that_strangers_have_is_a_failed_start_in_the_end)
{
	struct node n = narrow(300, 302);
	int tries = 0;

	node_put(&n, "default/web", asks(1, "http", 0));
	while (node_child(&n, "default/web").state == CHILD_PENDING && tries++ < 1000)
		fails(&n, "default/web", number_of(&n, "default/web"));
	cr_assert_lt(tries, 1000, "it goes on for ever");
	cr_assert_gt(tries, 2, "no other one was tried");
	cr_assert_eq(node_child(&n, "default/web").state, CHILD_BACKOFF);
	node_free(&n);
}

Test(ports, one_asked_for_by_number_that_a_stranger_has_is_a_failed_start)
{
	struct node n = narrow(300, 302);

	node_put(&n, "default/web", asks(1, "http", 9000));
	fails(&n, "default/web", 9000); /* the first of them is tried again at once */
	fails(&n, "default/web", 9000);
	cr_assert_eq(node_child(&n, "default/web").state, CHILD_BACKOFF);
	cr_assert_eq(number_of(&n, "default/web"), 9000);
	node_free(&n);
}

Test(ports, two_that_ask_for_one_number_do_not_run_on_one_node)
{
	struct node n = narrow(300, 302);

	node_runs(&n, "default/a", asks(1, "http", 9000));
	cr_assert_eq(node_put(&n, "default/b", asks(1, "admin", 9000)), ERR_OK);
	cr_trace(&n, "spec b|");
	node_wait(&n, 3000);
	cr_assert_eq(node_child(&n, "default/b").state, CHILD_PENDING);
	n.trace[0] = '\0';
	cr_assert_eq(node_remove(&n, "default/a"), ERR_OK);
	node_exited(&n, "default/a", 0, 15);
	node_wait(&n, 3000);
	cr_assert_not_null(strstr(n.trace, "SPAWN b|"), "%s", n.trace);
	node_free(&n);
}

/* It was without it when it was placed, and is where another one has the number by then. */
Test(ports, a_clash_that_comes_by_a_new_spec_is_a_failed_start_where_there_is_nobody_else)
{
	struct node n = narrow(300, 302);

	node_runs(&n, "default/a", asks(1, "http", 9000));
	node_runs(&n, "default/b", plain_spec(1));
	cr_assert_eq(node_put(&n, "default/b", asks(2, "http", 9000)), ERR_OK);
	node_exited(&n, "default/b", 0, 15);
	cr_assert_eq(node_child(&n, "default/b").state, CHILD_BACKOFF);
	cr_assert_str_eq(node_child(&n, "default/b").status->record->status.last_exit.error,
		"ports.http: EADDRINUSE");
	node_free(&n);
}

static struct cluster c;

Test(ports, a_later_life_of_the_node_gives_it_what_it_had)
{
	struct node *n = &c.peers[0].n;
	uint16_t before;

	cluster_make(&c, 1);
	/* One of them has a number that is nobody's first choice: it has to be remembered. */
	node_put(n, "default/web", asks(1, "http", 0));
	fails(n, "default/web", number_of(n, "default/web"));
	cluster_wait(&c, 1000);
	cr_assert_eq(node_child(n, "default/web").state, CHILD_RUNNING);
	before = number_of(n, "default/web");
	peer_kill(&c, 0);
	peer_restart(&c, 0, 1);
	cluster_wait(&c, 10000);
	cr_assert_eq(node_child(n, "default/web").state, CHILD_RUNNING);
	cr_assert_eq(number_of(n, "default/web"), before);
	cluster_free(&c);
}

Test(ports, of_two_nodes_each_has_one_of_two_that_ask_for_one_number_and_the_third_waits)
{
	struct node *n = &c.peers[0].n;
	const char *const refs[] = {"default/a", "default/b", "default/c"};

	cluster_make(&c, 2);
	for (int i = 0; i < 3; i++)
		cr_assert_eq(node_put(n, refs[i], asks(1, "http", 9000)), ERR_OK);
	cluster_wait(&c, 5000);
	cr_assert_neq(node_child(n, refs[0]).node, node_child(n, refs[1]).node);
	cr_assert_eq(node_child(n, refs[0]).state, CHILD_RUNNING);
	cr_assert_eq(node_child(n, refs[1]).state, CHILD_RUNNING);
	cr_assert_eq(node_child(n, refs[2]).state, CHILD_PENDING);
	cr_assert_eq(node_remove(n, refs[1]), ERR_OK);
	cluster_wait(&c, 5000);
	cr_assert_eq(node_child(n, refs[2]).state, CHILD_RUNNING);
	cluster_free(&c);
}

Test(ports, when_a_node_dies_those_of_one_number_do_not_meet)
{
	struct node *n = &c.peers[0].n;

	cluster_make(&c, 3);
	node_put(n, "default/a", asks(1, "http", 9000));
	node_put(n, "default/b", asks(1, "http", 9000));
	node_put(n, "default/c", asks(1, "http", 9000));
	cluster_wait(&c, 5000);
	peer_kill(&c, 2);
	cluster_wait(&c, 60000);
	cr_assert_eq(c.peers[0].proc_count, 1);
	cr_assert_eq(c.peers[1].proc_count, 1);
	cluster_free(&c);
}

Test(ports, they_are_part_of_what_only_a_new_process_can_have)
{
	struct record *without = plain_spec(1), *with = asks(1, "http", 0),
		      *other = asks(1, "x", 0);
	uint64_t none = spec_process_hash(&without->spec), one = spec_process_hash(&with->spec);

	cr_assert_neq(none, one);
	cr_assert_neq(spec_process_hash(&other->spec), one);
	record_free(without);
	record_free(with);
	record_free(other);
}
