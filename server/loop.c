#include "server/loop.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

/* Events taken from the kernel at once; what is left over comes in the next turn. */
#define LOOP_EVENTS_MAX 256
/*
 * The kernel's timeout stands still while the machine sleeps and our clock does not, so after a
 * suspend a timer may be late, by this much at most.
 */
#define LOOP_SLEEP_MAX_MS 10000

/*
 * Timers that are due at the same time fire in the order they were set. `key_ms` is never before
 * the turn in which the timer was set, so a timer that sets itself in the past sorts behind all
 * that were due already, and firing can stop at the first one younger than itself.
 */
struct slot {
	int64_t key_ms;
	uint64_t serial;
	struct loop_timer *timer;
};

struct loop {
	int epoll_fd;
	bool stop;
	int64_t now_ms;
	/* The events of this turn; unwatching an io blanks its entries. */
	struct epoll_event events[LOOP_EVENTS_MAX];
	int event_count;
	/* A binary heap; slots[0] stays unused so that slot 0 can mean "not set". */
	struct slot *slots;
	unsigned slot_count;
	unsigned slot_size;
	uint64_t serial;
};

static int64_t clock_ms(clockid_t id)
{
	struct timespec t;
	clock_gettime(id, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int64_t loop_clock_ms(void)
{
	return clock_ms(CLOCK_BOOTTIME);
}

int64_t loop_wall_ms(void)
{
	return clock_ms(CLOCK_REALTIME);
}

int64_t loop_now_ms(const struct loop *l)
{
	return l->now_ms;
}

enum err loop_new(struct loop **ret_loop)
{
	struct loop *l = calloc(1, sizeof *l);
	if (!l)
		return ERR_NO_MEMORY;
	l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (l->epoll_fd < 0) {
		free(l);
		return ERR_SYSTEM;
	}
	l->now_ms = loop_clock_ms();
	*ret_loop = l;
	return ERR_OK;
}

void loop_free(struct loop *l)
{
	if (!l)
		return;
	for (unsigned i = 1; i <= l->slot_count; i++)
		l->slots[i].timer->slot = 0;
	close(l->epoll_fd);
	free(l->slots);
	free(l);
}

/* ---- descriptors --------------------------------------------------------------------------- */

/*
 * A library may close a descriptor and open another with the same number before it tells us. The
 * kernel has then forgotten the registration, or still has it: either way we register anew.
 */
static int control(struct loop *l, int operation, struct loop_io *io, int fd, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.ptr = io};
	int result = epoll_ctl(l->epoll_fd, operation, fd, &event);
	if (result < 0 && operation == EPOLL_CTL_MOD && errno == ENOENT)
		result = epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, fd, &event);
	else if (result < 0 && operation == EPOLL_CTL_ADD && errno == EEXIST)
		result = epoll_ctl(l->epoll_fd, EPOLL_CTL_MOD, fd, &event);
	return result;
}

enum err loop_watch(struct loop *l, struct loop_io *io, int fd, uint32_t events,
	void (*ready)(void *data, uint32_t events), void *data)
{
	assert(fd >= 0 && ready);
	bool same = io->watched && io->fd == fd;
	if (control(l, same ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, io, fd, events) < 0)
		return errno == ENOMEM || errno == ENOSPC ? ERR_NO_MEMORY : ERR_SYSTEM;
	if (io->watched && !same)
		loop_unwatch(l, io);
	io->fd = fd;
	io->watched = true;
	io->ready = ready;
	io->data = data;
	return ERR_OK;
}

void loop_unwatch(struct loop *l, struct loop_io *io)
{
	if (!io->watched)
		return;
	/* It fails when the descriptor was closed already; then the kernel has let go of it. */
	epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, io->fd, &(struct epoll_event){0});
	io->watched = false;
	for (int i = 0; i < l->event_count; i++)
		if (l->events[i].data.ptr == io)
			l->events[i].data.ptr = NULL;
}

static void dispatch(struct loop *l)
{
	for (int i = 0; i < l->event_count; i++) {
		struct loop_io *io = l->events[i].data.ptr;
		if (io)
			io->ready(io->data, l->events[i].events);
	}
	l->event_count = 0;
}

/* ---- timers -------------------------------------------------------------------------------- */

static bool before(const struct slot *a, const struct slot *b)
{
	return a->key_ms < b->key_ms || (a->key_ms == b->key_ms && a->serial < b->serial);
}

static void place(struct loop *l, unsigned at, struct slot s)
{
	l->slots[at] = s;
	s.timer->slot = at;
}

static void sift_up(struct loop *l, unsigned at)
{
	struct slot s = l->slots[at];
	for (; at > 1 && before(&s, &l->slots[at / 2]); at /= 2)
		place(l, at, l->slots[at / 2]);
	place(l, at, s);
}

static void sift_down(struct loop *l, unsigned at)
{
	struct slot s = l->slots[at];
	for (unsigned child; (child = 2 * at) <= l->slot_count; at = child) {
		if (child < l->slot_count && before(&l->slots[child + 1], &l->slots[child]))
			child++;
		if (!before(&l->slots[child], &s))
			break;
		place(l, at, l->slots[child]);
	}
	place(l, at, s);
}

static void settle(struct loop *l, unsigned at)
{
	if (at > 1 && before(&l->slots[at], &l->slots[at / 2]))
		sift_up(l, at);
	else
		sift_down(l, at);
}

static enum err reserve_slot(struct loop *l)
{
	if (l->slot_count + 1 < l->slot_size)
		return ERR_OK;
	if (l->slot_size > UINT_MAX / 2)
		return ERR_NO_MEMORY;
	unsigned size = l->slot_size ? 2 * l->slot_size : 64;
	struct slot *slots = realloc(l->slots, size * sizeof *slots);
	if (!slots)
		return ERR_NO_MEMORY;
	l->slots = slots;
	l->slot_size = size;
	return ERR_OK;
}

enum err loop_timer_set(
	struct loop *l, struct loop_timer *t, int64_t at_ms, void (*fire)(void *data), void *data)
{
	assert(fire);
	if (!t->slot) {
		enum err e = reserve_slot(l);
		if (e)
			return e;
		t->slot = ++l->slot_count;
	}
	t->at_ms = at_ms;
	t->fire = fire;
	t->data = data;
	int64_t key_ms = at_ms < l->now_ms ? l->now_ms : at_ms;
	place(l, t->slot, (struct slot){key_ms, ++l->serial, t});
	settle(l, t->slot);
	return ERR_OK;
}

void loop_timer_cancel(struct loop *l, struct loop_timer *t)
{
	unsigned at = t->slot;
	if (!at)
		return;
	assert(at <= l->slot_count && l->slots[at].timer == t);
	t->slot = 0;
	struct slot last = l->slots[l->slot_count--];
	if (last.timer == t)
		return;
	place(l, at, last);
	settle(l, at);
}

static void fire_due(struct loop *l)
{
	uint64_t youngest = l->serial;
	while (l->slot_count && l->slots[1].key_ms <= l->now_ms && l->slots[1].serial <= youngest) {
		struct loop_timer *t = l->slots[1].timer;
		loop_timer_cancel(l, t);
		t->fire(t->data);
	}
}

/* ---- turns --------------------------------------------------------------------------------- */

static int sleep_ms(const struct loop *l, int asked_ms)
{
	int64_t ms = asked_ms < 0 || asked_ms > LOOP_SLEEP_MAX_MS ? LOOP_SLEEP_MAX_MS : asked_ms;
	if (l->slot_count) {
		/* Read anew: the work of this turn may have taken long. */
		int64_t left_ms = l->slots[1].key_ms - loop_clock_ms();
		if (left_ms < ms)
			ms = left_ms < 0 ? 0 : left_ms;
	}
	return (int)ms;
}

void loop_run(struct loop *l, int (*before_sleep)(void *data), void *data)
{
	while (!l->stop) {
		int asked_ms = before_sleep ? before_sleep(data) : -1;
		if (l->stop)
			break;
		int count =
			epoll_wait(l->epoll_fd, l->events, LOOP_EVENTS_MAX, sleep_ms(l, asked_ms));
		assert(count >= 0 || errno == EINTR);
		l->event_count = count < 0 ? 0 : count;
		l->now_ms = loop_clock_ms();
		dispatch(l);
		fire_due(l);
	}
	l->stop = false;
}

void loop_stop(struct loop *l)
{
	l->stop = true;
}
