/*
 * Content codings of replies (RFC 9110, 8.4): zstd (RFC 8878), or deflate, which is the zlib format
 * (RFC 1950). Texts of peers are repetitive: an entry of 200 bytes takes some 30.
 */
#ifndef HORDE_API_ENCODING_H
#define HORDE_API_ENCODING_H

#include "server/core/err.h"
#include "server/core/text.h"

#define ENCODING_BYTES_MIN 1024 /* what is shorter goes out as it is */

enum encoding { ENCODING_NONE, ENCODING_DEFLATE, ENCODING_ZSTD };

/*
 * The best one that the header Accept-Encoding takes (NULL: there is none). One that it refuses by
 * `;q=0` is not taken; other weights are ours to set.
 */
enum encoding encoding_choose(const char *accept);
/* What Content-Encoding says; NULL for NONE. */
const char *encoding_name(enum encoding e);

/* One body, in pieces. `bytes`: how long it will be, 0 when that is not known. Not for NONE. */
struct encoder;
enum err encoder_new(enum encoding e, size_t bytes, struct encoder **ret_encoder);
void encoder_free(struct encoder *e);
/*
 * Appends what the next piece becomes, in such a way that its reader can decode all of it at once;
 * `last` ends the body. Errors: NO_MEMORY; the encoder can only be freed then.
 */
enum err encoder_add(
	struct encoder *e, const char *bytes, size_t count, bool last, struct text *out);

/* A whole text, in place. Errors: NO_MEMORY; it is as it was then. */
enum err encode(enum encoding e, struct text *body);

#endif
