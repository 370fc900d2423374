/*
 * What a process sees in its environment: what tells it who it is, what its spec says, what the
 * node lets through of the daemon's own (--inherit-env), and a fixed PATH, LANG and TZ. Of several
 * values of one name the first one added counts, so who is asked first wins.
 *
 * Secrets are read here, just before the start, from below the node's --secrets-dir: they are in
 * this list and in what is sent to the guardian, and wiped there, and nowhere else.
 */
#ifndef HORDE_ENVIRONMENT_H
#define HORDE_ENVIRONMENT_H

#include <stdbool.h>
#include <stddef.h>

#include "server/core/err.h"
#include "server/core/record.h"
#include "server/options.h"

/* Of a file with one secret, or of a file of variables. */
#define ENVIRONMENT_FILE_BYTES_MAX 65536

struct environment {  /* zero: empty */
	char **items; /* "NAME=value"; the last is NULL */
	size_t count;
	size_t size;
	bool failed;                 /* there was no memory */
	char error[ERROR_BYTES_MAX]; /* what cannot be read: "env_from.DB_PASSWORD: ENOENT" */
};

/* Nothing is changed when the name is there already. */
void environment_add(struct environment *e, const char *name, const char *value, size_t bytes);
/* "NAME=value" */
void environment_add_item(struct environment *e, const char *item);
/* The same, with what is in the list already in place of each `${HORDE_NAME}` (expand.h). */
void environment_add_meant(struct environment *e, const char *item);
/*
 * All that a spec, or the defaults of a supervisor, say: env, then env_from, then env_files, the
 * last of them first. What cannot be read is told in `error`, the first of it.
 */
void environment_add_spec(
	struct environment *e, const struct spec_record *s, const struct option_list *secrets_dirs);
/* Something in `text` is named that nobody knows (expand.h): told in `error`. */
void environment_unknown(struct environment *e, const char *text);
/* What the node lets through, and PATH, LANG and TZ. */
void environment_add_node(struct environment *e, const struct options *o);
/* Wipes what it frees. */
void environment_fini(struct environment *e);

#endif
