#include "server/core/fragment.h"

#include <stdlib.h>

void fragment_fini(struct fragment *f)
{
	for (size_t i = 0; i < f->put_count && !f->borrowed; i++) {
		free(f->puts[i].key);
		free(f->puts[i].value);
		record_free(f->puts[i].record);
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
