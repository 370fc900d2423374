#include "api/projection.h"

#include <string.h>

#include "api/json_text.h"
#include "api/schema.h"

static bool is_named(const struct projection *p, const char *path)
{
	for (size_t i = 0; i < p->count; i++)
		if (strcmp(p->paths[i].path, path) == 0)
			return true;
	return false;
}

enum err projection_read(struct projection *p, const json_t *select, struct faults *faults)
{
	size_t before = faults->count;

	p->count = 0;
	for (size_t i = 0; i < json_array_size(select) && i < PROJECTION_PATHS_MAX; i++) {
		const char *path = json_string_value(json_array_get(select, i));
		size_t here = faults_enter_item(faults, i);

		if (is_named(p, path))
			faults_add_here(faults, "duplicate", "is named twice");
		p->paths[p->count].path = path;
		p->paths[p->count++].part = match_path_check(path, faults);
		faults_leave(faults, here);
	}
	return faults->count == before ? ERR_OK : ERR_MALFORMED;
}

/* The item with this number; NULL: there are fewer. */
static const char *item_of(const char *text, size_t bytes, size_t number, size_t *ret_bytes)
{
	const char *item = NULL;
	size_t at = 0;

	for (size_t i = 0; i == 0 || (item && i <= number); i++)
		item = json_item(text, bytes, &at, ret_bytes);
	return item;
}

/* What is below the value `text` at the rest of a path, ".shard.0"; NULL: nothing. */
static const char *follow(const char *text, const char *rest, size_t *bytes)
{
	char name[PROJECTION_PATH_BYTES_MAX + 1];

	while (text && *rest == '.') {
		size_t length = strcspn(++rest, "."), index = match_index(rest, length);

		memcpy(name, rest, length);
		name[length] = '\0';
		if (text[0] == '{')
			text = json_member(text, *bytes, name, bytes);
		else
			text = index == SIZE_MAX ? NULL : item_of(text, *bytes, index, bytes);
		rest += length;
	}
	return text;
}

void projection_put(
	struct text *out, const struct projection *p, const struct horde *h, const struct entry *e)
{
	struct text room = TEXT_INIT;

	for (size_t i = 0; i < p->count; i++) {
		const char *path = p->paths[i].path;
		size_t bytes = 0;
		const char *text = entry_part(&room, h, e, p->paths[i].part, &bytes);

		text = follow(text, path + strcspn(path, "."), &bytes);
		if (text) {
			json_key(out, path);
			json_raw(out, text, bytes);
		}
		out->failed |= room.failed;
	}
	text_fini(&room);
}
