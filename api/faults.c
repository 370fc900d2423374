/* The list of everything that is wrong with a request. */
#include <stdarg.h>
#include <stdio.h>

#include "api/schema.h"
#include "api/utf8.h"

void faults_fini(struct faults *f)
{
	text_fini(&f->items);
	text_fini(&f->pointer);
}

void faults_clear(struct faults *f)
{
	text_clear(&f->items);
	text_clear(&f->pointer);
	f->count = 0;
	f->too_large = false;
	f->unsupported = 0;
}

static void add(
	struct faults *f, const char *where, const char *name, const char *code, const char *detail)
{
	if (f->count++ >= HTTP_FAULTS_MAX)
		return;
	json_object(&f->items);
	json_put_string(&f->items, where, name);
	json_put_string(&f->items, "code", code);
	json_put_string(&f->items, "detail", detail);
	json_end_object(&f->items);
}

static void add_at(
	struct faults *f, const char *pointer, const char *code, const char *format, va_list args)
{
	char detail[HTTP_WHY_BYTES], shown[HTTP_POINTER_BYTES_MAX + 1];

	vsnprintf(detail, sizeof(detail), format, args);
	utf8_trim(detail);
	snprintf(shown, sizeof(shown), "%s", pointer);
	utf8_trim(shown);
	add(f, "pointer", shown, code, detail);
}

void faults_add(struct faults *f, const char *pointer, const char *code, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	add_at(f, pointer, code, format, args);
	va_end(args);
}

void faults_add_here(struct faults *f, const char *code, const char *format, ...)
{
	const char *pointer = text_cstr(&f->pointer);
	va_list args;

	if (!pointer) {
		f->items.failed = true;
		return;
	}
	va_start(args, format);
	add_at(f, pointer, code, format, args);
	va_end(args);
}

void faults_add_parameter(struct faults *f, const char *name, const char *code, const char *detail)
{
	add(f, "parameter", name, code, detail);
}

/* ---- where ---- */

void faults_begin(struct faults *f, const char *pointer)
{
	f->pointer.used = 0;
	text_adds(&f->pointer, pointer);
}

size_t faults_enter(struct faults *f, const char *name)
{
	size_t here = f->pointer.used;

	text_adds(&f->pointer, "/");
	for (; *name; name++) {
		if (*name == '~')
			text_adds(&f->pointer, "~0");
		else if (*name == '/')
			text_adds(&f->pointer, "~1");
		else
			text_add(&f->pointer, name, 1);
	}
	return here;
}

size_t faults_enter_item(struct faults *f, size_t index)
{
	char name[24];

	snprintf(name, sizeof(name), "%zu", index);
	return faults_enter(f, name);
}

void faults_leave(struct faults *f, size_t here)
{
	f->pointer.used = here;
}
