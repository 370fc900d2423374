#include "server/core/err.h"

static const char *const texts[ERR_COUNT] = {
#define X(code, text) [ERR_##code] = text,
	HORDE_ERRORS(X)
#undef X
};

const char *err_text(enum err e)
{
	return (unsigned)e < ERR_COUNT ? texts[e] : "unknown error";
}
