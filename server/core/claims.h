/* The names that a spec asks for: they are its child's from readiness on, until it ends. */
#ifndef HORDE_CORE_CLAIMS_H
#define HORDE_CORE_CLAIMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/core/names.h"

#define CLAIMS_MAX 16 /* names of one spec */

struct claim {
	char *key; /* entry/REG/KEY */
	size_t key_bytes;
	char *value;              /* raw JSON */
	enum taken_rule on_taken; /* what becomes of the child while another owner has it */
};

struct claims { /* all zero: none */
	struct claim *items;
	uint32_t count;
	bool expands; /* something in them is to be expanded (expand.h) */
};

void claims_fini(struct claims *c);
/* A copy for the caller's claims_fini; false without memory, with what could be copied. */
bool claims_dup(const struct claims *c, struct claims *ret_copy);
/* A copy as `identity` has it, for the caller's claims_fini; false without memory. */
bool claims_expand(const struct claims *c, char *const *identity, struct claims *ret_copy);
/* Of all keys and values. */
uint64_t claims_hash(const struct claims *c);
bool claims_have(const struct claims *c, const char *key);

#endif
