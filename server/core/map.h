/*
 * The replicated map: an add-wins, last-write-wins delta-CRDT (replication.md part 1).
 *
 * Every mutation is one event with its own dot and the explicit list of the dots that it kills, so
 * the state is a pure function of the version vector. Concurrent entries of one key (siblings) are
 * all kept until a causal event kills them; readers see the winner. There are no tombstones: what
 * was removed lives on as kill records only.
 *
 * Every mutating call appends to `changes` what became of the state, in order, for the store and
 * the watchers. Entries and keys named there stay readable until the next map_sweep.
 */
#ifndef HORDE_CORE_MAP_H
#define HORDE_CORE_MAP_H

#include "server/core/record.h"
#include "server/core/vector.h"

#define VALUE_BYTES_MAX (2u << 20) /* the longest value text; api limits are below it */

struct map;

struct entry {                          /* one live put; read only outside of the map */
	const struct origin_id *origin; /* of its dot: entry_dot */
	uint64_t seq;
	uint64_t clock;
	const char *key; /* NUL-terminated; may hold any other byte */
	/* NULL when the value could not be decoded or needs none; of a name use entry_name. */
	const struct record *record;
	struct entry *sibling; /* the next live entry of the same key, or NULL; not of a dead one */
	uint32_t value_bytes;  /* of its JSON text: entry_text */
	uint16_t key_bytes;
	bool outranked : 1; /* a sibling of the same owner has a greater epoch */
	bool dead : 1;      /* it is not live any more; readable until map_sweep */
	bool shown : 1;     /* it won when the events of its key were last told (tell.c) */
	bool owned : 1;     /* it is kept among the names of its owner (owned.h) */
	uint8_t form;       /* of what is kept, see name.h */
	char kept[];
};

#define ENTRY_ROOM 1025 /* for the text of one that is not kept as it is */

static inline struct dot entry_dot(const struct entry *e)
{
	return (struct dot){*e->origin, e->seq};
}

/* The value, NUL-terminated; it lies in `room`, or stays with the entry. Of a key that is none of
 * the registry's it does, and `room` may be NULL. */
const char *entry_text(const struct entry *e, char room[ENTRY_ROOM]);
/* A hash of the value's text, for ETags. */
uint64_t entry_content(const struct entry *e);
/* What the value of a registry's key says, and the raw value in it (not terminated); both stay with
 * the entry. False, and raw is not to be asked for, when it could not be decoded. */
bool entry_name(const struct entry *e, struct entry_record *ret);
const char *entry_raw(const struct entry *e, size_t *ret_bytes);
/* Its record, made anew for the caller to free; NULL: it has none (entry_decoded), or no memory. */
struct record *entry_record_dup(const struct entry *e);
bool entry_decoded(const struct entry *e);

void entry_show(const struct entry *e, bool shown);
/* The winner of a live entry's key; O(1). */
const struct entry *entry_winner(const struct entry *e);

struct digest { /* equal vectors must have equal digests */
	uint64_t sums[2];
};

enum change_kind {
	CHANGE_PUT,    /* entry `entry` (dot) is live now */
	CHANGE_DROP,   /* the entry `dot` is no longer live */
	CHANGE_KILL,   /* a kill record: event `dot` killed `victim` */
	CHANGE_VECTOR, /* events of dot.origin up to dot.seq are known now; or its floor rose */
};

struct change {
	enum change_kind kind;
	struct dot dot;
	const struct entry *entry; /* of PUT, and of DROP what it was; else NULL */
	union {
		struct dot victim; /* KILL */
		struct {
			uint64_t floor; /* VECTOR: kill records up to it are gone, on disk too */
			uint64_t chain; /* VECTOR: the origin's chain hash at dot.seq, or 0 */
		};
	};
};

struct changes {
	struct change *items;
	size_t used;
	size_t size;
};

void changes_fini(struct changes *c);

/* `self` is this process's fresh origin; `key` seeds the digest and is the cluster's. */
enum err map_new(struct origin_id self, uint64_t key, struct map **ret_map);
void map_free(struct map *m);
/* Another digest key; all terms are computed anew. */
void map_rekey(struct map *m, uint64_t key);
/* Frees what died since the last call; pointers in older changes end here. */
void map_sweep(struct map *m);
/* The records of assigns that are put from now on carry this store batch number. */
void map_batch_set(struct map *m, uint64_t batch);

/* ---- reading; O(log n), nothing is allocated ---- */
/* The winner among the live entries of a key, or NULL. The losers follow it by ->sibling. */
const struct entry *map_get(const struct map *m, const char *key, size_t key_bytes);
/* The winner of the first key after `key` (map_from: at or after), or NULL at the end. */
const struct entry *map_after(const struct map *m, const char *key, size_t key_bytes);
const struct entry *map_from(const struct map *m, const char *key, size_t key_bytes);
/* Keys that begin with `family`'s first segment, by family; O(1). */
size_t map_count(const struct map *m, enum family family);
/* Keys that begin with these bytes; O(log n). */
size_t map_count_prefix(const struct map *m, const char *prefix, size_t bytes);
const struct vector *map_vector(const struct map *m);
struct digest map_digest(const struct map *m);
/* The dot of this origin's last event. */
struct dot map_last_dot(const struct map *m);
/* Kill records of `origin` up to this seq are gone. */
uint64_t map_floor(const struct map *m, struct origin_id origin);
/* The origin's chain hash after this event; 0 when it is not known here (any more). */
uint64_t map_chain(const struct map *m, struct dot at);
/* The kill records held, of all origins; O(1). */
size_t map_kills(const struct map *m);

/* ---- the delta mutators (replication.md 1.3); all or nothing ---- */
/*
 * Writes `key`, killing what is live of it here. The texts are copied; `record` is taken on
 * success. Errors: NO_MEMORY, LIMIT (key or value too long), MALFORMED (a NUL in the key).
 */
enum err map_put(struct map *m, const char *key, size_t key_bytes, const char *value,
	size_t value_bytes, struct record *record, uint64_t clock, struct changes *changes);
/* Removes all live entries of `key`; NOT_FOUND when there is none, and no event then. */
enum err map_remove(
	struct map *m, const char *key, size_t key_bytes, uint64_t clock, struct changes *changes);
/* Removes the live entry of this dot alone. Errors: NOT_FOUND, NO_MEMORY. */
enum err map_withdraw(struct map *m, const char *key, size_t key_bytes, struct dot dot,
	uint64_t clock, struct changes *changes);
/* Removes the losers among siblings; nothing when there are none. Errors: NO_MEMORY. */
enum err map_resolve(
	struct map *m, const char *key, size_t key_bytes, uint64_t clock, struct changes *changes);

/*
 * Drops the kill records of each origin up to its count in `stable` (or up to what is known of it,
 * if that is less), and raises its floor to there, where that drops one at least. Always safe: a
 * client below a floor gets a digest answer instead (replication.md 1.7). Does nothing while a
 * stream is open. Errors: NO_MEMORY.
 */
enum err map_truncate(struct map *m, const struct vector *stable, struct changes *changes);
/* All later events get the origin `fresh`, of which nothing is known here. Errors: NO_MEMORY. */
enum err map_renew(struct map *m, struct origin_id fresh);

/* ---- loading a store, before anything else; rows in any order, then map_load_end ---- */
/* The texts are copied, `record` is taken on success. Errors: NO_MEMORY, LIMIT, MALFORMED. */
enum err map_load_entry(struct map *m, struct dot dot, uint64_t clock, const char *key,
	size_t key_bytes, const char *value, size_t value_bytes, struct record *record);
enum err map_load_kill(struct map *m, struct dot killer, struct dot victim);
enum err map_load_vector(
	struct map *m, struct origin_id origin, uint64_t count, uint64_t floor, uint64_t chain);
/*
 * Sorts and checks what was loaded; kill records up to a floor are dropped. Errors: MALFORMED when
 * a row or a floor is beyond the vector, is there twice, or a kill names a live entry; the map may
 * only be freed then.
 */
enum err map_load_end(struct map *m);

#endif
