#include "api/declared.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int by_ref(const void *ref, const void *child)
{
	return strcmp(ref, ((const struct declared_child *)child)->ref);
}

static void child_fini(struct declared_child *c)
{
	free(c->ref);
	free(c->spec);
}

void declared_fini(struct declared *d)
{
	for (size_t i = 0; i < d->count; i++)
		child_fini(&d->items[i]);
	free(d->items);
	*d = (struct declared){0};
}

static struct declared_child *find(const struct declared *d, const char *ref)
{
	return d->count ? bsearch(ref, d->items, d->count, sizeof(*d->items), by_ref) : NULL;
}

const struct declared_child *declared_find(const struct declared *d, const char *ref)
{
	return find(d, ref);
}

static enum err reserve(struct declared *d)
{
	size_t size = d->size ? 2 * d->size : 16;
	struct declared_child *items;

	if (d->count < d->size)
		return ERR_OK;
	items = reallocarray(d->items, size, sizeof(*items));
	if (!items)
		return ERR_NO_MEMORY;
	d->items = items;
	d->size = size;
	return ERR_OK;
}

/* Where it belongs among those that are there. */
static size_t place_of(const struct declared *d, const char *ref)
{
	size_t low = 0, high = d->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(d->items[middle].ref, ref) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static enum err insert(struct declared *d, const char *ref, struct declared_child **ret)
{
	size_t at = place_of(d, ref);
	char *copy = strdup(ref);

	if (!copy || reserve(d) != ERR_OK) {
		free(copy);
		return ERR_NO_MEMORY;
	}
	memmove(d->items + at + 1, d->items + at, (d->count - at) * sizeof(*d->items));
	d->items[at] = (struct declared_child){.ref = copy};
	d->count++;
	*ret = &d->items[at];
	return ERR_OK;
}

enum err declared_set(struct declared *d, const char *ref, const char *digest)
{
	struct declared_child *c = find(d, ref);
	enum err e = c ? ERR_OK : insert(d, ref, &c);

	if (e == ERR_OK)
		snprintf(c->digest, sizeof(c->digest), "%s", digest);
	return e;
}

void declared_remove(struct declared *d, const char *ref)
{
	struct declared_child *c = find(d, ref);

	if (!c)
		return;
	child_fini(c);
	d->count--;
	memmove(c, c + 1, (size_t)(d->items + d->count - c) * sizeof(*c));
}
