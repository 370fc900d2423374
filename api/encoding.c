#include "api/encoding.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <zlib.h>
#include <zstd.h>

#define ZSTD_LEVEL 1 /* twice as fast as 3, and as small on what we send */
#define DEFLATE_LEVEL 6
#define CHUNK_BYTES 16384

struct encoder {
	enum encoding encoding;
	ZSTD_CCtx *zstd;
	z_stream deflate;
	bool deflating; /* to be ended */
};

/* ---- which one ---- */

static const char blanks[] = " \t";

/* One item of the header, as `name;q=0.5`: is it that name, and not refused? */
static bool item_takes(const char *item, size_t bytes, const char *name)
{
	size_t name_bytes = strlen(name);
	const char *end = item + bytes, *weight;

	if (bytes < name_bytes || strncasecmp(item, name, name_bytes) != 0)
		return false;
	weight = item + name_bytes;
	weight += strspn(weight, blanks);
	if (weight >= end)
		return true;
	if (*weight++ != ';')
		return false;
	weight += strspn(weight, blanks);
	if (end - weight < 3 || strncasecmp(weight, "q=", 2) != 0)
		return false;
	/* 0, 0., 0.000 are a no; 1 and 0.001 are a yes. */
	return strcspn(weight + 2, "123456789") < (size_t)(end - weight - 2);
}

static bool takes(const char *accept, const char *name)
{
	while (*accept) {
		size_t bytes = strcspn(accept, ",");
		size_t before = strspn(accept, blanks);

		if (before < bytes && item_takes(accept + before, bytes - before, name))
			return true;
		accept += bytes + (accept[bytes] == ',');
	}
	return false;
}

enum encoding encoding_choose(const char *accept)
{
	if (!accept)
		return ENCODING_NONE;
	if (takes(accept, "zstd"))
		return ENCODING_ZSTD;
	return takes(accept, "deflate") ? ENCODING_DEFLATE : ENCODING_NONE;
}

const char *encoding_name(enum encoding e)
{
	static const char *const names[] = {
		[ENCODING_NONE] = NULL, [ENCODING_DEFLATE] = "deflate", [ENCODING_ZSTD] = "zstd"};

	return names[e];
}

/* ---- one body ---- */

static bool begin_zstd(struct encoder *e, size_t bytes)
{
	e->zstd = ZSTD_createCCtx();
	return e->zstd &&
	       !ZSTD_isError(
		       ZSTD_CCtx_setParameter(e->zstd, ZSTD_c_compressionLevel, ZSTD_LEVEL)) &&
	       (bytes == 0 || !ZSTD_isError(ZSTD_CCtx_setPledgedSrcSize(e->zstd, bytes)));
}

static bool begin_deflate(struct encoder *e)
{
	e->deflating = deflateInit(&e->deflate, DEFLATE_LEVEL) == Z_OK;
	return e->deflating;
}

enum err encoder_new(enum encoding encoding, size_t bytes, struct encoder **ret_encoder)
{
	struct encoder *e = calloc(1, sizeof(*e));

	if (!e)
		return ERR_NO_MEMORY;
	e->encoding = encoding;
	if (encoding == ENCODING_ZSTD ? !begin_zstd(e, bytes) : !begin_deflate(e)) {
		encoder_free(e);
		return ERR_NO_MEMORY;
	}
	*ret_encoder = e;
	return ERR_OK;
}

void encoder_free(struct encoder *e)
{
	if (!e)
		return;
	ZSTD_freeCCtx(e->zstd);
	if (e->deflating)
		deflateEnd(&e->deflate);
	free(e);
}

static enum err add_zstd(
	struct encoder *e, const char *bytes, size_t count, bool last, struct text *out)
{
	ZSTD_inBuffer in = {bytes, count, 0};
	char chunk[CHUNK_BYTES];
	size_t left;

	do {
		ZSTD_outBuffer room = {chunk, sizeof(chunk), 0};

		left = ZSTD_compressStream2(e->zstd, &room, &in, last ? ZSTD_e_end : ZSTD_e_flush);
		if (ZSTD_isError(left))
			return ERR_NO_MEMORY;
		text_add(out, chunk, room.pos);
	} while (left > 0 && text_ok(out));
	return text_ok(out) ? ERR_OK : ERR_NO_MEMORY;
}

/* At most UINT_MAX bytes. */
static enum err add_deflate(
	struct encoder *e, const char *bytes, size_t count, bool last, struct text *out)
{
	z_stream *z = &e->deflate;
	char chunk[CHUNK_BYTES];
	int result;

	z->next_in = (Bytef *)(uintptr_t)bytes;
	z->avail_in = (uInt)count;
	do {
		z->next_out = (Bytef *)chunk;
		z->avail_out = sizeof(chunk);
		result = deflate(z, last ? Z_FINISH : Z_SYNC_FLUSH);
		if (result == Z_STREAM_ERROR)
			return ERR_NO_MEMORY;
		text_add(out, chunk, sizeof(chunk) - z->avail_out);
		/* A chunk that was not filled is the last one. */
	} while (z->avail_out == 0 && text_ok(out));
	return text_ok(out) ? ERR_OK : ERR_NO_MEMORY;
}

enum err encoder_add(
	struct encoder *e, const char *bytes, size_t count, bool last, struct text *out)
{
	if (e->encoding == ENCODING_ZSTD)
		return add_zstd(e, bytes, count, last, out);
	while (count > UINT_MAX / 2) {
		enum err err = add_deflate(e, bytes, UINT_MAX / 2, false, out);

		if (err != ERR_OK)
			return err;
		bytes += UINT_MAX / 2;
		count -= UINT_MAX / 2;
	}
	return add_deflate(e, bytes, count, last, out);
}

enum err encode(enum encoding encoding, struct text *body)
{
	struct text out = TEXT_INIT;
	struct encoder *e = NULL;
	enum err err = encoder_new(encoding, body->used, &e);

	if (err == ERR_OK)
		err = encoder_add(e, body->bytes, body->used, true, &out);
	encoder_free(e);
	if (err != ERR_OK) {
		text_fini(&out);
		return err;
	}
	text_fini(body);
	*body = out;
	return ERR_OK;
}
