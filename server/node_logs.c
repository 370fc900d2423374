/* A page of what a child printed here, as JSON: the logs of service.h. */
#include "server/node_inside.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/base64.h"
#include "server/log_read.h"

struct page {
	struct text *out;
	size_t size;
	size_t begin;
	unsigned limit;
	unsigned count;
};

static bool add(void *data, const struct log_entry *e)
{
	struct page *p = data;

	if (p->count == p->limit || p->out->used - p->begin >= p->size)
		return false;
	json_object(p->out);
	json_key(p->out, "at");
	json_string_n(p->out, e->at, 24);
	json_put_string(p->out, "stream", e->is_stderr ? "stderr" : "stdout");
	json_put_uint(p->out, "offset", e->offset);
	json_key(p->out, "data");
	if (log_is_text(e->data, e->bytes)) {
		json_string_n(p->out, e->data, e->bytes);
	} else {
		base64_string(p->out, e->data, e->bytes);
		json_put_string(p->out, "encoding", "base64");
	}
	if (e->partial)
		json_put_bool(p->out, "partial", true);
	json_end_object(p->out);
	p->count++;
	return text_ok(p->out);
}

enum err node_logs(void *node, const char *ref, const struct logs_query *q, size_t size,
	struct text *out, struct logs_range *ret_range)
{
	struct node *n = node;
	struct page p = {.out = out, .size = size, .begin = out->used, .limit = q->limit};
	struct log_query read = {.stream = q->stream,
		.from_offset = q->from_offset,
		.after = q->after,
		.tail = q->tail,
		.each = add,
		.data = &p};
	struct log_page page;
	char logs[DIRECTORY_PATH_MAX + 8], *folder;
	enum err e;

	if (n->config.options->logs == LOGS_STDOUT)
		return ERR_WRONG_STATE;
	snprintf(logs, sizeof logs, "%s/logs", n->config.directory->path);
	e = log_folder(logs, ref, &folder);
	if (e)
		return e;
	read.folder = folder;
	e = log_read(&read, &page);
	free(folder);
	if (!e || e == ERR_LIMIT) {
		*ret_range = (struct logs_range){.first = page.first,
			.end = page.end,
			.next = page.next,
			.count = p.count,
			.dropped_bytes = processes_log_dropped(n->processes, ref)};
		ret_range->runs = processes_log_start(n->processes, ref, &ret_range->process_start);
	}
	return e ? e : text_ok(out) ? ERR_OK : ERR_NO_MEMORY;
}
