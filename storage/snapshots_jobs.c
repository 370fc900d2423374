/* The queue of jobs, and the thread that does them one after the other. */
#include <assert.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#include "storage/snapshots_inside.h"

struct snapshots_job *snapshots_job_new(struct snapshots *s, enum job_kind kind, const char *id)
{
	struct snapshots_job *job = calloc(1, sizeof *job);

	if (!job)
		return NULL;
	job->owner = s;
	job->kind = kind;
	memcpy(job->snapshot.id, id, strlen(id) + 1);
	return job;
}

void snapshots_job_free(struct snapshots_job *job)
{
	if (job->free_data)
		job->free_data(job->data);
	free(job);
}

/* ---- the thread ---------------------------------------------------------------------------- */

static void append(struct snapshots_job **list, struct snapshots_job *job)
{
	while (*list)
		list = &(*list)->next;
	job->next = NULL;
	*list = job;
}

static void run_first(struct snapshots *s)
{
	struct snapshots_job *job = s->queue;
	bool skip = job->kind == JOB_LOAD && job->released;
	enum err e;

	s->running = true;
	(void)pthread_mutex_unlock(&s->mutex);
	e = skip ? ERR_SHUTTING_DOWN : snapshot_run(job);
	(void)pthread_mutex_lock(&s->mutex);
	s->running = false;
	job->result = e;
	s->queue = job->next;
	append(&s->finished, job);
	(void)eventfd_write(s->event_fd, 1);
}

static void *run(void *data)
{
	struct snapshots *s = data;

	(void)pthread_mutex_lock(&s->mutex);
	while (!atomic_load(&s->stopping)) {
		if (s->queue)
			run_first(s);
		else
			(void)pthread_cond_wait(&s->wake, &s->mutex);
	}
	(void)pthread_mutex_unlock(&s->mutex);
	return NULL;
}

/* Signals are the loop's: the thread is born with all of them blocked. */
static enum err start_thread(struct snapshots *s)
{
	sigset_t all, before;
	int error;

	if (s->threaded)
		return ERR_OK;
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	error = pthread_create(&s->thread, NULL, run, s);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	s->threaded = !error;
	return error ? ERR_SYSTEM : ERR_OK;
}

/* ---- the loop's side ----------------------------------------------------------------------- */

static enum err enqueue(struct snapshots *s, struct snapshots_job *job)
{
	enum err e = s->jobs < SNAPSHOTS_JOBS_MAX ? start_thread(s) : ERR_LIMIT;

	if (e)
		return e;
	job->ticket = ++s->tickets;
	s->jobs++;
	(void)pthread_mutex_lock(&s->mutex);
	append(&s->queue, job);
	(void)pthread_cond_signal(&s->wake);
	(void)pthread_mutex_unlock(&s->mutex);
	return ERR_OK;
}

enum err snapshots_submit(struct snapshots_job *job, struct snapshots_job **ret_job)
{
	enum err e = enqueue(job->owner, job);

	if (e) {
		job->free_data = NULL; /* the data stay the caller's */
		snapshots_job_free(job);
	} else {
		*ret_job = job;
	}
	return e;
}

/* From here on the job is the loop's alone. */
static void settle(struct snapshots *s, struct snapshots_job *job)
{
	s->jobs--;
	job->done = true;
	if (job->kind != JOB_LOAD && !job->result)
		snapshots_add(s, &job->snapshot);
}

void snapshots_collect(
	struct snapshots *s, void (*done)(void *data, struct snapshots_job *job), void *data)
{
	struct snapshots_job *job, *next;
	eventfd_t ignored;

	(void)eventfd_read(s->event_fd, &ignored);
	(void)pthread_mutex_lock(&s->mutex);
	job = s->finished;
	s->finished = NULL;
	(void)pthread_mutex_unlock(&s->mutex);
	for (; job; job = next) {
		next = job->next;
		settle(s, job);
		done(data, job);
		if (job->released)
			snapshots_job_free(job);
	}
}

static void free_all(struct snapshots_job *job)
{
	while (job) {
		struct snapshots_job *next = job->next;

		job->done = true;
		job->result = ERR_SHUTTING_DOWN;
		if (job->released)
			snapshots_job_free(job);
		job = next;
	}
}

void snapshots_stop(struct snapshots *s)
{
	(void)pthread_mutex_lock(&s->mutex);
	atomic_store(&s->stopping, true);
	(void)pthread_cond_signal(&s->wake);
	(void)pthread_mutex_unlock(&s->mutex);
	if (s->threaded)
		(void)pthread_join(s->thread, NULL);
	free_all(s->queue);
	free_all(s->finished);
	s->queue = s->finished = NULL;
}

bool snapshots_job_done(const struct snapshots_job *job, enum err *ret_err)
{
	if (job->done)
		*ret_err = job->result;
	return job->done;
}

uint64_t snapshots_job_ticket(const struct snapshots_job *job)
{
	return job->ticket;
}

const char *snapshots_job_id(const struct snapshots_job *job)
{
	return job->snapshot.id;
}

void *snapshots_job_data(const struct snapshots_job *job)
{
	return job->data;
}

void snapshots_job_release(struct snapshots_job *job)
{
	struct snapshots *s = job->owner;
	bool done = job->done;

	if (!done) {
		(void)pthread_mutex_lock(&s->mutex);
		job->released = true;
		(void)pthread_mutex_unlock(&s->mutex);
	} else {
		snapshots_job_free(job);
	}
}
