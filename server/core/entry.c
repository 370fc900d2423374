/* One live put, and the two ways in which its value is kept (name.h). */
#include "server/core/replica.h"

#include <stdlib.h>
#include <string.h>

#include "server/core/digest.h"
#include "server/core/name.h"

_Static_assert(ENTRY_ROOM == NAME_TEXT_MAX + 1, "room for what is packed");

struct entry *entry_new(const char *value, size_t value_bytes, const struct record *record)
{
	unsigned form = name_form_of(record, value, value_bytes);
	size_t bytes = form ? name_packed_bytes(record, form) : value_bytes + 1;
	struct entry *e = owned_alloc(record, sizeof(*e) + bytes);

	if (!e)
		return NULL;
	e->value_bytes = (uint32_t)value_bytes;
	e->form = (uint8_t)form;
	if (form) {
		name_pack(record, form, value, e->kept);
		return e;
	}
	memcpy(e->kept, value, value_bytes);
	e->kept[value_bytes] = '\0';
	return e;
}

const char *entry_text(const struct entry *e, char room[ENTRY_ROOM])
{
	if (!e->form)
		return e->kept;
	(void)name_spell(e->kept, e->form, room);
	return room;
}

bool entry_name(const struct entry *e, struct entry_record *ret)
{
	if (e->form) {
		name_fields(e->kept, e->form, ret);
		ret->value_at = e->value_bytes - 1 - ret->value_bytes;
	} else if (e->record && e->record->family == FAMILY_ENTRY) {
		*ret = e->record->entry;
	} else {
		return false;
	}
	return true;
}

const char *entry_raw(const struct entry *e, size_t *ret_bytes)
{
	if (e->form)
		return name_raw(e->kept, e->form, ret_bytes);
	*ret_bytes = e->record->entry.value_bytes;
	return e->kept + e->record->entry.value_at;
}

bool entry_decoded(const struct entry *e)
{
	return e->form || e->record;
}

struct record *entry_record_dup(const struct entry *e)
{
	struct entry_record fields;

	if (!e->form)
		return e->record ? record_dup(e->record) : NULL;
	(void)entry_name(e, &fields);
	return record_new_entry(&fields, strlen(fields.owner_id));
}

void entry_show(const struct entry *e, bool shown)
{
	((struct entry *)(uintptr_t)e)->shown = shown;
}

const struct entry *entry_winner(const struct entry *e)
{
	return entry_node(e)->winner;
}

uint64_t entry_content(const struct entry *e)
{
	char room[ENTRY_ROOM];

	return digest_content(entry_text(e, room), e->value_bytes);
}
