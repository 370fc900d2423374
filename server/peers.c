/* The life of the client, and what becomes of transfers that have ended. */
#include "server/peers_inside.h"

#include <stdlib.h>

/* ---- what has ended ---- */

void transfer_end(struct transfer *t)
{
	struct peers *p = t->peers;

	t->ended = true;
	switch (t->kind) {
	case TRANSFER_HELLO:
	case TRANSFER_POLL:
		transfer_answer(t);
		break;
	case TRANSFER_GOODBYE:
		transfer_free(t);
		break;
	case TRANSFER_CALL: /* kept for peers_call_result */
		p->config.call_ended(p->config.data, t->ticket);
		break;
	}
}

static void on_ended(void *data, CURL *easy, CURLcode result)
{
	struct transfer *t = NULL;

	(void)data;
	curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&t);
	t->result = result;
	curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &t->status);
	transfer_end(t);
}

void peers_turn(struct peers *p)
{
	/* What could not begin is answered here, as if it had been tried. */
	while (p->failed_count > 0) {
		struct event e = {.kind = EVENT_LINK_SILENT};
		e.link = p->failed[--p->failed_count];
		p->config.event(p->config.data, &e);
	}
	multi_turn(&p->multi);
}

/* ---- life ---- */

static bool add_header(struct peers *p, const char *line)
{
	struct curl_slist *longer = curl_slist_append(p->headers, line);

	if (longer)
		p->headers = longer;
	return longer;
}

static bool make_headers(struct peers *p)
{
	struct text line = TEXT_INIT;
	bool made = true;

	if (p->config.secret) {
		text_addf(&line, "Authorization: Bearer %s", p->config.secret);
		made = text_cstr(&line) && add_header(p, text_cstr(&line));
	}
	/* Without the empty Expect a large body waits a second for a 100 that never comes. */
	made = made && add_header(p, "Content-Type: application/json") &&
	       add_header(p, "Expect:") && add_header(p, "Accept:");
	text_fini(&line);
	return made;
}

enum err peers_new(const struct peers_config *config, struct peers **ret_peers)
{
	struct peers *p = calloc(1, sizeof *p);

	if (!p)
		return ERR_NO_MEMORY;
	/* TLS, should a peer's URL ask for it, is set up then: idle nodes save its memory. */
	if (curl_global_init(CURL_GLOBAL_NOTHING)) {
		free(p);
		return ERR_NO_MEMORY;
	}
	p->config = *config;
	if (multi_init(&p->multi, config->loop, on_ended, p) ||
		curl_multi_setopt(p->multi.handle, CURLMOPT_MAXCONNECTS, (long)PEERS_LINKS_MAX) ||
		!make_headers(p)) {
		peers_free(p);
		return ERR_NO_MEMORY;
	}
	*ret_peers = p;
	return ERR_OK;
}

void peers_free(struct peers *p)
{
	if (!p)
		return;
	while (p->transfers)
		transfer_free(p->transfers);
	while (p->links) {
		struct peer_link *next = p->links->next;
		free(p->links);
		p->links = next;
	}
	while (p->spare_count > 0)
		curl_easy_cleanup(p->spare[--p->spare_count]);
	multi_fini(&p->multi);
	curl_slist_free_all(p->headers);
	free(p);
	curl_global_cleanup();
}
