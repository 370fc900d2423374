/*
 * libcurl's multi interface on the loop: many transfers at once, none of which blocks. curl says
 * which sockets and which time it wants watched; it is told what happened.
 */
#ifndef HORDE_MULTI_H
#define HORDE_MULTI_H

#include <curl/curl.h>

#include "server/loop.h"

struct multi { /* kept by the caller; zero before multi_init and after multi_fini */
	CURLM *handle;
	struct loop *loop;
	struct loop_timer timer;
	bool kick; /* a transfer was added: it begins before the loop sleeps */
	void (*ended)(void *data, CURL *easy, CURLcode result);
	void *data;
};

/*
 * `ended` is called after curl has returned, so that it may remove handles, its own too; it comes
 * from the loop or from multi_turn. curl_global_init comes before. Errors: NO_MEMORY.
 */
enum err multi_init(struct multi *m, struct loop *l,
	void (*ended)(void *data, CURL *easy, CURLcode result), void *data);
/* No handle may be left in it. */
void multi_fini(struct multi *m);

/* Begins a transfer, in multi_turn. Errors: NO_MEMORY. */
enum err multi_add(struct multi *m, CURL *easy);
/* Takes it out, ended or not; nothing is said about it any more. */
void multi_remove(struct multi *m, CURL *easy);
/* Once a turn, before the loop sleeps. */
void multi_turn(struct multi *m);

#endif
