#include "server/load_map.h"

#include <string.h>

#include "api/records.h"

struct loading {
	struct map *map;
	bool decode;
	struct origin_id cluster_id;
};

static enum err load_setting(
	void *data, const char *name, size_t name_bytes, const char *text, size_t text_bytes)
{
	struct loading *l = data;
	char hex[ORIGIN_HEX_BYTES];

	if (name_bytes != strlen(CLUSTER_SETTING) || memcmp(name, CLUSTER_SETTING, name_bytes) != 0)
		return ERR_OK;
	if (text_bytes != sizeof hex - 1)
		return ERR_STORAGE_CORRUPT;
	memcpy(hex, text, text_bytes);
	hex[text_bytes] = '\0';
	return origin_from_hex(hex, &l->cluster_id) ? ERR_OK : ERR_STORAGE_CORRUPT;
}

static enum err load_vector(
	void *data, struct origin_id origin, uint64_t count, uint64_t floor, uint64_t chain)
{
	return map_load_vector(((struct loading *)data)->map, origin, count, floor, chain);
}

static enum err load_entry(void *data, struct dot dot, uint64_t clock, const char *key,
	size_t key_bytes, const char *value, size_t value_bytes)
{
	struct loading *l = data;
	struct record *record = NULL;
	enum err e = ERR_OK;

	if (l->decode)
		e = record_decode(key, key_bytes, value, value_bytes, &record);
	if (e)
		return e;
	e = map_load_entry(l->map, dot, clock, key, key_bytes, value, value_bytes, record);
	if (e)
		record_free(record);
	return e;
}

static enum err load_kill(void *data, struct dot killer, struct dot victim)
{
	return map_load_kill(((struct loading *)data)->map, killer, victim);
}

enum err load_map(struct store store, struct map *m, bool decode, struct origin_id *ret_cluster_id)
{
	struct loading l = {.map = m, .decode = decode, .cluster_id = *ret_cluster_id};
	struct store_visitor visitor = {&l, load_setting, NULL, load_vector, load_entry, load_kill};
	enum err e = store_load(store, &visitor);

	if (!e)
		e = map_load_end(m);
	if (e == ERR_MALFORMED || e == ERR_LIMIT)
		e = ERR_STORAGE_CORRUPT;
	if (!e)
		*ret_cluster_id = l.cluster_id;
	return e;
}
