/* Content codings: what was encoded, in whatever pieces, is decoded by others. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#include "api/encoding.h"
#include "tests/unit/core/failing.h"

#define PLAIN_BYTES 300000

static char *plain_text(void)
{
	char *plain = malloc(PLAIN_BYTES);
	unsigned state = 1;

	for (size_t i = 0; i < PLAIN_BYTES; i++) {
		state = state * 1103515245u + 12345u;
		plain[i] = i % 40 < 30 ? (char)('a' + i % 40) : (char)('A' + (state >> 16) % 26);
	}
	return plain;
}

/* Decodes all that there is; how much that was. */
static size_t decode(enum encoding e, const struct text *coded, char *out)
{
	ZSTD_outBuffer room = {out, PLAIN_BYTES, 0};
	ZSTD_inBuffer in = {coded->bytes, coded->used, 0};
	z_stream z = {.next_in = (Bytef *)coded->bytes,
		.avail_in = (uInt)coded->used,
		.next_out = (Bytef *)out,
		.avail_out = PLAIN_BYTES};
	ZSTD_DStream *d = ZSTD_createDStream();

	if (e == ENCODING_ZSTD) {
		cr_assert_not(ZSTD_isError(ZSTD_decompressStream(d, &room, &in)));
		z.total_out = room.pos;
	} else {
		cr_assert_eq(inflateInit(&z), Z_OK);
		cr_assert_geq(inflate(&z, Z_SYNC_FLUSH), Z_OK);
		inflateEnd(&z);
	}
	ZSTD_freeDStream(d);
	return z.total_out;
}

Test(encoding, a_whole_text_becomes_smaller_and_comes_back)
{
	for (int e = ENCODING_DEFLATE; e <= ENCODING_ZSTD; e++) {
		char *plain = plain_text(), *back = malloc(PLAIN_BYTES);
		struct text body = TEXT_INIT;

		text_add(&body, plain, PLAIN_BYTES);
		cr_assert_eq(encode(e, &body), ERR_OK);
		cr_assert_lt(body.used, PLAIN_BYTES / 2);
		cr_assert_eq(decode(e, &body, back), PLAIN_BYTES);
		cr_assert_eq(memcmp(plain, back, PLAIN_BYTES), 0);
		text_fini(&body);
		free(plain);
		free(back);
	}
}

Test(encoding, each_piece_can_be_decoded_as_soon_as_it_is_there)
{
	for (int e = ENCODING_DEFLATE; e <= ENCODING_ZSTD; e++) {
		char *plain = plain_text(), *back = malloc(PLAIN_BYTES);
		struct text body = TEXT_INIT;
		struct encoder *encoder = NULL;

		cr_assert_eq(encoder_new(e, 0, &encoder), ERR_OK);
		for (size_t at = 0, piece = 1; at < PLAIN_BYTES; at += piece, piece = piece * 3) {
			piece = PLAIN_BYTES - at < piece ? PLAIN_BYTES - at : piece;
			cr_assert_eq(encoder_add(encoder, plain + at, piece, false, &body), ERR_OK);
			cr_assert_eq(decode(e, &body, back), at + piece);
		}
		cr_assert_eq(encoder_add(encoder, "", 0, true, &body), ERR_OK);
		cr_assert_eq(decode(e, &body, back), PLAIN_BYTES);
		cr_assert_eq(memcmp(plain, back, PLAIN_BYTES), 0);
		encoder_free(encoder);
		text_fini(&body);
		free(plain);
		free(back);
	}
}

Test(encoding, the_best_that_is_accepted_is_chosen)
{
	static const struct {
		const char *accept;
		enum encoding chosen;
	} rows[] = {{NULL, ENCODING_NONE}, {"", ENCODING_NONE}, {"gzip, br", ENCODING_NONE},
		{"zstd, deflate", ENCODING_ZSTD}, {"deflate,zstd", ENCODING_ZSTD},
		{"gzip , ZStd", ENCODING_ZSTD}, {"deflate", ENCODING_DEFLATE},
		{" deflate ; q=0.5 ,", ENCODING_DEFLATE}, {"zstd;q=0, deflate", ENCODING_DEFLATE},
		{"zstd;q=0.000,deflate;q=0.", ENCODING_NONE}, {"zstd; Q=0.001", ENCODING_ZSTD},
		{"zstd;q=0,deflate;q=1", ENCODING_DEFLATE}, {"zstdx, xdeflate", ENCODING_NONE},
		{"zstd;", ENCODING_NONE}, {"zstd;q", ENCODING_NONE}, {"zstd;q=", ENCODING_NONE},
		{"zst", ENCODING_NONE}, {",,,", ENCODING_NONE},
		{"zstd;q=0,zstd;q=1", ENCODING_ZSTD}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		cr_assert_eq(encoding_choose(rows[i].accept), rows[i].chosen, "%s", rows[i].accept);
	cr_assert_str_eq(encoding_name(ENCODING_ZSTD), "zstd");
	cr_assert_str_eq(encoding_name(ENCODING_DEFLATE), "deflate");
	cr_assert_null(encoding_name(ENCODING_NONE));
}

Test(encoding, without_memory_the_text_stays_as_it_was)
{
	for (int e = ENCODING_DEFLATE; e <= ENCODING_ZSTD; e++) {
		char *plain = plain_text();
		bool failed = true;

		for (long n = 0; failed; n++) {
			struct text body = TEXT_INIT;
			enum err err;

			text_add(&body, plain, PLAIN_BYTES);
			failing_arm(n);
			err = encode(e, &body);
			failed = failing_disarm();
			cr_assert_eq(err, failed ? ERR_NO_MEMORY : ERR_OK, "%ld", n);
			if (failed)
				cr_assert_eq(memcmp(body.bytes, plain, PLAIN_BYTES), 0);
			text_fini(&body);
		}
		free(plain);
	}
}
