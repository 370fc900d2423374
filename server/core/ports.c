#include "server/core/ports.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

void ports_fini(struct ports *p)
{
	free(p->items);
	*p = (struct ports){0};
}

bool ports_dup(const struct ports *p, struct ports *ret_copy)
{
	*ret_copy = (struct ports){0};
	if (p->count == 0)
		return true;
	ret_copy->items = malloc(p->count * sizeof(*p->items));
	if (!ret_copy->items)
		return false;
	memcpy(ret_copy->items, p->items, p->count * sizeof(*p->items));
	ret_copy->count = p->count;
	return true;
}

bool ports_add(struct ports *p, const char *name, uint16_t number)
{
	struct port *items;

	if (p->count == PORTS_MAX)
		return false;
	items = realloc(p->items, (p->count + 1) * sizeof(*items));
	if (!items)
		return false;
	p->items = items;
	items[p->count] = (struct port){.number = number};
	snprintf(items[p->count++].name, sizeof(items->name), "%s", name);
	return true;
}

uint16_t ports_number(const struct ports *p, const char *name)
{
	for (uint32_t i = 0; i < p->count; i++)
		if (strcmp(p->items[i].name, name) == 0)
			return p->items[i].number;
	return 0;
}

struct port *ports_with(const struct ports *p, uint16_t number)
{
	for (uint32_t i = 0; i < p->count; i++)
		if (p->items[i].number == number)
			return &p->items[i];
	return NULL;
}

bool ports_fixed(const struct ports *p)
{
	for (uint32_t i = 0; i < p->count; i++)
		if (p->items[i].number != 0)
			return true;
	return false;
}

bool ports_clash(const struct ports *a, const struct ports *b)
{
	for (uint32_t i = 0; i < a->count; i++)
		if (a->items[i].number != 0 && ports_with(b, a->items[i].number))
			return true;
	return false;
}

uint64_t ports_mix(uint64_t hash, const struct ports *p)
{
	for (uint32_t i = 0; i < p->count; i++) {
		const struct port *one = &p->items[i];

		hash = XXH3_64bits_withSeed(one->name, strlen(one->name) + 1, hash);
		hash = XXH3_64bits_withSeed(&one->number, sizeof(one->number), hash);
	}
	return hash;
}

void port_set_add(struct port_set *s, uint16_t number)
{
	s->bits[number / 8] = (uint8_t)(s->bits[number / 8] | 1u << number % 8);
}

void port_set_add_all(struct port_set *s, const struct ports *p)
{
	for (uint32_t i = 0; i < p->count; i++)
		port_set_add(s, p->items[i].number);
}

bool port_set_has(const struct port_set *s, uint16_t number)
{
	return s->bits[number / 8] >> number % 8 & 1;
}

uint16_t port_set_free(const struct port_set *s, uint16_t first, uint16_t last, uint16_t start)
{
	uint32_t count = (uint32_t)last - first + 1u;

	if (start < first || start > last)
		start = first;
	for (uint32_t i = 0; i < count; i++) {
		uint16_t number = (uint16_t)(first + (start - first + i) % count);

		if (!port_set_has(s, number))
			return number;
	}
	return 0;
}
