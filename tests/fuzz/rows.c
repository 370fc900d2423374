#include "tests/fuzz/rows.h"

#include "api/records.h"
#include "server/core/digest.h"
#include "tests/fuzz/fuzz.h"

/* Room for one more. At each power of two it becomes the double, also after a shrinking. */
static void *more(void *items, size_t count, size_t bytes)
{
	if (count & (count - 1))
		return items;
	items = realloc(items, (count ? 2 * count : 1) * bytes);
	if (!items)
		abort();
	return items;
}

void rows_fini(struct rows *r)
{
	for (size_t i = 0; i < r->entry_count; i++) {
		free(r->entries[i].key);
		free(r->entries[i].value);
	}
	free(r->entries);
	free(r->kills);
	free(r->origins);
	*r = (struct rows){0};
}

static void add_entry(struct rows *r, const struct rows_entry *e)
{
	r->entries = more(r->entries, r->entry_count, sizeof(*r->entries));
	r->entries[r->entry_count] = *e;
	r->entries[r->entry_count].key = fuzz_copy(e->key, e->key_bytes);
	r->entries[r->entry_count++].value = fuzz_copy(e->value, e->value_bytes);
}

static void add_kill(struct rows *r, struct fragment_kill kill)
{
	r->kills = more(r->kills, r->kill_count, sizeof(*r->kills));
	r->kills[r->kill_count++] = kill;
}

static void add_origin(struct rows *r, struct rows_origin o)
{
	r->origins = more(r->origins, r->origin_count, sizeof(*r->origins));
	r->origins[r->origin_count++] = o;
}

struct rows rows_copy(const struct rows *r)
{
	struct rows copy = {0};

	for (size_t i = 0; i < r->entry_count; i++)
		add_entry(&copy, &r->entries[i]);
	for (size_t i = 0; i < r->kill_count; i++)
		add_kill(&copy, r->kills[i]);
	for (size_t i = 0; i < r->origin_count; i++)
		add_origin(&copy, r->origins[i]);
	return copy;
}

/* ---- changes ---- */

static void drop_entry(struct rows *r, struct dot dot)
{
	for (size_t i = 0; i < r->entry_count; i++) {
		if (dot_compare(r->entries[i].dot, dot) != 0)
			continue;
		free(r->entries[i].key);
		free(r->entries[i].value);
		r->entries[i] = r->entries[--r->entry_count];
		return;
	}
	must(false, "what is dropped was there");
}

static void raise_origin(struct rows *r, const struct change *c)
{
	struct rows_origin *o;
	size_t kept = 0, i = 0;

	while (i < r->origin_count && !origin_equal(r->origins[i].origin, c->dot.origin))
		i++;
	if (i == r->origin_count)
		add_origin(r, (struct rows_origin){.origin = c->dot.origin});
	o = &r->origins[i];
	must(c->dot.seq >= o->count && c->floor >= o->floor && c->floor <= c->dot.seq,
		"vector and floor only grow, the floor below the count");
	o->count = c->dot.seq;
	o->floor = c->floor;
	o->chain = c->chain;
	for (i = 0; i < r->kill_count; i++)
		if (!origin_equal(r->kills[i].killer.origin, o->origin) ||
			r->kills[i].killer.seq > o->floor)
			r->kills[kept++] = r->kills[i];
	r->kill_count = kept;
}

static void change(struct rows *r, const struct change *c)
{
	char room[ENTRY_ROOM];

	switch (c->kind) {
	case CHANGE_PUT:
		add_entry(r, &(struct rows_entry){c->dot, c->entry->clock, (char *)c->entry->key,
				     (char *)entry_text(c->entry, room), c->entry->key_bytes,
				     c->entry->value_bytes});
		break;
	case CHANGE_DROP:
		drop_entry(r, c->dot);
		break;
	case CHANGE_KILL:
		add_kill(r, (struct fragment_kill){c->dot, c->victim});
		break;
	case CHANGE_VECTOR:
		raise_origin(r, c);
		break;
	}
}

void rows_change(struct rows *r, struct changes *c)
{
	for (size_t i = 0; i < c->used; i++)
		change(r, &c->items[i]);
	c->used = 0;
}

/* ---- a restart ---- */

struct map *rows_map(struct origin_id self)
{
	struct map *m = NULL;

	must(map_new(self, ROWS_DIGEST_KEY, &m) == ERR_OK, "there is memory");
	return m;
}

struct map *rows_load(const struct rows *r, struct origin_id self)
{
	struct map *m = rows_map(self);

	for (size_t i = 0; i < r->entry_count; i++) {
		const struct rows_entry *e = &r->entries[i];

		struct record *record = NULL;

		must(record_decode(e->key, e->key_bytes, e->value, e->value_bytes, &record) ==
					ERR_OK &&
				map_load_entry(m, e->dot, e->clock, e->key, e->key_bytes, e->value,
					e->value_bytes, record) == ERR_OK,
			"an entry is loaded");
	}
	for (size_t i = 0; i < r->kill_count; i++)
		must(map_load_kill(m, r->kills[i].killer, r->kills[i].victim) == ERR_OK,
			"a kill record is loaded");
	for (size_t i = 0; i < r->origin_count; i++)
		must(map_load_vector(m, r->origins[i].origin, r->origins[i].count,
			     r->origins[i].floor, r->origins[i].chain) == ERR_OK,
			"a vector is loaded");
	must(map_load_end(m) == ERR_OK, "what was stored is whole");
	return m;
}

/* ---- what must hold of a map ---- */

static struct fragment whole(const struct map *m)
{
	struct vector none = VECTOR_INIT;
	struct fragment f;

	must(map_difference(m, &none, &f) == ERR_OK, "there is memory");
	return f;
}

static int compare_put(const void *dot, const void *put)
{
	return dot_compare(*(const struct dot *)dot, ((const struct fragment_put *)put)->dot);
}

static const struct fragment_put *put_of(const struct fragment *f, struct dot d)
{
	if (f->put_count == 0)
		return NULL;
	return bsearch(&d, f->puts, f->put_count, sizeof(*f->puts), compare_put);
}

static void check_vector(const struct vector *v)
{
	for (size_t i = 0; i < v->used; i++)
		must(v->items[i].count > 0 && (i == 0 || origin_compare(v->items[i - 1].origin,
								 v->items[i].origin) < 0),
			"a vector is in order and without zeros");
}

/* I2, I3, I4: what is live or recorded is covered, and what was killed is dead. */
static void check_events(const struct map *m, const struct fragment *f)
{
	const struct vector *v = map_vector(m);

	for (size_t i = 0; i < f->put_count; i++)
		must(vector_has(v, f->puts[i].dot) &&
				(i == 0 || dot_compare(f->puts[i - 1].dot, f->puts[i].dot) < 0),
			"live entries are covered, each there once");
	for (size_t i = 0; i < f->kill_count; i++) {
		const struct fragment_kill *k = &f->kills[i];

		must(vector_has(v, k->killer) && vector_has(v, k->victim),
			"killers and victims are covered");
		must(!put_of(f, k->victim), "what was killed is dead");
		must(i == 0 || dot_compare(f->kills[i - 1].killer, k->killer) <= 0,
			"kill records are in order");
	}
}

/* The keys lead to the same entries as the histories, and the sums are theirs. */
static void check_keys(const struct map *m, const struct fragment *f)
{
	size_t listed = 0, keys = 0, counted = 0;
	struct digest d = {{0, 0}}, known = map_digest(m);
	const struct entry *before = NULL;

	for (const struct entry *e = map_from(m, "", 0); e;
		e = map_after(m, e->key, e->key_bytes), keys++) {
		must(!before || strcmp(before->key, e->key) < 0, "keys are in order");
		must(map_get(m, e->key, e->key_bytes) == e, "a key is found");
		before = e;
		for (const struct entry *s = e; s; s = s->sibling, listed++) {
			must(put_of(f, entry_dot(s)) && s->key == e->key, "a listed entry is live");
			digest_add(&d, digest_term(ROWS_DIGEST_KEY, s));
		}
	}
	for (enum family i = 0; i < FAMILY_COUNT; i++)
		counted += map_count(m, i);
	must(listed == f->put_count, "all live entries are listed");
	must(counted == keys, "the keys are counted");
	must(d.sums[0] == known.sums[0] && d.sums[1] == known.sums[1],
		"the digest is the sum of its terms");
}

void rows_check_map(const struct map *m)
{
	struct fragment f = whole(m);

	check_vector(map_vector(m));
	check_events(m, &f);
	check_keys(m, &f);
	fragment_fini(&f);
}

static bool same_entry(const struct entry *a, const struct entry *b)
{
	char left[ENTRY_ROOM], right[ENTRY_ROOM];

	return dot_compare(entry_dot(a), entry_dot(b)) == 0 && a->clock == b->clock &&
	       strcmp(entry_text(a, left), entry_text(b, right)) == 0;
}

bool rows_same_entries(const struct map *a, const struct map *b)
{
	const struct entry *e = map_from(a, "", 0), *o = map_from(b, "", 0);
	struct digest x = map_digest(a), y = map_digest(b);

	for (; e && o;
		e = map_after(a, e->key, e->key_bytes), o = map_after(b, o->key, o->key_bytes)) {
		const struct entry *s = e, *t = o;

		if (strcmp(e->key, o->key) != 0)
			return false;
		for (; s && t; s = s->sibling, t = t->sibling)
			if (!same_entry(s, t))
				return false;
		if (s || t)
			return false;
	}
	return !e && !o && x.sums[0] == y.sums[0] && x.sums[1] == y.sums[1];
}

static int compare_kill(const void *a, const void *b)
{
	const struct fragment_kill *k = a, *l = b;
	int order = dot_compare(k->killer, l->killer);

	return order ? order : dot_compare(k->victim, l->victim);
}

static void check_kills(const struct rows *r, const struct map *m, const struct fragment *f)
{
	must(f->kill_count == r->kill_count && f->kill_count == map_kills(m),
		"each kill record is stored");
	if (f->kill_count == 0)
		return;
	qsort(r->kills, r->kill_count, sizeof(*r->kills), compare_kill);
	qsort(f->kills, f->kill_count, sizeof(*f->kills), compare_kill);
	for (size_t i = 0; i < f->kill_count; i++)
		must(compare_kill(&r->kills[i], &f->kills[i]) == 0, "and it is the same");
}

void rows_check(const struct rows *r, const struct map *m)
{
	struct map *loaded = rows_load(r, (struct origin_id){~0ull, ~0ull});
	struct fragment f = whole(m);

	must(rows_same_entries(loaded, m), "the rows are the entries");
	must(vector_equal(map_vector(loaded), map_vector(m)), "and the vector");
	for (size_t i = 0; i < r->origin_count; i++) {
		struct origin_id o = r->origins[i].origin;
		struct dot last = {o, r->origins[i].count};

		must(map_floor(loaded, o) == map_floor(m, o), "and the floors");
		must(map_chain(loaded, last) == map_chain(m, last), "and the chains");
	}
	check_kills(r, m, &f);
	fragment_fini(&f);
	map_free(loaded);
}
