/* What a spec says of the setup of its process: user, group, umask, limits. */
#include "api/records_take.h"

#include <stdlib.h>

/* NULL when it is not there. */
static char *take_own_name(struct decoding *d, const json_t *spec, const char *member)
{
	const char *name = take_name(d, spec, member, NULL);

	return name ? copy_string(d, name) : NULL;
}

static void take_umask(struct decoding *d, const json_t *spec, struct setup *s)
{
	const char *digits = take_name(d, spec, "umask", NULL);
	char *end;
	long mask;

	if (!digits)
		return;
	mask = strtol(digits, &end, 8);
	if (*digits == '\0' || *end != '\0' || mask < 0 || mask > 0777)
		d->wrong = true;
	s->umask_given = true;
	s->umask = (uint16_t)(mask & 0777);
}

static void take_limits(struct decoding *d, const json_t *spec, struct setup *s)
{
	const json_t *limits = take_object(d, spec, "limits");

	for (int i = 0; i < SETUP_LIMIT_COUNT; i++) {
		const char *name = setup_limit_name((enum setup_limit)i);

		if (!json_object_get(limits, name))
			continue;
		s->limits[i] = take_int(d, limits, name, SETUP_UNLIMITED, INT64_MAX, 0);
		s->limits_given |= 1U << i;
	}
}

void take_setup(struct decoding *d, const json_t *spec, struct setup *s)
{
	s->user = take_own_name(d, spec, "user");
	s->group = take_own_name(d, spec, "group");
	take_umask(d, spec, s);
	take_limits(d, spec, s);
}
