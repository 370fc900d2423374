#include "api/selector.h"

#include <string.h>

/* Cuts one term; false when it has no name. */
static bool parse_term(struct selector *s, char *term)
{
	char *sign = strchr(term, '=');
	size_t i = s->count;

	s->terms[i].name = term;
	s->terms[i].value = "";
	s->terms[i].kind = SELECTOR_PRESENT;
	if (sign) {
		bool unequal = sign > term && sign[-1] == '!';

		s->terms[i].kind = unequal ? SELECTOR_UNEQUAL : SELECTOR_EQUAL;
		s->terms[i].value = sign + 1;
		sign[unequal ? -1 : 0] = '\0';
	} else if (term[0] == '!') {
		s->terms[i].kind = SELECTOR_ABSENT;
		s->terms[i].name = term + 1;
	}
	s->count++;
	return *s->terms[i].name != '\0';
}

enum err selector_parse(const char *text, struct selector *ret_selector)
{
	struct selector *s = ret_selector;
	size_t length = strlen(text);
	char *at = s->text;

	s->count = 0;
	if (length > SELECTOR_BYTES_MAX)
		return ERR_LIMIT;
	memcpy(s->text, text, length + 1);
	if (length == 0)
		return ERR_OK;
	while (at) {
		char *comma = strchr(at, ',');

		if (comma)
			*comma = '\0';
		if (s->count == SELECTOR_TERMS_MAX)
			return ERR_LIMIT;
		if (!parse_term(s, at))
			return ERR_MALFORMED;
		at = comma ? comma + 1 : NULL;
	}
	return ERR_OK;
}

bool selector_matches(const struct selector *s, const json_t *labels)
{
	for (size_t i = 0; i < s->count; i++) {
		const json_t *label = json_object_get(labels, s->terms[i].name);
		const char *value = json_string_value(label);
		bool equal = value && strcmp(value, s->terms[i].value) == 0;
		bool holds = false;

		switch (s->terms[i].kind) {
		case SELECTOR_EQUAL:
			holds = equal;
			break;
		case SELECTOR_UNEQUAL:
			holds = !equal;
			break;
		case SELECTOR_PRESENT:
			holds = label != NULL;
			break;
		case SELECTOR_ABSENT:
			holds = label == NULL;
			break;
		}
		if (!holds)
			return false;
	}
	return true;
}
