/*
 * One node of the production core behind the API's handlers, alone in its cluster, with disk and
 * processes that do at once what they are told. Fresh for each input.
 */
#ifndef HORDE_TESTS_FUZZ_NODE_H
#define HORDE_TESTS_FUZZ_NODE_H

#include "api/http.h"
#include "api/service.h"

/* Started, with a child, a name and a meta entry in its map. */
void node_reset(const struct loop *loop);
/* What http_config.service is to point to; the same for ever. */
struct service *node_service(void);
/* http_config.covered. */
enum err node_covered(void *service, const char *dots, bool *ret_covered);
/*
 * What a turn of the loop does: all that was written is on disk, children that were to start have
 * started, those that were to stop have stopped, a peer that was called refused the connection.
 * Watchers of `http` are woken.
 */
void node_turn(struct http *http);
void node_free(void);

#endif
