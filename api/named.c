#include "api/named.h"

#include <stdio.h>
#include <string.h>

#include "server/core/digest.h"

/* The first record behind `after`, or NULL. */
static const struct entry *record_after(
	const struct exchange *x, const char *prefix, const char *after)
{
	char key[KEY_BYTES_MAX + PAGE_KEY_BYTES_MAX];
	size_t bytes = (size_t)snprintf(key, sizeof(key), "%s%s", prefix, after);
	const struct entry *e = *after ? map_after(resource_map(x), key, bytes)
				       : map_from(resource_map(x), key, bytes);

	return e && strncmp(e->key, prefix, strlen(prefix)) == 0 ? e : NULL;
}

/* The next name in order, `default` among them; NULL at the end. */
static const char *name_after(const struct exchange *x, const char *prefix, const char *after,
	const struct entry **ret_entry)
{
	const struct entry *e = record_after(x, prefix, after);
	const char *name = e ? key_rest(e->key) : NULL;

	*ret_entry = e;
	if (strcmp(after, DEFAULT_NAME) >= 0 || (name && strcmp(name, DEFAULT_NAME) <= 0))
		return name;
	*ret_entry = NULL;
	return DEFAULT_NAME;
}

/* Writes the rows of one page; returns the sum of their hashes. */
static uint64_t write_page(
	struct exchange *x, const struct named *kind, const struct page *page, struct text *body)
{
	const struct entry *e;
	char after[PAGE_KEY_BYTES_MAX + 1] = "";
	const char *last = "", *name;
	uint64_t sum = 0;
	size_t count = 0;

	if (page->resumed && page->after_length < sizeof(after)) {
		memcpy(after, page->after, page->after_length);
		after[page->after_length] = '\0';
	}
	json_object(body);
	json_key(body, "items");
	json_array(body);
	for (name = name_after(x, kind->prefix, after, &e); name && count < page->limit; count++) {
		uint64_t hash = kind->hash(x, name, e);
		struct etag etag = etag_of(hash);

		kind->open(x, body, name, e);
		etag_put(body, &etag);
		json_end_object(body);
		sum += hash_pair(digest_content(name, strlen(name)), hash);
		last = name;
		name = name_after(x, kind->prefix, last, &e);
	}
	json_end_array(body);
	page_end(x, page, body, last, strlen(last), name != NULL);
	json_end_object(body);
	return sum;
}

void named_list(struct exchange *x, const struct named *kind)
{
	struct page page;
	struct text body = TEXT_INIT;
	struct etag etag;

	if (!page_begin(x, &page))
		return;
	exchange_watch_prefix(x, kind->prefix, strlen(kind->prefix));
	etag = etag_of(hash_pair(page.filter, write_page(x, kind, &page, &body)));
	if (reads_settled(x, &etag))
		text_fini(&body);
	else
		reads_reply(x, &body, &etag);
}
