/*
 * Label selectors: terms joined by commas, all of which must hold. `app=web`, `tier!=db` (also true
 * without that label), `app` (has the label), `!app` (has it not).
 */
#ifndef HORDE_API_SELECTOR_H
#define HORDE_API_SELECTOR_H

#include <stdbool.h>
#include <stddef.h>

#include "api/json.h"
#include "server/core/err.h"

#define SELECTOR_BYTES_MAX 1024
#define SELECTOR_TERMS_MAX 64

enum selector_kind { SELECTOR_EQUAL, SELECTOR_UNEQUAL, SELECTOR_PRESENT, SELECTOR_ABSENT };

struct selector {
	size_t count;
	struct {
		enum selector_kind kind;
		const char *name;
		const char *value;
	} terms[SELECTOR_TERMS_MAX];
	char text[SELECTOR_BYTES_MAX + 1]; /* names and values, cut in place */
};

/* Errors: MALFORMED (an empty name), LIMIT (too long, too many terms). */
enum err selector_parse(const char *text, struct selector *ret_selector);
/* `labels` is an object of strings, or NULL for none. */
bool selector_matches(const struct selector *s, const json_t *labels);

#endif
