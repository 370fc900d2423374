/* Messages under way: lost, doubled, late, out of order, cut one way and both. */
#include "tests/sim/replicas/parts.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

struct message *message_new(struct world *w, int client, int server)
{
	struct message *m = w->spare;

	if (m)
		w->spare = m->next_spare;
	else
		m = malloc(sizeof(*m));
	if (!m)
		abort();
	memset(m, 0, offsetof(struct message, live));
	m->client = client;
	m->server = server;
	m->client_life = w->replicas[client].life;
	m->server_life = w->replicas[server].life;
	return m;
}

void message_free(struct world *w, struct message *m)
{
	vector_fini(&m->after);
	block_sums_fini(&m->blocks);
	fragment_fini(&m->fragment);
	m->next_spare = w->spare;
	w->spare = m;
}

static struct message *message_copy(struct world *w, const struct message *from)
{
	struct message *m = message_new(w, from->client, from->server);

	*m = *from;
	m->after = (struct vector)VECTOR_INIT;
	m->blocks = (struct block_sums){0};
	m->fragment = (struct fragment){0};
	if (from->reply)
		fragment_copy(&from->fragment, &m->fragment);
	else
		must(vector_copy(&from->after, &m->after));
	if (from->posted)
		blocks_copy(&from->blocks, &m->blocks);
	return m;
}

static struct message *unqueue(struct world *w, size_t i)
{
	struct message *m = w->inbox[i];

	w->inbox_used--;
	memmove(&w->inbox[i], &w->inbox[i + 1], (w->inbox_used - i) * sizeof(w->inbox[0]));
	return m;
}

void message_send(struct world *w, struct message *m)
{
	if (w->inbox_used == INBOX_MAX)
		message_free(w, unqueue(w, 0));
	w->inbox[w->inbox_used++] = m;
}

/* What the client knows of the server's own life, for the server to see a fork by. */
static void own(const struct world *w, const struct replica *client, struct message *m)
{
	struct origin_id id = w->past.origins[w->replicas[m->server].self].id;

	m->own_origin = id;
	m->own_seq = vector_get(map_vector(client->map), id);
	m->own_chain = m->own_seq ? map_chain(client->map, (struct dot){id, m->own_seq}) : 0;
}

void network_request(struct world *w, struct replica *client, struct replica *server, bool all)
{
	struct message *m = message_new(w, client->index, server->index);

	m->all = all;
	m->origins = client->grafts[server->index];
	if (w->faults.stale && client->stale.used && percent(w, 15))
		must(vector_copy(&client->stale, &m->after));
	else if (all)
		must(vector_copy(map_vector(client->map), &m->after));
	else
		must(held_cursor(client->held, client->map, &m->after));
	own(w, client, m);
	tracef(w, "r%d asks r%d for %s", client->index, server->index, all ? "all" : "slices");
	message_send(w, m);
}

void network_post(struct world *w, struct replica *client, int server, bool repair)
{
	struct message *m = message_new(w, client->index, server);

	m->all = m->posted = true;
	m->repair = repair;
	must(vector_copy(map_vector(client->map), &m->after));
	must(map_block_sums(client->map, &m->blocks));
	memcpy(m->live, client->view.live, client->view.live_count * sizeof(m->live[0]));
	m->live_count = client->view.live_count;
	own(w, client, m);
	tracef(w, "r%d posts its blocks to r%d%s", client->index, server,
		repair ? " for a repair" : "");
	message_send(w, m);
}

static void deliver(struct world *w, struct message *m)
{
	struct replica *client = &w->replicas[m->client], *server = &w->replicas[m->server];

	if (m->reply && client->up && client->life == m->client_life)
		take(w, client, m);
	else if (!m->reply && server->up && server->life == m->server_life)
		serve(w, server, m);
}

void network_step(struct world *w)
{
	size_t i =
		w->faults.reorder && w->inbox_used && percent(w, 60) ? below(w, w->inbox_used) : 0;
	struct message *m, *twin;

	if (w->inbox_used == 0)
		return;
	m = unqueue(w, i);
	if (w->cut[m->reply ? m->server : m->client][m->reply ? m->client : m->server] ||
		(w->faults.loss && percent(w, 10))) {
		tracef(w, "r%d-r%d: a %s is lost", m->client, m->server,
			m->reply ? "reply" : "request");
		message_free(w, m);
		return;
	}
	if (w->faults.duplicate && percent(w, 15)) {
		twin = message_copy(w, m);
		message_send(w, twin);
	}
	deliver(w, m);
	message_free(w, m);
}

void network_drain(struct world *w)
{
	while (w->inbox_used && !w->failure[0]) {
		struct message *m = unqueue(w, 0);
		struct replica *server = &w->replicas[m->server];

		deliver(w, m);
		message_free(w, m);
		while (server->sending.stream && !w->failure[0])
			stream_pump(w, server);
	}
}

void network_clear(struct world *w)
{
	while (w->inbox_used)
		message_free(w, unqueue(w, 0));
	for (int i = 0; i < w->count; i++)
		stream_close(&w->replicas[i]);
}
