/* One registry entry, or one meta value, as the API shows it; shared by the registry's handlers. */
#ifndef HORDE_API_ENTRY_H
#define HORDE_API_ENTRY_H

#include "api/match.h"
#include "api/resource.h"

#define FENCE_BYTES 34 /* of a fence, with its NUL */

struct owner {
	enum owner_kind kind;
	const char *id;
};

/* "child:default/web", "lease:ID" or "static:name"; the id is borrowed from `text`. Errors: MALFORMED. */
enum err owner_parse(const char *text, struct owner *ret_owner);
/* The owner of a request body's `owner` object, whose shape was checked. */
struct owner owner_of_json(const json_t *object);

/* The meta value of the path's key, or NULL; its changes wake the exchange. */
const struct entry *meta_find(struct exchange *x);
/* The same without watching it, for a write: it waits for the disk alone, which is cheaper. */
const struct entry *meta_present(const struct exchange *x);
/* The entry of the path's key, of `owner` where there may be many. */
const struct entry *entry_present(const struct exchange *x, const struct owner *owner);
/* "FAMILY/REG/KEY" of the path into `ret_key`, NUL-terminated; its length. */
size_t entry_map_key(const struct exchange *x, const char *family, char ret_key[KEY_BYTES_MAX + 1]);
/*
 * The winner of the least key greater than `key` (entry_from: or of that key) among those that may
 * be of `owner`: of one that ends, only keys that it has or has lost; else all. NULL at the end.
 */
const struct entry *entry_after(
	const struct map *m, const struct owner *owner, const char *key, size_t key_bytes);
const struct entry *entry_from(
	const struct map *m, const struct owner *owner, const char *key, size_t key_bytes);
/* The key within its registry; not terminated. */
const char *entry_key(const struct entry *e, size_t *ret_bytes);
/* May a key of the path's registry have many owners? Then who it is about has to be said. */
bool entry_shared(const struct exchange *x);
/* The first part of the map's keys of names in it. */
const char *entry_family(const struct exchange *x);
/* The map's key of the path's key, of this owner where there may be many; its length. */
size_t entry_key_of(
	const struct exchange *x, const struct owner *owner, char ret_key[KEY_BYTES_MAX + 1]);
/*
 * What all entries of one key of the path's registry begin with, where there may be many: their
 * first, and the next one of the same key. NULL: there is none.
 */
const struct entry *entry_first_of(
	const struct exchange *x, const char *key, char ret_prefix[KEY_BYTES_MAX + 1]);
const struct entry *entry_next_of(
	const struct exchange *x, const char *prefix, const struct entry *e);
/* Of a name: its content, and of a child's name whether it is ready and where. */
struct etag entry_etag(const struct horde *h, const struct entry *e);
uint64_t entry_hash(const struct horde *h, const struct entry *e);
/* Of a meta value. */
struct etag meta_etag(const struct entry *e);

/* An entry's object without its end. */
void entry_open(struct text *out, const struct horde *h, const struct entry *e);
/* The member `key`. */
void entry_put_key(struct text *out, const struct entry *e);
/* The member `owner`. */
void entry_put_owner(struct text *out, const struct horde *h, const struct entry_record *r);
/*
 * One part of it as JSON text, which lies in `room` (cleared first) or with the entry; NULL: it has
 * no such part, or `room` has failed.
 */
const char *entry_part(struct text *room, const struct horde *h, const struct entry *e,
	enum match_part part, size_t *ret_bytes);
/* Who owns it, when that is a child: its spec's entry. NULL: somebody else, or it is gone. */
const struct entry *entry_owner_spec(const struct horde *h, const struct entry *e);
/* A meta value's object without its end. */
void meta_open(struct text *out, const struct entry *e);
void key_not_found(struct exchange *x);
/* 400: the key may have many owners, and the request names none. */
void entry_needs_owner(struct exchange *x);

#endif
