#include "server/options_table.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "api/nearest.h"

#define CHILDREN "children"

/*
 * The file is one flat mapping: name to scalar, or to a list of scalars for the lists. What
 * CHILDREN holds is read by api/declared.h, and only passed over here.
 */
struct file {
	struct option_reading *r;
	const char *path;
	yaml_parser_t parser;
	yaml_event_t event;
	bool failed;
	bool children; /* there are some */
	bool seen[OPTION_COUNT];
};

static unsigned long line_of(const struct file *f)
{
	return (unsigned long)f->event.start_mark.line + 1;
}

static bool next(struct file *f)
{
	yaml_event_delete(&f->event);
	if (f->failed)
		return false;
	if (!yaml_parser_parse(&f->parser, &f->event)) {
		option_fault(f->r, "%s:%lu: %s", f->path,
			(unsigned long)f->parser.problem_mark.line + 1,
			f->parser.problem ? f->parser.problem : "not YAML");
		f->failed = true;
	}
	return !f->failed;
}

static void refuse(struct file *f, const char *why)
{
	option_fault(f->r, "%s:%lu: %s", f->path, line_of(f), why);
	f->failed = true;
}

static const char *scalar(const struct file *f)
{
	return (const char *)f->event.data.scalar.value;
}

static const struct option_row *key_row(struct file *f)
{
	struct nearest nearest = {.wanted = scalar(f)};
	static char names[OPTION_COUNT][OPTION_NAME_BYTES];

	nearest_offer(&nearest, CHILDREN);
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		if (!(option_rows[i].sources & SOURCE_FILE))
			continue;
		option_key(&option_rows[i], names[i]);
		nearest_offer(&nearest, names[i]);
		if (strcmp(names[i], scalar(f)) != 0)
			continue;
		if (f->seen[i])
			option_fault(f->r, "%s:%lu: '%s' stands here a second time", f->path,
				line_of(f), names[i]);
		f->seen[i] = true;
		return &option_rows[i];
	}
	option_fault(f->r, "%s:%lu: unknown key '%.200s'; did you mean '%s'?", f->path, line_of(f),
		scalar(f), nearest.best);
	return NULL;
}

/* `row` is NULL for an unknown key, whose value is passed over. */
static void take_scalar(struct file *f, const struct option_row *row)
{
	char where[OPTION_BYTES_MAX], key[OPTION_NAME_BYTES];

	if (!row)
		return;
	option_key(row, key);
	snprintf(where, sizeof where, "%s:%lu: %s", f->path, line_of(f), key);
	if (strlen(scalar(f)) != f->event.data.scalar.length)
		option_fault(f->r, "%s: holds a NUL", where);
	else if (f->event.data.scalar.length == 0)
		option_fault(f->r, "%s: has no value", where);
	else
		option_set(f->r, row, SOURCE_FILE, where, scalar(f));
}

static void take_list(struct file *f, const struct option_row *row)
{
	if (row && row->kind != OPTION_LIST)
		option_fault(f->r, "%s:%lu: takes one value, not a list", f->path, line_of(f));
	while (next(f) && f->event.type != YAML_SEQUENCE_END_EVENT) {
		if (f->event.type != YAML_SCALAR_EVENT)
			refuse(f, "a list here holds plain values only");
		else if (!row || row->kind == OPTION_LIST)
			take_scalar(f, row);
	}
}

static void pass_children(struct file *f)
{
	int depth = 0;

	if (f->children)
		option_fault(f->r, "%s:%lu: '" CHILDREN "' stands here a second time", f->path,
			line_of(f));
	f->children = true;
	do {
		if (!next(f))
			return;
		depth += f->event.type == YAML_SEQUENCE_START_EVENT ||
			 f->event.type == YAML_MAPPING_START_EVENT;
		depth -= f->event.type == YAML_SEQUENCE_END_EVENT ||
			 f->event.type == YAML_MAPPING_END_EVENT;
	} while (depth > 0);
}

static void take_member(struct file *f)
{
	const struct option_row *row;

	if (strcmp(scalar(f), CHILDREN) == 0) {
		pass_children(f);
		return;
	}
	row = key_row(f);
	if (!next(f))
		return;
	if (f->event.type == YAML_SCALAR_EVENT)
		take_scalar(f, row);
	else if (f->event.type == YAML_SEQUENCE_START_EVENT)
		take_list(f, row);
	else
		refuse(f, "a value is a plain value or a list of them");
}

static void read_document(struct file *f)
{
	if (!next(f) || !next(f) || f->event.type == YAML_STREAM_END_EVENT)
		return; /* an empty file sets nothing */
	if (next(f) && f->event.type != YAML_MAPPING_START_EVENT) {
		refuse(f, "the file must be a mapping of keys to values");
		return;
	}
	while (next(f) && f->event.type != YAML_MAPPING_END_EVENT) {
		if (f->event.type == YAML_SCALAR_EVENT)
			take_member(f);
		else
			refuse(f, "a key is a plain word");
	}
	if (next(f) && next(f) && f->event.type != YAML_STREAM_END_EVENT)
		refuse(f, "the file must hold one document");
}

static char *slurp(struct option_reading *r, const char *path, size_t *ret_bytes)
{
	FILE *in = fopen(path, "re");
	char *bytes = in ? malloc(OPTIONS_FILE_BYTES_MAX + 1) : NULL;
	char *result = NULL;

	if (!in) {
		option_fault(r, "cannot read %s: %s", path, strerror(errno));
	} else if (!bytes) {
		r->no_memory = true;
	} else {
		*ret_bytes = fread(bytes, 1, OPTIONS_FILE_BYTES_MAX + 1, in);
		if (ferror(in))
			option_fault(r, "cannot read %s: %s", path, strerror(errno));
		else if (*ret_bytes > OPTIONS_FILE_BYTES_MAX)
			option_fault(r, "%s is larger than %d bytes", path, OPTIONS_FILE_BYTES_MAX);
		else
			result = bytes;
	}
	if (!result)
		free(bytes);
	if (in)
		fclose(in);
	return result;
}

static void take_children(struct file *f, const char *bytes, size_t count)
{
	struct text faults = TEXT_INIT;
	enum err e = declared_read(bytes, count, &f->r->o->children, &faults);
	const char *all = e == ERR_MALFORMED ? text_cstr(&faults) : NULL;

	f->r->no_memory = f->r->no_memory || (e != ERR_OK && !all);
	for (; all && *all; all += strcspn(all, "\n") + 1)
		option_fault(f->r, "%s: %.*s", f->path, (int)strcspn(all, "\n"), all);
	text_fini(&faults);
}

void options_read_file(struct option_reading *r)
{
	struct file f = {.r = r, .path = r->o->config};
	size_t count = 0;
	char *bytes = slurp(r, f.path, &count);

	if (!bytes)
		return;
	if (yaml_parser_initialize(&f.parser)) {
		yaml_parser_set_input_string(&f.parser, (unsigned char *)bytes, count);
		read_document(&f);
		if (f.children && !f.failed)
			take_children(&f, bytes, count);
		yaml_event_delete(&f.event);
		yaml_parser_delete(&f.parser);
	} else {
		r->no_memory = true;
	}
	free(bytes);
}

enum err options_read_children(const char *path, struct declared *ret_children, struct text *faults)
{
	struct options o = {.config = strdup(path)};
	struct option_reading r = {.o = &o, .faults = faults};
	enum err e = ERR_NO_MEMORY;

	if (o.config)
		options_read_file(&r);
	if (o.config && !r.no_memory && !faults->failed)
		e = faults->used > 0 ? ERR_MALFORMED : ERR_OK;
	if (e == ERR_OK) {
		*ret_children = o.children;
		o.children = (struct declared){0};
	}
	options_fini(&o);
	return e;
}
