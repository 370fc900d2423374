/* From a configuration to a server: documents, router, bindings, libmicrohttpd. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>

#include "api/document.h"
#include "api/http_inside.h"
#include "api/http.h"
#include "api/http_glue.h"

static const struct http_document *embedded(void)
{
	static struct http_document documents[3];

	documents[0] = (struct http_document){
		.yaml = document_openapi, .length = document_openapi_length()};
	documents[1] = (struct http_document){
		.yaml = document_peer, .length = document_peer_length(), .peers = true};
	return documents;
}

static enum err load_documents(struct http *h, char why[HTTP_WHY_BYTES])
{
	const struct http_document *d = h->config.documents ? h->config.documents : embedded();
	char inner[HTTP_WHY_BYTES];
	enum err e;

	for (; d->yaml; d++) {
		assert(h->document_count < HTTP_DOCUMENTS_MAX);
		e = openapi_load(
			&h->documents[h->document_count], d->yaml, d->length, d->peers, inner);
		if (e != ERR_OK) {
			snprintf(why, HTTP_WHY_BYTES, "%s document, %.200s",
				d->peers ? "peers'" : "users'", inner);
			return e;
		}
		h->document_count++;
	}
	return ERR_OK;
}

static struct operation *find_operation(struct http *h, const char *id)
{
	for (size_t d = 0; d < h->document_count; d++)
		for (size_t i = 0; i < h->documents[d].operation_count; i++)
			if (strcmp(h->documents[d].operations[i].id, id) == 0)
				return &h->documents[d].operations[i];
	return NULL;
}

static enum err bind_handlers(struct http *h, char why[HTTP_WHY_BYTES])
{
	for (const struct binding *const *table = h->config.tables; *table; table++) {
		for (const struct binding *b = *table; b->operation_id; b++) {
			struct operation *op = find_operation(h, b->operation_id);

			if (!op || op->handle) {
				snprintf(why, HTTP_WHY_BYTES, "the handler '%s' has %s",
					b->operation_id,
					op ? "a double" : "no operation in the documents");
				return ERR_NOT_FOUND;
			}
			op->handle = b->handle;
		}
	}
	return ERR_OK;
}

static enum err bind_receiver(struct http *h, const struct receiver *r, char why[HTTP_WHY_BYTES])
{
	struct operation *op = find_operation(h, r->operation_id);

	if (!op || op->receive || op->body_kind != BODY_BYTES) {
		snprintf(why, HTTP_WHY_BYTES, "the receiver '%s' has %s", r->operation_id,
			!op           ? "no operation in the documents"
			: op->receive ? "a double"
				      : "an operation without a body of bytes");
		return ERR_NOT_FOUND;
	}
	op->receive = r->receive;
	return ERR_OK;
}

static enum err bind_receivers(struct http *h, char why[HTTP_WHY_BYTES])
{
	const struct receiver *const *table = h->config.receivers;
	enum err e = ERR_OK;

	for (; table && *table; table++)
		for (const struct receiver *r = *table; r->operation_id && e == ERR_OK; r++)
			e = bind_receiver(h, r, why);
	return e;
}

/* Every operation has its handler by now, or the start ends here. */
static enum err build_router(struct http *h, char why[HTTP_WHY_BYTES])
{
	enum err e = router_init(&h->router, &h->arena);

	for (size_t d = 0; d < h->document_count; d++) {
		for (size_t i = 0; i < h->documents[d].operation_count && e == ERR_OK; i++) {
			const struct operation *op = &h->documents[d].operations[i];

			if (!op->handle) {
				snprintf(why, HTTP_WHY_BYTES, "the operation '%s' has no handler",
					op->id);
				return ERR_NOT_FOUND;
			}
			e = router_add(&h->router, op);
			if (e == ERR_EXISTS) {
				snprintf(why, HTTP_WHY_BYTES, "line %u: '%s' is there twice",
					op->line, op->path);
				e = ERR_MALFORMED;
			}
		}
	}
	return e;
}

static void mhd_ready(void *data, uint32_t events)
{
	/* http_turn calls MHD_run in every turn; this only ends the sleep. */
	(void)data;
	(void)events;
}

static void set_limits(struct http *h)
{
	struct rlimit files;
	rlim_t room = HTTP_CONNECTIONS_MAX;

	if (getrlimit(RLIMIT_NOFILE, &files) == 0)
		room = files.rlim_cur > 2 * HTTP_FILES_SPARE ? files.rlim_cur - HTTP_FILES_SPARE
							     : files.rlim_cur / 2;
	h->connections_max = room < HTTP_CONNECTIONS_MAX ? (unsigned)room : HTTP_CONNECTIONS_MAX;
	h->parked_max =
		(unsigned)((uint64_t)h->connections_max * HTTP_PARKED_MAX / HTTP_CONNECTIONS_MAX);
}

static enum err start_daemon(struct http *h)
{
	const union MHD_DaemonInfo *info;
	struct MHD_OptionItem options[] = {
		{MHD_OPTION_LISTEN_SOCKET, h->config.listen_fd, NULL},
		{MHD_OPTION_CONNECTION_LIMIT, (intptr_t)h->connections_max, NULL},
		{MHD_OPTION_CONNECTION_TIMEOUT, HTTP_IDLE_SECONDS, NULL},
		{MHD_OPTION_CONNECTION_MEMORY_LIMIT, HTTP_CONNECTION_BYTES, NULL},
		{MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)http_completed, h},
		{MHD_OPTION_UNESCAPE_CALLBACK, (intptr_t)http_unescape, h},
		{MHD_OPTION_END, 0, NULL},
	};

	h->daemon = MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL,
		http_access, h, MHD_OPTION_ARRAY, options, MHD_OPTION_END);
	if (!h->daemon)
		return ERR_SYSTEM;
	info = MHD_get_daemon_info(h->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	return loop_watch(h->config.loop, &h->io, info->epoll_fd, EPOLLIN, mhd_ready, h);
}

/* Everything but the daemon itself. */
static void discard(struct http *h)
{
	while (h->spare) {
		struct exchange *x = h->spare;

		h->spare = x->spare_next;
		text_fini(&x->body);
		text_fini(&x->extra);
		faults_fini(&x->faults);
		free(x);
	}
	if (h->no_memory)
		MHD_destroy_response(h->no_memory);
	for (size_t i = 0; i < h->document_count; i++)
		openapi_fini(&h->documents[i]);
	arena_fini(&h->arena);
	text_fini(&h->json);
	wait_fini(h);
	share_free(h);
	free(h);
}

enum err http_start(
	const struct http_config *config, struct http **ret_http, char why[HTTP_WHY_BYTES])
{
	struct http *h = calloc(1, sizeof(*h));
	enum err e = h ? ERR_OK : ERR_NO_MEMORY;

	why[0] = '\0';
	content_init();
	if (!h)
		goto out;
	h->config = *config;
	set_limits(h);
	h->share_seed = (uint64_t)loop_clock_ms();
	h->next_id = (uint64_t)loop_wall_ms() << 20;
	arena_init(&h->arena, NULL, 0);
	e = wait_init(h);
	if (e == ERR_OK)
		e = load_documents(h, why);
	if (e == ERR_OK)
		e = bind_handlers(h, why);
	if (e == ERR_OK)
		e = bind_receivers(h, why);
	if (e == ERR_OK)
		e = build_router(h, why);
	h->no_memory = reply_no_memory(config->node_name);
	if (e == ERR_OK && !h->no_memory)
		e = ERR_NO_MEMORY;
	if (e == ERR_OK)
		e = start_daemon(h);
	if (e == ERR_OK) {
		*ret_http = h;
		return ERR_OK;
	}
	if (h->daemon)
		MHD_stop_daemon(h->daemon);
	discard(h);
out:
	if (!why[0])
		snprintf(why, HTTP_WHY_BYTES, "cannot serve HTTP: %s", err_text(e));
	return e;
}

void http_stop(struct http *h)
{
	if (!h)
		return;
	/* A suspended connection would be waited for without end. */
	http_drain(h);
	do
		http_turn(h);
	while (h->woken);
	loop_unwatch(h->config.loop, &h->io);
	MHD_stop_daemon(h->daemon);
	discard(h);
}

const struct text *http_json(struct http *h)
{
	if (!text_ok(&h->json))
		text_clear(&h->json);
	if (h->json.used == 0)
		markup_json(&h->json, h->documents[0].root);
	return &h->json;
}
