#include "tests/fuzz/clock.h"

#include "tests/fuzz/fuzz.h"

#define TIMERS_MAX 64

struct loop {
	int64_t now_ms;
	struct loop_timer *timers[TIMERS_MAX + 1]; /* slot 0 is none */
};

enum err loop_new(struct loop **ret_loop)
{
	*ret_loop = calloc(1, sizeof(**ret_loop));
	if (!*ret_loop)
		return ERR_NO_MEMORY;
	(*ret_loop)->now_ms = CLOCK_START_MS;
	return ERR_OK;
}

enum err loop_watch(struct loop *l, struct loop_io *io, int fd, uint32_t events,
	void (*ready)(void *data, uint32_t events), void *data)
{
	(void)l;
	(void)events;
	*io = (struct loop_io){.fd = fd, .watched = true, .ready = ready, .data = data};
	return ERR_OK;
}

void loop_unwatch(struct loop *l, struct loop_io *io)
{
	(void)l;
	io->watched = false;
}

enum err loop_timer_set(
	struct loop *l, struct loop_timer *t, int64_t at_ms, void (*fire)(void *data), void *data)
{
	unsigned slot = t->slot ? t->slot : 1;

	while (!t->slot && slot <= TIMERS_MAX && l->timers[slot])
		slot++;
	must(slot <= TIMERS_MAX, "few timers");
	*t = (struct loop_timer){.at_ms = at_ms, .fire = fire, .data = data, .slot = slot};
	l->timers[slot] = t;
	return ERR_OK;
}

void loop_timer_cancel(struct loop *l, struct loop_timer *t)
{
	if (t->slot)
		l->timers[t->slot] = NULL;
	t->slot = 0;
}

int64_t loop_now_ms(const struct loop *l)
{
	return l->now_ms;
}

int64_t loop_clock_ms(void)
{
	return CLOCK_START_MS;
}

int64_t loop_wall_ms(void)
{
	return CLOCK_WALL_MS;
}

void clock_reset(struct loop *l)
{
	must(clock_next_ms(l) == INT64_MAX, "no timer is left behind");
	l->now_ms = CLOCK_START_MS;
}

static struct loop_timer *first(const struct loop *l)
{
	struct loop_timer *t = NULL;

	for (unsigned i = 1; i <= TIMERS_MAX; i++)
		if (l->timers[i] && (!t || l->timers[i]->at_ms < t->at_ms))
			t = l->timers[i];
	return t;
}

int64_t clock_next_ms(const struct loop *l)
{
	const struct loop_timer *t = first(l);

	return t ? t->at_ms : INT64_MAX;
}

void clock_pass(struct loop *l, int64_t ms)
{
	l->now_ms += ms;
	while (clock_next_ms(l) <= l->now_ms) {
		struct loop_timer *t = first(l);

		loop_timer_cancel(l, t);
		t->fire(t->data);
	}
}
