#include "storage/writer.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

/* One place of the ring; from submit until its OK was collected. */
struct slot {
	struct store_batch batch;
	size_t weight;
	uint64_t number;
	enum err failure; /* not OK: to be told, unless it is stored before somebody asks */
	bool told;        /* its failure was told */
};

/*
 * Batches move through the ring by three counters, collected <= stored <= submitted; a counter
 * modulo WRITER_QUEUE_MAX is a place. The thread owns the batches of [stored, submitted) and is the
 * only one to raise `stored`; everything but those batches is under the mutex.
 */
struct writer {
	struct store store;
	pthread_t thread;
	pthread_mutex_t mutex;
	pthread_cond_t wake; /* monotonic clock */
	int event_fd;
	struct slot ring[WRITER_QUEUE_MAX];
	uint64_t collected, stored, submitted;
	size_t weight;       /* of the batches that are not stored */
	enum err trouble;    /* of the last commit */
	int64_t retry_at_ms; /* while there is trouble */
	bool stopping;
	int64_t give_up_at_ms; /* while stopping */
};

static int64_t clock_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static struct slot *slot_at(struct writer *w, uint64_t place)
{
	return &w->ring[place % WRITER_QUEUE_MAX];
}

/* ---- the thread; all with the mutex held --------------------------------------------------- */

static void notify(const struct writer *w)
{
	/* It fails only when the counter is full, and then the descriptor is readable anyway. */
	(void)eventfd_write(w->event_fd, 1);
}

/* While there is trouble, whoever queues learns of it at once and not at the next retry. */
static void mark_failures(struct writer *w)
{
	bool news = false;

	for (uint64_t i = w->stored; i < w->submitted; i++) {
		struct slot *s = slot_at(w, i);

		if (s->failure)
			continue;
		s->failure = w->trouble;
		news = true;
	}
	if (news)
		notify(w);
}

static void mark_stored(struct writer *w, uint64_t count)
{
	for (; count; count--) {
		struct slot *s = slot_at(w, w->stored++);

		batch_fini(&s->batch);
		w->weight -= s->weight;
		s->failure = ERR_OK;
	}
	w->trouble = ERR_OK;
	notify(w);
}

/* After a failure one batch at a time: the smallest step is the likeliest to fit on a full disk. */
static void commit_next(struct writer *w)
{
	const struct store_batch *batches[WRITER_MERGE_MAX];
	uint64_t most = w->trouble ? 1 : WRITER_MERGE_MAX;
	uint64_t count = w->submitted - w->stored < most ? w->submitted - w->stored : most;
	enum err e;

	for (uint64_t i = 0; i < count; i++)
		batches[i] = &slot_at(w, w->stored + i)->batch;
	(void)pthread_mutex_unlock(&w->mutex);
	e = store_commit(w->store, batches, count);
	(void)pthread_mutex_lock(&w->mutex);
	if (!e) {
		mark_stored(w, count);
		return;
	}
	w->trouble = e;
	w->retry_at_ms = clock_ms() + WRITER_RETRY_MS;
	mark_failures(w);
}

static void wait_until(struct writer *w, int64_t at_ms)
{
	struct timespec at = {at_ms / 1000, at_ms % 1000 * 1000000};

	(void)pthread_cond_timedwait(&w->wake, &w->mutex, &at);
}

static void *run(void *data)
{
	struct writer *w = data;

	(void)pthread_mutex_lock(&w->mutex);
	for (;;) {
		int64_t now_ms = clock_ms();

		if (w->stored == w->submitted) {
			if (w->stopping)
				break;
			(void)pthread_cond_wait(&w->wake, &w->mutex);
		} else if (!w->trouble || now_ms >= w->retry_at_ms) {
			commit_next(w);
		} else if (w->stopping && now_ms >= w->give_up_at_ms) {
			break;
		} else {
			mark_failures(w);
			wait_until(w, w->stopping && w->give_up_at_ms < w->retry_at_ms
					      ? w->give_up_at_ms
					      : w->retry_at_ms);
		}
	}
	(void)pthread_mutex_unlock(&w->mutex);
	return NULL;
}

/* ---- the loop's side ----------------------------------------------------------------------- */

/*
 * A commit waits for the disk anyhow; so the thread does not take the processor from a loop that
 * has somebody to answer when it wakes, nor keeps it (sched(7), SCHED_BATCH). Where
 * that is refused it is only slower.
 */
static void yield_to_loops(struct writer *w)
{
	(void)pthread_setschedparam(w->thread, SCHED_BATCH, &(struct sched_param){0});
}

/* Signals are the loop's: the thread is born with all of them blocked. */
static int start_thread(struct writer *w)
{
	sigset_t all, before;
	int error;

	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	error = pthread_create(&w->thread, NULL, run, w);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (!error)
		yield_to_loops(w);
	return error;
}

static void init_locks(struct writer *w)
{
	pthread_condattr_t monotonic;

	(void)pthread_condattr_init(&monotonic);
	(void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&w->wake, &monotonic);
	(void)pthread_condattr_destroy(&monotonic);
	(void)pthread_mutex_init(&w->mutex, NULL);
}

static void release(struct writer *w)
{
	for (size_t i = 0; i < WRITER_QUEUE_MAX; i++)
		batch_fini(&w->ring[i].batch);
	(void)pthread_cond_destroy(&w->wake);
	(void)pthread_mutex_destroy(&w->mutex);
	(void)close(w->event_fd);
	free(w);
}

enum err writer_start(struct store store, struct writer **ret_writer)
{
	struct writer *w = calloc(1, sizeof *w);

	if (!w)
		return ERR_NO_MEMORY;
	w->store = store;
	w->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (w->event_fd < 0) {
		free(w);
		return ERR_SYSTEM;
	}
	init_locks(w);
	if (start_thread(w)) {
		release(w);
		return ERR_SYSTEM;
	}
	*ret_writer = w;
	return ERR_OK;
}

enum err writer_submit(struct writer *w, struct store_batch *batch, uint64_t number)
{
	size_t weight = batch_weight(batch);
	enum err e = ERR_LIMIT;

	(void)pthread_mutex_lock(&w->mutex);
	assert(!w->submitted || w->submitted == w->collected ||
		number > slot_at(w, w->submitted - 1)->number);
	if (w->submitted - w->collected < WRITER_QUEUE_MAX &&
		(!w->weight || w->weight + weight <= WRITER_QUEUE_BYTES_MAX)) {
		*slot_at(w, w->submitted) =
			(struct slot){.batch = *batch, .weight = weight, .number = number};
		w->submitted++;
		w->weight += weight;
		*batch = (struct store_batch){0};
		(void)pthread_cond_signal(&w->wake);
		e = ERR_OK;
	}
	(void)pthread_mutex_unlock(&w->mutex);
	return e;
}

int writer_fd(const struct writer *w)
{
	return w->event_fd;
}

struct result {
	uint64_t number;
	enum err e;
};

/* Takes the results out under the mutex, so that `done` is called without it and may submit. */
static size_t take_results(struct writer *w, struct result *results)
{
	size_t count = 0;
	eventfd_t ignored;

	(void)pthread_mutex_lock(&w->mutex);
	/* With the mutex held, like notify: it is readable when there are results, and only then. */
	(void)eventfd_read(w->event_fd, &ignored);
	while (w->collected < w->stored) {
		results[count++] = (struct result){slot_at(w, w->collected)->number, ERR_OK};
		w->collected++;
	}
	for (uint64_t i = w->stored; i < w->submitted; i++) {
		struct slot *s = slot_at(w, i);

		if (s->failure && !s->told)
			results[count++] = (struct result){s->number, s->failure};
		s->told = s->failure != ERR_OK;
	}
	(void)pthread_mutex_unlock(&w->mutex);
	return count;
}

void writer_collect(
	struct writer *w, void (*done)(void *data, uint64_t number, enum err e), void *data)
{
	struct result results[WRITER_QUEUE_MAX];
	size_t count = take_results(w, results);

	for (size_t i = 0; i < count; i++)
		done(data, results[i].number, results[i].e);
}

enum err writer_trouble(struct writer *w)
{
	enum err e;

	(void)pthread_mutex_lock(&w->mutex);
	e = w->trouble;
	(void)pthread_mutex_unlock(&w->mutex);
	return e;
}

size_t writer_pending(struct writer *w)
{
	size_t pending;

	(void)pthread_mutex_lock(&w->mutex);
	pending = (size_t)(w->submitted - w->stored);
	(void)pthread_mutex_unlock(&w->mutex);
	return pending;
}

static void ignore(void *data, uint64_t number, enum err e)
{
	(void)data;
	(void)number;
	(void)e;
}

enum err writer_stop(struct writer *w, int flush_ms,
	void (*done)(void *data, uint64_t number, enum err e), void *data)
{
	enum err e;

	if (!w)
		return ERR_OK;
	(void)pthread_mutex_lock(&w->mutex);
	w->stopping = true;
	w->give_up_at_ms = clock_ms() + flush_ms;
	(void)pthread_cond_signal(&w->wake);
	(void)pthread_mutex_unlock(&w->mutex);
	(void)pthread_join(w->thread, NULL);
	/* The thread is gone; what it left unstored is told for the last time. */
	for (uint64_t i = w->stored; i < w->submitted; i++) {
		slot_at(w, i)->failure = w->trouble;
		slot_at(w, i)->told = false;
	}
	e = w->stored < w->submitted ? w->trouble : ERR_OK;
	writer_collect(w, done ? done : ignore, data);
	store_close(w->store);
	release(w);
	return e;
}
