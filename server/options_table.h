/* The table behind options.h; for options*.c only. */
#ifndef HORDE_OPTIONS_TABLE_H
#define HORDE_OPTIONS_TABLE_H

#include "server/options.h"

enum option_kind {
	OPTION_FLAG,   /* bool; a flag without value, or true and false */
	OPTION_TEXT,   /* char * */
	OPTION_LIST,   /* struct option_list; repeat the flag, commas in a variable, a YAML list */
	OPTION_MS,     /* int64_t; a bare number of ms, or 250ms, 30s, 5m, 1h */
	OPTION_NUMBER, /* int64_t; a plain number */
	OPTION_BYTES,  /* int64_t; a plain number, or 64KiB, 500MiB, 20GiB, 1TiB */
	OPTION_CHOICE, /* int, an index of `choices` */
};

/* Where an option may stand, and how strong it is there. */
enum option_source {
	SOURCE_NONE,
	SOURCE_DEFAULT = 1,
	SOURCE_FILE = 2,
	SOURCE_ENVIRONMENT = 4,
	SOURCE_FLAG = 8,
	SOURCE_ALL = SOURCE_FILE | SOURCE_ENVIRONMENT | SOURCE_FLAG,
};

struct option_row {
	const char *name; /* as in the flag: data-dir */
	enum option_kind kind;
	size_t offset;        /* in struct options */
	unsigned sources;     /* where it may stand */
	const char *fallback; /* the default's text, or NULL */
	const char *value;    /* the word for its value in the help */
	const char *help;
	int64_t min;                /* NUMBER, BYTES */
	int64_t max;                /* MS, NUMBER, BYTES */
	const char *const *choices; /* CHOICE; ends with NULL */
};

#define OPTION_COUNT 31
#define OPTION_NAME_BYTES 40 /* any of the three names */
extern const struct option_row option_rows[OPTION_COUNT];

/* The row's variable ("HORDE_DATA_DIR") and key ("data_dir"). */
void option_variable(const struct option_row *row, char ret_name[OPTION_NAME_BYTES]);
void option_key(const struct option_row *row, char ret_name[OPTION_NAME_BYTES]);

/* One reading of all sources; the strongest is read first and the others fill what is left. */
struct option_reading {
	struct options *o;
	struct text *faults;
	enum option_source sources[OPTION_COUNT]; /* where each came from so far */
	bool no_memory;
};

/* One fault: a line without its end. */
void option_fault(struct option_reading *r, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/*
 * Sets a value, unless a stronger source did. `where` names the place for people ("--listen",
 * "HORDE_LISTEN", "FILE:3: listen").
 */
void option_set(struct option_reading *r, const struct option_row *row, enum option_source source,
	const char *where, const char *value);

void options_read_file(struct option_reading *r);
/* Fills what needs more than a constant, and checks what the table cannot. */
void options_settle(struct option_reading *r, char *const *environment);
const char *options_variable(char *const *environment, const char *name);

#endif
