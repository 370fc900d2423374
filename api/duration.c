#include "api/duration.h"

#include <stdbool.h>
#include <string.h>

#define DURATION_MS_MAX (((int64_t)1 << 53) - 1)

static int64_t unit_ms(const char *unit)
{
	static const struct {
		const char *name;
		int64_t ms;
	} units[] = {{"", 1}, {"ms", 1}, {"s", 1000}, {"m", 60 * 1000}, {"h", 60 * 60 * 1000}};

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (strcmp(unit, units[i].name) == 0)
			return units[i].ms;
	return 0;
}

enum err duration_parse(const char *string, int64_t *ret_ms)
{
	const char *p = string;
	int64_t count = 0, unit;

	for (; *p >= '0' && *p <= '9'; p++) {
		int64_t digit = *p - '0';

		if (count > (DURATION_MS_MAX - digit) / 10)
			return ERR_LIMIT;
		count = count * 10 + digit;
	}
	if (p == string)
		return ERR_MALFORMED;
	unit = unit_ms(p);
	if (!unit)
		return ERR_MALFORMED;
	if (count > DURATION_MS_MAX / unit)
		return ERR_LIMIT;
	*ret_ms = count * unit;
	return ERR_OK;
}
