/* Where what processes print goes, and what is known of it: the logs of processes.h. */
#include <stdlib.h>
#include <string.h>

#include "server/log_read.h"
#include "server/processes_state.h"

/* ---- of one process ------------------------------------------------------------------------ */

static void on_grown(void *data)
{
	const struct process *one = data;

	if (one->of->events.printed)
		one->of->events.printed(one->of->events.data, one->ref);
}

static void streams_fill(struct process *one)
{
	static const char *const names[2] = {"stdout", "stderr"};

	one->output[0].fd = one->output[1].fd = -1;
	for (int i = 0; i < 2; i++) {
		one->output[i].name = names[i];
		one->output[i].ref = one->ref;
		one->output[i].epoch = one->epoch;
		one->output[i].grown = on_grown;
		one->output[i].data = one;
	}
}

enum err processes_logs_open(struct processes *p, struct process *one, const struct process_spec *s)
{
	streams_fill(one);
	if (s->quiet)
		return ERR_OK;
	if (p->no_files) {
		one->tail.size = PROCESSES_TAIL_BYTES;
		one->output[1].tail = &one->tail;
	} else {
		enum err e = log_file_init(
			&one->log, p->logs_dir, one->ref, s->log_bytes_max, s->log_files_max);
		if (e)
			return e;
		one->log.total = p->logs_total;
	}
	for (int i = 0; i < 2; i++) {
		one->output[i].file = p->no_files ? NULL : &one->log;
		one->output[i].lines = p->lines;
	}
	return ERR_OK;
}

void processes_logs_close(struct processes *p, struct process *one)
{
	for (int i = 0; i < 2; i++)
		log_stream_close(&one->output[i]);
	p->dropped_bytes += one->log.dropped_bytes;
	log_file_fini(&one->log);
	free(one->tail.bytes);
}

size_t processes_logs_tail(struct process *one, char ret_tail[PROCESSES_TAIL_BYTES])
{
	for (int i = 0; i < 2; i++)
		log_stream_close(&one->output[i]);
	if (one->tail.used)
		memcpy(ret_tail, one->tail.bytes, one->tail.used);
	if (!one->log.folder)
		return one->tail.used;
	if (log_file_end(&one->log) == one->log_from)
		return 0;
	return log_read_tail(
		one->log.folder, one->log_from, "stderr", ret_tail, PROCESSES_TAIL_BYTES);
}

/* ---- of all -------------------------------------------------------------------------------- */

enum err processes_limit_logs(struct processes *p, uint64_t bytes_max)
{
	enum err e = log_total_new(p->logs_dir, bytes_max, LOG_TOTAL_FILES_MAX, &p->logs_total);

	if (e)
		return e;
	p->logs_total->needed = p->events.needed;
	p->logs_total->data = p->events.data;
	log_total_sweep(p->logs_total);
	return ERR_OK;
}

void processes_print_logs(struct processes *p, struct log_lines *lines, bool files)
{
	p->lines = lines;
	p->no_files = !files;
}

uint64_t processes_dropped_bytes(const struct processes *p)
{
	uint64_t bytes = p->dropped_bytes;
	for (unsigned i = 0; i < PROCESSES_BUCKETS; i++)
		for (const struct process *one = p->buckets[i]; one; one = one->next)
			bytes += one->log.dropped_bytes;
	return bytes;
}

uint64_t processes_log_dropped(struct processes *p, const char *ref)
{
	const struct process *one = processes_find(p, ref);

	return one ? one->log.dropped_bytes : 0;
}

bool processes_log_start(struct processes *p, const char *ref, uint64_t *ret_offset)
{
	const struct process *one = processes_find(p, ref);

	if (!one || !one->running)
		return false;
	*ret_offset = one->log_from;
	return true;
}
