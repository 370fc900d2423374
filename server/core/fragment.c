#include "server/core/fragment.h"

#include <stdlib.h>

void fragment_fini(struct fragment *f)
{
	for (size_t i = 0; i < f->put_count; i++) {
		struct fragment_put *p = &f->puts[i];

		if (!f->borrowed)
			free(p->key);
		if (f->borrowed && !p->made)
			continue;
		free(p->value);
		record_free(p->record);
	}
	free(f->ranges);
	free(f->puts);
	free(f->kills);
	free(f->checks);
	free(f->alive);
	vector_fini(&f->floors);
	vector_fini(&f->vector);
	*f = (struct fragment){0};
}
