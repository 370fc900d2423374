#include "storage/problem.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

enum err problem_set(struct store_problem *p, enum err e, const char *format, ...)
{
	va_list arguments;

	if (!p)
		return e;
	va_start(arguments, format);
	(void)vsnprintf(p->detail, sizeof p->detail, format, arguments);
	va_end(arguments);
	return e;
}

enum err problem_from_errno(int error)
{
	switch (error) {
	case ENOSPC:
	case EDQUOT:
	case EFBIG:
		return ERR_STORAGE_FULL;
	case EROFS:
	case EACCES:
	case EPERM:
		return ERR_STORAGE_READ_ONLY;
	case ENOMEM:
		return ERR_NO_MEMORY;
	default:
		return ERR_IO;
	}
}
