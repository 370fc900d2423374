/*
 * Writing one child's spec, in two halves: first all that can be wrong with it is found and its
 * value is made, then it is written. Shared by what writes one child and what writes many.
 */
#ifndef HORDE_API_CHILD_PUT_H
#define HORDE_API_CHILD_PUT_H

#include "api/resource.h"
#include "api/spec_prepare.h"

/* How long a child that the server named is kept once it has finished. */
#define RETAIN_UNNAMED_MS 3600000

/*
 * The value for a spec that came as JSON; created_at and desired are those of `parts`. Every fault
 * is noted (exchange_fault) below `pointer`, which leads to the spec within the body.
 * Errors: MALFORMED (faults were noted), NO_MEMORY.
 */
enum err child_prepare(struct exchange *x, const char *pointer, const json_t *spec,
	const struct spec_parts *parts, struct prepared *ret_prepared);
/* The same for a spec that is there already, and taken as it is. */
enum err child_prepare_parts(
	struct exchange *x, const struct spec_parts *parts, struct prepared *ret_prepared);
/*
 * The same for a child that the server names. Nobody will look for it by name, so it is not kept
 * for ever once it has finished, unless it or its supervisor says how long.
 */
enum err child_prepare_unnamed(struct exchange *x, const char *pointer, const json_t *spec,
	const struct spec_parts *parts, struct prepared *ret_prepared);

/* Writes it under `id` of the path's supervisor. Errors: those of EVENT_PUT_SPEC; the names that
 * others have are noted as faults. */
enum err child_commit(
	struct exchange *x, struct write *w, const char *id, struct prepared *prepared);
/* Removes the spec. Errors: those of EVENT_REMOVE_SPEC. */
enum err child_remove(struct exchange *x, struct write *w, const char *id);

/* The problem of one of these errors. */
void child_put_failed(struct exchange *x, enum err e);

#endif
