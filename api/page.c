/*
 * Pages of lists. A cursor is the hash of path, filters and body, and the last key: base64url of
 * both. It needs no memory on the server, and stays good while items come and go.
 */
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "api/http_inside.h"
#include "api/reads.h"
#include "api/utf8.h"

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

#define CURSOR_BYTES_MAX (sizeof(uint64_t) + PAGE_KEY_BYTES_MAX)

static void encode(struct text *out, const unsigned char *bytes, size_t count)
{
	for (size_t i = 0; i < count; i += 3) {
		size_t n = count - i < 3 ? count - i : 3;
		unsigned v = (unsigned)bytes[i] << 16 | (n > 1 ? (unsigned)bytes[i + 1] << 8 : 0) |
			     (n > 2 ? bytes[i + 2] : 0u);
		char four[4] = {
			digits[v >> 18], digits[v >> 12 & 63], digits[v >> 6 & 63], digits[v & 63]};

		text_add(out, four, n + 1);
	}
}

static bool decode(const char *text, unsigned char *out, size_t size, size_t *ret_count)
{
	size_t used = 0;
	unsigned bits = 0, v = 0;

	for (; *text; text++) {
		const char *digit = strchr(digits, *text);

		if (!digit)
			return false;
		v = (v << 6 | (unsigned)(digit - digits)) & 0xFFFF;
		bits += 6;
		if (bits < 8)
			continue;
		bits -= 8;
		if (used == size)
			return false;
		out[used++] = (unsigned char)(v >> bits);
	}
	*ret_count = used;
	return true;
}

/* Parameters that say how to read the list, not which list it is. */
static bool is_filter(const char *name)
{
	static const char *const others[] = {"limit", "cursor", "wait", "since", "pretty", NULL};

	for (size_t i = 0; others[i]; i++)
		if (strcmp(others[i], name) == 0)
			return false;
	return true;
}

static uint64_t hash_filters(const struct exchange *x)
{
	uint64_t hash = XXH3_64bits(x->operation->id, strlen(x->operation->id));
	const char *body;
	size_t bytes;

	for (size_t i = 0; i < x->segment_count; i++)
		hash = XXH3_64bits_withSeed(x->segments[i], strlen(x->segments[i]) + 1, hash);
	for (size_t i = 0; i < x->query_count; i++) {
		const struct pair *q = &x->queries[i];

		if (!is_filter(q->name))
			continue;
		hash = XXH3_64bits_withSeed(q->name, strlen(q->name) + 1, hash);
		hash = XXH3_64bits_withSeed(q->value, strlen(q->value) + 1, hash);
	}
	body = exchange_body_text(x, &bytes);
	return bytes ? XXH3_64bits_withSeed(body, bytes, hash) : hash;
}

bool page_begin(struct exchange *x, struct page *ret_page)
{
	int64_t limit = exchange_query_int(x, "limit", PAGE_LIMIT_DEFAULT);
	const char *cursor = exchange_query(x, "cursor");
	unsigned char bytes[CURSOR_BYTES_MAX];
	size_t count = 0;

	limit = limit < 1 ? 1 : limit > PAGE_LIMIT_MAX ? PAGE_LIMIT_MAX : limit;
	ret_page->limit = (size_t)limit;
	ret_page->filter = hash_filters(x);
	ret_page->resumed = cursor != NULL;
	ret_page->after_length = 0;
	if (!cursor)
		return true;
	if (!decode(cursor, bytes, sizeof(bytes), &count) || count < sizeof(uint64_t) ||
		memcmp(bytes, &ret_page->filter, sizeof(uint64_t)) != 0) {
		exchange_problem(x, PROBLEM_BAD_CURSOR,
			"a cursor is good for the list and the filters it came from");
		return false;
	}
	ret_page->after_length = count - sizeof(uint64_t);
	memcpy(ret_page->after, bytes + sizeof(uint64_t), ret_page->after_length);
	return true;
}

static void set_link(struct exchange *x, const char *cursor)
{
	struct text link = TEXT_INIT;
	const char *value;

	text_addf(&link, "<%s?", x->url);
	for (size_t i = 0; i < x->query_count; i++) {
		const struct pair *q = &x->queries[i];

		if (strcmp(q->name, "cursor") == 0 || strcmp(q->name, "since") == 0 ||
			strcmp(q->name, "wait") == 0)
			continue;
		percent_encode(&link, q->name, strlen(q->name));
		text_add(&link, "=", 1);
		percent_encode(&link, q->value, strlen(q->value));
		text_add(&link, "&", 1);
	}
	text_addf(&link, "cursor=%s>; rel=\"next\"", cursor);
	value = text_cstr(&link);
	if (value)
		exchange_header_set(x, "Link", value);
	else
		x->starved = true;
	text_fini(&link);
}

void page_end(struct exchange *x, const struct page *page, struct text *body, const char *last,
	size_t last_length, bool more)
{
	unsigned char bytes[CURSOR_BYTES_MAX];
	struct text cursor = TEXT_INIT;
	const char *text;

	if (!more || last_length > PAGE_KEY_BYTES_MAX)
		return;
	memcpy(bytes, &page->filter, sizeof(uint64_t));
	memcpy(bytes + sizeof(uint64_t), last, last_length);
	encode(&cursor, bytes, sizeof(uint64_t) + last_length);
	text = text_cstr(&cursor);
	if (text) {
		json_put_string(body, "next_cursor", text);
		set_link(x, text);
	} else {
		x->starved = true;
	}
	text_fini(&cursor);
}
