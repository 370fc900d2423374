/* What peers ask (openapi/peer.yaml): peerHello, peerDeltas, peerCall, peerGoodbye. */
#ifndef HORDE_API_PEER_H
#define HORDE_API_PEER_H

#include "api/http.h"

extern const struct binding peer_bindings[];

void peer_deltas(struct exchange *x); /* in peer_deltas.c; bound with the others */

#endif
