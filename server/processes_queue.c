#include "server/processes_state.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

/* ---- the table ----------------------------------------------------------------------------- */

static struct process **bucket(struct processes *p, const char *ref)
{
	uint32_t hash = 2166136261U;
	for (; *ref; ref++)
		hash = (hash ^ (uint8_t)*ref) * 16777619U;
	return &p->buckets[hash % PROCESSES_BUCKETS];
}

struct process *processes_find(struct processes *p, const char *ref)
{
	struct process *one = *bucket(p, ref);
	while (one && strcmp(one->ref, ref) != 0)
		one = one->next;
	return one;
}

struct process *processes_find_epoch(struct processes *p, const char *ref, uint64_t epoch)
{
	struct process *one = processes_find(p, ref);
	return one && one->epoch == epoch ? one : NULL;
}

void processes_table_add(struct processes *p, struct process *one)
{
	struct process **head = bucket(p, one->ref);
	one->next = *head;
	*head = one;
	p->count++;
}

void processes_table_remove(struct processes *p, struct process *one)
{
	struct process **at = bucket(p, one->ref);
	while (*at != one)
		at = &(*at)->next;
	*at = one->next;
	p->count--;
}

unsigned processes_count(const struct processes *p)
{
	return p->count;
}

/* ---- the queue ----------------------------------------------------------------------------- */

static void watch(struct processes *p, uint32_t events)
{
	if (p->socket_fd >= 0 && events != p->watched &&
		!loop_watch(p->loop, &p->io, p->socket_fd, events, processes_on_message, p))
		p->watched = events;
}

void processes_try_later(struct processes *p, int64_t after_ms)
{
	int64_t at_ms = loop_clock_ms() + after_ms;
	if (p->timer.at_ms > at_ms)
		loop_timer_set(p->loop, &p->timer, at_ms, processes_on_timer, p);
}

static struct request *queue_take(struct processes *p)
{
	struct request *r = p->first;
	p->first = r->next;
	if (!p->first)
		p->last = &p->first;
	p->queue_count--;
	r->queued = false;
	return r;
}

static enum err send_request(struct processes *p, const struct request *r)
{
	struct wire_message m = wire_message(r->verb, NULL, 0);
	if (r->verb == WIRE_SPAWN)
		m = r->process->counts;
	else if (r->process)
		m = wire_message(r->verb, r->process->ref, r->process->epoch);
	m.signal = r->signal;
	m.group = r->group;
	m.kill_after_ms = r->kill_after_ms;
	return wire_send(
		p->socket_fd, &m, r->verb == WIRE_SPAWN ? r->process->spec : NULL, NULL, 0);
}

void processes_send_queue(struct processes *p)
{
	enum err e = ERR_OK;
	while (p->socket_fd >= 0 && p->first && !e) {
		e = send_request(p, p->first);
		if (e)
			break;
		struct request *r = queue_take(p);
		if (r->allocated)
			free(r);
	}
	/* IO: it is gone, as the end of file will say; nothing is lost from the queue. */
	watch(p, e == ERR_NOT_READY ? EPOLLIN | EPOLLOUT : EPOLLIN);
	if (e == ERR_NO_MEMORY)
		processes_try_later(p, PROCESSES_RETRY_MS);
}

void processes_queue_put(struct processes *p, struct request *r)
{
	assert(!r->queued);
	r->queued = true;
	r->next = NULL;
	*p->last = r;
	p->last = &r->next;
	p->queue_count++;
}

void processes_queue_add(struct processes *p, struct request *r)
{
	bool idle = !p->first;
	processes_queue_put(p, r);
	if (idle)
		processes_send_queue(p);
}

/* Takes out the requests about `one`, or all of them when it is NULL. */
void processes_queue_forget(struct processes *p, const struct process *one)
{
	struct request **at = &p->first;
	while (*at) {
		struct request *r = *at;
		if (one && r->process != one) {
			at = &r->next;
			continue;
		}
		*at = r->next;
		p->queue_count--;
		r->queued = false;
		if (r->allocated)
			free(r);
	}
	p->last = at;
}
