#include "server/core/name.h"

#include <string.h>

#define ID_BYTES_MAX 256 /* of a packed name */
/* All of the text but the id and the value is shorter. */
#define FIXED_BYTES_MAX 200

struct pen {
	char *at;
};

static void put(struct pen *p, const char *bytes, size_t count)
{
	memcpy(p->at, bytes, count);
	p->at += count;
}

#define PUT(p, literal) put(p, literal, sizeof(literal) - 1)

static void put_hex(struct pen *p, uint64_t value)
{
	static const char digits[] = "0123456789abcdef";

	for (int shift = 60; shift >= 0; shift -= 4)
		*p->at++ = digits[value >> shift & 15];
}

static void put_decimal(struct pen *p, uint64_t value)
{
	char digits[20];
	size_t at = sizeof(digits);

	do
		digits[--at] = (char)('0' + value % 10);
	while (value /= 10);
	put(p, digits + at, sizeof(digits) - at);
}

/* The text up to the value, as record_encode writes it; returns its length. */
static size_t spell_head(const struct entry_record *r, size_t id_bytes, bool placed, char *to)
{
	struct pen p = {to};
	const char *kind = owner_kind_name(r->owner_kind);

	PUT(&p, "{\"owner\":{\"kind\":\"");
	put(&p, kind, strlen(kind));
	PUT(&p, "\",\"id\":\"");
	put(&p, r->owner_id, id_bytes);
	PUT(&p, "\"");
	if (placed) {
		PUT(&p, ",\"node\":\"");
		put_hex(&p, r->node.hi);
		put_hex(&p, r->node.lo);
		PUT(&p, "\",\"epoch\":");
		put_decimal(&p, r->epoch);
	}
	PUT(&p, "},\"created\":\"");
	put_hex(&p, r->created);
	PUT(&p, "\"");
	if (r->voted)
		PUT(&p, ",\"voted\":true");
	if (r->first)
		PUT(&p, ",\"first\":true");
	PUT(&p, ",\"value\":");
	return (size_t)(p.at - to);
}

static unsigned form_of(const struct entry_record *r)
{
	return NAME_PACKED | (r->owner_kind == OWNER_CHILD ? NAME_OF_CHILD : 0) |
	       (r->owner_kind == OWNER_LEASE ? NAME_OF_LEASE : 0) | (r->first ? NAME_FIRST : 0) |
	       (r->voted ? NAME_VOTED : 0) |
	       (!origin_is_zero(r->node) || r->epoch != 0 ? NAME_PLACED : 0);
}

unsigned name_form_of(const struct record *r, const char *text, size_t text_bytes)
{
	char head[FIXED_BYTES_MAX + ID_BYTES_MAX];
	size_t id_bytes, bytes;
	unsigned form;

	if (!r || r->family != FAMILY_ENTRY || text_bytes > NAME_TEXT_MAX ||
		text_bytes != (size_t)r->entry.value_at + r->entry.value_bytes + 1 ||
		text[text_bytes - 1] != '}')
		return 0;
	id_bytes = strlen(r->entry.owner_id);
	if (id_bytes > ID_BYTES_MAX)
		return 0;
	form = form_of(&r->entry);
	bytes = spell_head(&r->entry, id_bytes, form & NAME_PLACED, head);
	/* An id that JSON writes in another way than its bytes does not stand in the text so. */
	return r->entry.value_at == bytes && memcmp(text, head, bytes) == 0 ? form : 0;
}

/* Only what is placed has the last two. */
#define HEAD_BYTES (sizeof(uint64_t) + sizeof(uint32_t))
#define PLACE_BYTES (sizeof(struct origin_id) + sizeof(uint64_t))

static size_t id_at(unsigned form)
{
	return HEAD_BYTES + (form & NAME_PLACED ? PLACE_BYTES : 0);
}

size_t name_packed_bytes(const struct record *r, unsigned form)
{
	return id_at(form) + strlen(r->entry.owner_id) + 1 + r->entry.value_bytes;
}

void name_pack(const struct record *r, unsigned form, const char *text, char *ret_packed)
{
	const struct entry_record *e = &r->entry;
	struct pen p = {ret_packed};

	put(&p, (const char *)&e->created, sizeof(e->created));
	put(&p, (const char *)&e->value_bytes, sizeof(e->value_bytes));
	if (form & NAME_PLACED) {
		put(&p, (const char *)&e->node, sizeof(e->node));
		put(&p, (const char *)&e->epoch, sizeof(e->epoch));
	}
	put(&p, e->owner_id, strlen(e->owner_id) + 1);
	put(&p, text + e->value_at, e->value_bytes);
}

static enum owner_kind kind_of(unsigned form)
{
	return form & NAME_OF_CHILD   ? OWNER_CHILD
	       : form & NAME_OF_LEASE ? OWNER_LEASE
				      : OWNER_STATIC;
}

void name_fields(const char *packed, unsigned form, struct entry_record *ret_fields)
{
	*ret_fields = (struct entry_record){.owner_kind = kind_of(form),
		.owner_id = packed + id_at(form),
		.voted = form & NAME_VOTED,
		.first = form & NAME_FIRST};
	memcpy(&ret_fields->created, packed, sizeof(ret_fields->created));
	memcpy(&ret_fields->value_bytes, packed + sizeof(uint64_t), sizeof(uint32_t));
	if (!(form & NAME_PLACED))
		return;
	memcpy(&ret_fields->node, packed + HEAD_BYTES, sizeof(ret_fields->node));
	memcpy(&ret_fields->epoch, packed + HEAD_BYTES + sizeof(ret_fields->node),
		sizeof(ret_fields->epoch));
}

const char *name_raw(const char *packed, unsigned form, size_t *ret_bytes)
{
	struct entry_record r;

	name_fields(packed, form, &r);
	*ret_bytes = r.value_bytes;
	return r.owner_id + strlen(r.owner_id) + 1;
}

size_t name_spell(const char *packed, unsigned form, char room[NAME_TEXT_MAX + 1])
{
	struct entry_record r;
	struct pen p = {room};
	size_t raw_bytes;
	const char *raw = name_raw(packed, form, &raw_bytes);

	name_fields(packed, form, &r);
	p.at += spell_head(&r, strlen(r.owner_id), form & NAME_PLACED, room);
	put(&p, raw, raw_bytes);
	PUT(&p, "}");
	*p.at = '\0';
	return (size_t)(p.at - room);
}
