#include "api/pattern.h"

#include <string.h>

/* "^[" set "]*$", a set of single bytes and ranges, perhaps negated. */
static bool read_table(struct pattern *p, const char *text)
{
	const unsigned char *c = (const unsigned char *)text;
	bool negated;

	if (strncmp(text, "^[", 2) != 0)
		return false;
	c += 2;
	negated = *c == '^';
	c += negated;
	if (*c == ']' || *c == '-')
		return false;
	for (; *c && *c != ']'; c++) {
		unsigned char last = *c;
		bool range = c[1] == '-' && c[2] != ']';

		/* Classes, and what has many bytes, are the engine's. */
		if (*c == '[' || *c >= 0x80)
			return false;
		if (range) {
			last = c[2];
			if (last >= 0x80 || last < *c || last == '[')
				return false;
		}
		for (unsigned b = *c; b <= last; b++)
			p->table[b] = true;
		c += range ? 2 : 0;
	}
	if (strcmp((const char *)c, "]*$") != 0)
		return false;
	for (unsigned b = 0; b < 256 && negated; b++)
		p->table[b] = !p->table[b];
	return true;
}

int pattern_compile(struct pattern *p, const char *text)
{
	int code;

	memset(p, 0, sizeof(*p));
	code = regcomp(&p->regex, text, REG_EXTENDED | REG_NOSUB);
	if (code != 0)
		return code;
	p->text = text;
	p->simple = read_table(p, text);
	return 0;
}

void pattern_fini(struct pattern *p)
{
	if (p->text)
		regfree(&p->regex);
	p->text = NULL;
}

bool pattern_matches(struct pattern *p, const char *string)
{
	size_t length;

	if (p->simple) {
		for (; *string; string++)
			if (!p->table[(unsigned char)*string])
				return false;
		return true;
	}
	if (p->last[0] && strcmp(p->last, string) == 0)
		return true;
	if (regexec(&p->regex, string, 0, NULL, 0) != 0)
		return false;
	length = strlen(string);
	if (length < sizeof(p->last))
		memcpy(p->last, string, length + 1);
	return true;
}
