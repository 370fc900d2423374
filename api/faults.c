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

void faults_add(struct faults *f, const char *pointer, const char *code, const char *format, ...)
{
	char detail[HTTP_WHY_BYTES];
	va_list args;

	va_start(args, format);
	vsnprintf(detail, sizeof(detail), format, args);
	va_end(args);
	utf8_trim(detail);
	add(f, "pointer", pointer, code, detail);
}

void faults_add_parameter(struct faults *f, const char *name, const char *code, const char *detail)
{
	add(f, "parameter", name, code, detail);
}
