#include "server/core/declared.h"

#include <string.h>

enum declared_act declared_decide(const struct declared_view *v)
{
	if (!v->digest && !v->remembered)
		return DECLARED_NOTHING;
	if (!v->digest)
		return v->present && v->from_file ? DECLARED_DELETE : DECLARED_FORGET;
	if (v->remembered && strcmp(v->digest, v->remembered) == 0)
		return DECLARED_NOTHING;
	return v->present && v->equal ? DECLARED_REMEMBER : DECLARED_PUT;
}
