/* The server's side of a link: slices, differences, digests and streams, and fork detection. */
#include "tests/sim/replicas/parts.h"

#include <stdlib.h>
#include <string.h>

/* ---- streams ---- */

void stream_close(struct replica *server)
{
	if (!server->sending.stream)
		return;
	stream_free(server->sending.stream);
	fragment_fini(&server->sending.staged);
	server->sending = (struct sending){0};
}

static void *append(void *items, size_t count, const void *extra, size_t extra_count, size_t bytes)
{
	if (extra_count == 0)
		return items;
	items = realloc(items, (count + extra_count) * bytes);
	if (!items)
		abort();
	memcpy((char *)items + count * bytes, extra, extra_count * bytes);
	return items;
}

/* The client keeps what it got until the last piece is there, and what that one says of it all. */
static void stage(struct fragment *staged, struct fragment *piece, bool last)
{
	struct fragment whole = last ? *piece : *staged;
	struct fragment_put *puts = append(
		staged->puts, staged->put_count, piece->puts, piece->put_count, sizeof(*puts));
	struct fragment_kill *kills = append(
		staged->kills, staged->kill_count, piece->kills, piece->kill_count, sizeof(*kills));

	free(piece->puts);
	free(piece->kills);
	whole.puts = puts;
	whole.put_count = staged->put_count + piece->put_count;
	whole.kills = kills;
	whole.kill_count = staged->kill_count + piece->kill_count;
	whole.borrowed = piece->borrowed;
	piece->puts = NULL;
	piece->kills = NULL;
	piece->put_count = piece->kill_count = 0;
	if (last)
		*piece = (struct fragment){0};
	*staged = whole;
}

static void reply_with(struct world *w, struct replica *server, int client, uint64_t client_life,
	struct fragment *f, bool repair)
{
	struct message *m = message_new(w, client, server->index);

	f->clock = server->clock.stamp;
	m->reply = true;
	m->repair = repair;
	m->client_life = client_life;
	m->fragment = *f;
	message_send(w, m);
}

void stream_pump(struct world *w, struct replica *server)
{
	struct sending *s = &server->sending;
	struct fragment piece = {0};
	bool last = false;
	enum err err;

	if (!s->stream)
		return;
	err = stream_next(s->stream, 1 + below(w, 4), &piece, &last);
	if (err == ERR_WRONG_STATE) { /* the server took over a floor: the client asks again */
		tracef(w, "r%d gives its stream for r%d up", server->index, s->client);
		stream_close(server);
		return;
	}
	must(err);
	fragment_settle(w, &piece);
	stage(&s->staged, &piece, last);
	fragment_fini(&piece);
	if (!last)
		return;
	tracef(w, "r%d ends its stream for r%d", server->index, s->client);
	s->staged.mode = FRAGMENT_FULL;
	reply_with(w, server, s->client, s->client_life, &s->staged, false);
	s->staged = (struct fragment){0};
	stream_close(server);
	w->tally.streams++;
}

static bool stream_instead(struct world *w, struct replica *server, const struct message *q)
{
	struct sending *s = &server->sending;

	if (!w->faults.stream || s->stream || q->repair || !percent(w, 50))
		return false;
	s->client = q->client;
	s->client_life = q->client_life;
	must(stream_new(server->map, &q->after, q->posted ? &q->blocks : NULL, &s->stream));
	tracef(w, "r%d opens a stream for r%d", server->index, q->client);
	return true;
}

/* ---- answers ---- */

static void slice(
	struct world *w, struct replica *server, const struct message *q, struct fragment *ret)
{
	struct origin_id want[ORIGINS_MAX];
	size_t count = 0;

	want[count++] = w->past.origins[server->self].id;
	for (unsigned o = 0; o < w->past.origin_count; o++)
		if (q->origins >> o & 1 && o != server->self)
			want[count++] = w->past.origins[o].id;
	must(map_slice(server->map, &q->after, want, count, ret));
}

/* A client that knows more of this life than has happened, or other things: someone lives it too.
 */
static void look_for_fork(struct world *w, struct replica *server, const struct message *q)
{
	struct dot last = map_last_dot(server->map);
	uint64_t chain = 0;

	if (q->own_seq && q->own_seq <= last.seq)
		chain = map_chain(server->map, (struct dot){last.origin, q->own_seq});
	if (q->own_seq > last.seq || (chain && q->own_chain && chain != q->own_chain))
		fork_seen(w, server, last.origin);
}

void serve(struct world *w, struct replica *server, const struct message *q)
{
	struct fragment f = {0};
	bool repair = q->repair && vector_equal(&q->after, map_vector(server->map));

	if (origin_equal(w->past.origins[server->self].id, q->own_origin))
		look_for_fork(w, server, q);
	if (q->posted)
		must(map_difference_checked(server->map, &q->after, &q->blocks, repair, &f));
	else if (q->all)
		must(map_difference(server->map, &q->after, &f));
	else
		slice(w, server, q, &f);
	oracle_fragment(w, q, &f);
	if (f.mode == FRAGMENT_FULL && stream_instead(w, server, q)) {
		fragment_fini(&f);
		return;
	}
	fragment_settle(w, &f);
	reply_with(w, server, q->client, q->client_life, &f, repair);
}
