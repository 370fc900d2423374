#include "api/markup.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#define DEPTH_MAX 64

struct loader {
	yaml_parser_t parser;
	struct arena *arena;
	char *why;
	unsigned depth;
};

/* Members are collected in a list first: their number is known only at the end. */
struct link {
	struct link *next;
	struct markup_member member;
};

static enum err value_of(struct loader *l, yaml_event_t *event, const struct markup **ret);

static enum err refuse(struct loader *l, size_t line, const char *what)
{
	snprintf(l->why, HTTP_WHY_BYTES, "line %zu: %s", line + 1, what);
	return ERR_MALFORMED;
}

static enum err next_event(struct loader *l, yaml_event_t *ret_event)
{
	if (yaml_parser_parse(&l->parser, ret_event))
		return ERR_OK;
	if (l->parser.error == YAML_MEMORY_ERROR)
		return ERR_NO_MEMORY;
	return refuse(
		l, l->parser.problem_mark.line, l->parser.problem ? l->parser.problem : "not YAML");
}

static bool one_of(const char *text, const char *const *words)
{
	for (; *words; words++)
		if (strcmp(text, *words) == 0)
			return true;
	return false;
}

/* [-+]? digits; the core schema's decimal integer. */
static bool looks_decimal(const char *text)
{
	text += *text == '-' || *text == '+';
	return *text && strspn(text, "0123456789") == strlen(text);
}

/* [-+]? ( . digits | digits ( . digits? )? ) ( e [-+]? digits )? */
static bool looks_real(const char *text)
{
	size_t whole, part = 0;

	text += *text == '-' || *text == '+';
	whole = strspn(text, "0123456789");
	text += whole;
	if (*text == '.') {
		part = strspn(++text, "0123456789");
		text += part;
	}
	if (whole + part == 0)
		return false;
	if (*text == 'e' || *text == 'E') {
		text++;
		text += *text == '-' || *text == '+';
		return looks_decimal(text) && *text != '-' && *text != '+';
	}
	return !*text;
}

static bool type_integer(struct markup *m, const char *digits, int base)
{
	char *end;

	errno = 0;
	m->integer = strtoll(digits, &end, base);
	if (errno || *end || end == digits)
		return false;
	m->kind = MARKUP_INT;
	m->real = (double)m->integer;
	return true;
}

static void type_plain(struct markup *m)
{
	static const char *const nulls[] = {"", "~", "null", "Null", "NULL", NULL};
	static const char *const yes[] = {"true", "True", "TRUE", NULL};
	static const char *const no[] = {"false", "False", "FALSE", NULL};
	const char *t = m->text;

	m->kind = MARKUP_STRING;
	if (one_of(t, nulls)) {
		m->kind = MARKUP_NULL;
	} else if (one_of(t, yes) || one_of(t, no)) {
		m->kind = MARKUP_BOOL;
		m->truth = one_of(t, yes);
	} else if (looks_decimal(t) && type_integer(m, t, 10)) {
		return;
	} else if (strncmp(t, "0x", 2) == 0 && type_integer(m, t + 2, 16)) {
		return;
	} else if (strncmp(t, "0o", 2) == 0 && type_integer(m, t + 2, 8)) {
		return;
	} else if (looks_real(t)) {
		m->kind = MARKUP_REAL;
		m->real = strtod(t, NULL);
	}
}

static enum err scalar_of(struct loader *l, yaml_event_t *event, struct markup *m)
{
	const char *tag = (const char *)event->data.scalar.tag;

	if (event->data.scalar.anchor)
		return refuse(l, event->start_mark.line, "anchors are not supported");
	if (tag && strcmp(tag, "tag:yaml.org,2002:str") != 0)
		return refuse(l, event->start_mark.line, "this tag is not supported");
	if (strlen((char *)event->data.scalar.value) != event->data.scalar.length)
		return refuse(l, event->start_mark.line, "a NUL character in a string");
	m->text = arena_copy(
		l->arena, (const char *)event->data.scalar.value, event->data.scalar.length);
	if (!m->text)
		return ERR_NO_MEMORY;
	m->kind = MARKUP_STRING;
	if (event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE && !tag)
		type_plain(m);
	if (m->kind == MARKUP_REAL && !isfinite(m->real))
		return refuse(l, event->start_mark.line, "the number is too large");
	return ERR_OK;
}

static enum err gather(struct loader *l, struct markup *m, const struct link *links, size_t count)
{
	struct markup_member *members = arena_alloc(l->arena, (count + 1) * sizeof(*members));

	if (!members)
		return ERR_NO_MEMORY;
	m->members = members;
	m->count = count;
	for (; links; links = links->next)
		members[--count] = links->member; /* the list is backwards */
	return ERR_OK;
}

/* The key of a member, which has to be a scalar that no member before it has. */
static enum err key_of(
	struct loader *l, yaml_event_t *event, const struct link *before, const char **ret_name)
{
	const char *name;

	if (event->type != YAML_SCALAR_EVENT || event->data.scalar.anchor)
		return refuse(l, event->start_mark.line, "a key must be a plain string");
	name = arena_copy(
		l->arena, (const char *)event->data.scalar.value, event->data.scalar.length);
	if (!name)
		return ERR_NO_MEMORY;
	for (; before; before = before->next) {
		if (strcmp(before->member.name, name) != 0)
			continue;
		snprintf(l->why, HTTP_WHY_BYTES, "line %zu: duplicate key '%.100s'",
			event->start_mark.line + 1, name);
		return ERR_MALFORMED;
	}
	*ret_name = name;
	return ERR_OK;
}

static enum err members_of(struct loader *l, struct markup *m, yaml_event_type_t end)
{
	struct link *links = NULL, *link;
	yaml_event_t event;
	enum err e;
	size_t count;

	for (count = 0;; count++) {
		e = next_event(l, &event);
		if (e != ERR_OK)
			return e;
		if (event.type == end) {
			yaml_event_delete(&event);
			return gather(l, m, links, count);
		}
		link = arena_zero(l->arena, sizeof(*link));
		e = link ? ERR_OK : ERR_NO_MEMORY;
		if (e == ERR_OK && m->kind == MARKUP_MAP) {
			e = key_of(l, &event, links, &link->member.name);
			yaml_event_delete(&event);
			if (e == ERR_OK)
				e = next_event(l, &event);
			if (e != ERR_OK)
				return e;
		}
		if (e == ERR_OK)
			e = value_of(l, &event, &link->member.value);
		yaml_event_delete(&event);
		if (e != ERR_OK)
			return e;
		link->next = links;
		links = link;
	}
}

static enum err nested(
	struct loader *l, yaml_event_t *event, struct markup *m, const yaml_char_t *anchor)
{
	enum err e;

	if (anchor)
		return refuse(l, event->start_mark.line, "anchors are not supported");
	if (l->depth == DEPTH_MAX)
		return refuse(l, event->start_mark.line, "nested too deeply");
	l->depth++;
	e = members_of(
		l, m, m->kind == MARKUP_MAP ? YAML_MAPPING_END_EVENT : YAML_SEQUENCE_END_EVENT);
	l->depth--;
	return e;
}

static enum err value_of(struct loader *l, yaml_event_t *event, const struct markup **ret)
{
	struct markup *m = arena_zero(l->arena, sizeof(*m));
	enum err e;

	if (!m)
		return ERR_NO_MEMORY;
	m->line = (unsigned)event->start_mark.line + 1;
	if (event->type == YAML_SCALAR_EVENT) {
		e = scalar_of(l, event, m);
	} else if (event->type == YAML_MAPPING_START_EVENT) {
		m->kind = MARKUP_MAP;
		e = nested(l, event, m, event->data.mapping_start.anchor);
	} else if (event->type == YAML_SEQUENCE_START_EVENT) {
		m->kind = MARKUP_LIST;
		e = nested(l, event, m, event->data.sequence_start.anchor);
	} else {
		e = refuse(l, event->start_mark.line, "aliases are not supported");
	}
	if (e == ERR_OK)
		*ret = m;
	return e;
}

/* STREAM-START, DOCUMENT-START, the value, DOCUMENT-END. */
static enum err document_of(struct loader *l, const struct markup **ret_root)
{
	yaml_event_t event;
	enum err e;

	for (int i = 0; i < 2; i++) {
		e = next_event(l, &event);
		if (e != ERR_OK)
			return e;
		if (event.type == YAML_STREAM_END_EVENT)
			e = refuse(l, event.start_mark.line, "the document is empty");
		yaml_event_delete(&event);
		if (e != ERR_OK)
			return e;
	}
	e = next_event(l, &event);
	if (e != ERR_OK)
		return e;
	e = value_of(l, &event, ret_root);
	yaml_event_delete(&event);
	return e;
}

enum err markup_load(struct arena *arena, const char *yaml, size_t length,
	const struct markup **ret_root, char why[HTTP_WHY_BYTES])
{
	struct loader l = {.arena = arena, .why = why};
	const struct markup *root = NULL;
	enum err e;

	snprintf(why, HTTP_WHY_BYTES, "%s", err_text(ERR_NO_MEMORY));
	if (!yaml_parser_initialize(&l.parser))
		return ERR_NO_MEMORY;
	yaml_parser_set_encoding(&l.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&l.parser, (const unsigned char *)yaml, length);
	e = document_of(&l, &root);
	yaml_parser_delete(&l.parser);
	if (e == ERR_OK)
		*ret_root = root;
	return e;
}
