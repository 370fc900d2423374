/*
 * Embeds the documents. -MMD does not see files that the assembler reads: the Makefile names them
 * as prerequisites of this object.
 */
#include "api/document.h"

#define EMBED(symbol, file)                                                                        \
	__asm__(".pushsection .rodata\n"                                                           \
		".global " #symbol "\n"                                                            \
		".type " #symbol ", @object\n" #symbol ":\n"                                       \
		".incbin \"" file "\"\n"                                                           \
		".global " #symbol "_end\n" #symbol "_end:\n"                                      \
		".byte 0\n"                                                                        \
		".popsection\n")

EMBED(document_openapi, "openapi/openapi.yaml");
EMBED(document_peer, "openapi/peer.yaml");

extern const char document_openapi_end[];
extern const char document_peer_end[];

size_t document_openapi_length(void)
{
	return (size_t)(document_openapi_end - document_openapi);
}

size_t document_peer_length(void)
{
	return (size_t)(document_peer_end - document_peer);
}
