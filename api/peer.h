/* What peers ask (openapi/peer.yaml): peerHello, peerDeltas, peerCall, peerGoodbye. */
#ifndef HORDE_API_PEER_H
#define HORDE_API_PEER_H

#include "api/http.h"

extern const struct binding peer_bindings[];        /* hello, call, goodbye */
extern const struct binding peer_deltas_bindings[]; /* the long poll */

#endif
