/* The members `ready` and `health` of a spec. */
#include "api/records_take.h"

#include <stdlib.h>
#include <string.h>

#define READY_LIMIT_MS 10000
#define READY_PERIOD_MS 500
#define READY_TRY_MS 5000
#define HEALTH_PERIOD_MS 10000
#define HEALTH_TRY_MS 5000
#define HEALTH_GRACE_MS 10000
#define HEALTH_THRESHOLD 3

static int64_t take_ms(
	struct decoding *d, const json_t *o, const char *name, int64_t least, int64_t absent)
{
	return take_int(d, o, name, least, CHECK_MS_MAX, absent);
}

/* What both kinds of checks have. */
static void take_check(struct decoding *d, const json_t *o, struct check *c)
{
	const char *host = take_name(d, o, "host", NULL), *path = take_name(d, o, "path", NULL);
	const char *port_name = take_name(d, o, "port_name", NULL);

	c->kind = check_kind_from(take_string(d, o, "kind"));
	c->port = (uint16_t)take_int(d, o, "port", 1, UINT16_MAX, 0);
	if (host)
		c->host = copy_string(d, host);
	if (path)
		c->path = copy_string(d, path);
	if (port_name)
		c->port_name = copy_string(d, port_name);
	if (c->kind == CHECK_EXEC)
		c->command = take_words(d, o, "command", 1);
	if (c->kind == CHECK_KIND_COUNT ||
		((c->kind == CHECK_TCP || c->kind == CHECK_HTTP) && !c->port && !c->port_name))
		d->wrong = true;
}

static void take_ready(struct decoding *d, const json_t *spec, struct checks *ret)
{
	const json_t *o = take_object(d, spec, "ready");
	struct check *c;

	if (!o || strcmp(take_name(d, o, "kind", ""), "none") == 0)
		return;
	c = ret->ready = calloc(1, sizeof(*c));
	if (!c) {
		d->no_memory = true;
		return;
	}
	take_check(d, o, c);
	c->limit_ms = take_ms(d, o, "timeout_ms", 1, READY_LIMIT_MS);
	c->period_ms = take_ms(d, o, "period_ms", CHECK_MS_MIN, READY_PERIOD_MS);
	c->timeout_ms = take_ms(d, o, "try_timeout_ms", CHECK_MS_MIN, READY_TRY_MS);
}

static void take_one(struct decoding *d, const json_t *o, struct check *c)
{
	take_check(d, o, c);
	if (c->kind == CHECK_NONE || c->kind == CHECK_NOTIFY)
		d->wrong = true;
	c->period_ms = take_ms(d, o, "period_ms", CHECK_MS_MIN, HEALTH_PERIOD_MS);
	c->timeout_ms = take_ms(d, o, "timeout_ms", CHECK_MS_MIN, HEALTH_TRY_MS);
	c->grace_ms = take_ms(d, o, "grace_ms", 0, HEALTH_GRACE_MS);
	c->threshold = (uint32_t)take_int(d, o, "threshold", 1, UINT32_MAX, HEALTH_THRESHOLD);
}

static void take_health(struct decoding *d, const json_t *spec, struct checks *ret)
{
	const json_t *array = json_object_get(spec, "health");
	size_t count = json_array_size(array);

	if (count > CHECKS_MAX || (array && !json_is_array(array)))
		d->wrong = true;
	if (count == 0 || count > CHECKS_MAX)
		return;
	ret->health = calloc(count, sizeof(*ret->health));
	if (!ret->health) {
		d->no_memory = true;
		return;
	}
	ret->health_count = (uint32_t)count;
	for (size_t i = 0; i < count; i++)
		take_one(d, json_array_get(array, i), &ret->health[i]);
}

void decode_checks(struct decoding *d, const json_t *spec, struct checks *ret)
{
	take_ready(d, spec, ret);
	take_health(d, spec, ret);
	ret->watchdog_ms = take_ms(d, spec, "watchdog_ms", CHECK_MS_MIN, 0);
}
