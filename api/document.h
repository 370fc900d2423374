/* The two OpenAPI documents, as they were when this was built. */
#ifndef HORDE_API_DOCUMENT_H
#define HORDE_API_DOCUMENT_H

#include <stddef.h>

extern const char document_openapi[]; /* openapi/openapi.yaml, with a NUL behind it */
extern const char document_peer[];    /* openapi/peer.yaml */
size_t document_openapi_length(void);
size_t document_peer_length(void);

#endif
