/* What peers ask (openapi/peer.yaml): peerHello, peerDeltas, peerDigest, peerCall, peerGoodbye. */
#ifndef HORDE_API_PEER_H
#define HORDE_API_PEER_H

#include "api/http.h"

extern const struct binding peer_bindings[];

/* In peer_deltas.c and peer_digest.c; bound with the others. */
void peer_deltas(struct exchange *x);
void peer_digest(struct exchange *x);

#endif
