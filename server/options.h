/*
 * What the operator asked for. Each option has three names that are made from one: the flag
 * --data-dir, the variable HORDE_DATA_DIR and the key data_dir of the file named by --config (YAML,
 * one flat mapping, and `children`: see api/declared.h). A flag beats the environment, the
 * environment beats the file, the file beats the default. One table (options_table.c) drives
 * reading, checking and --help.
 *
 * An empty variable counts as unset. Other variables that begin with HORDE_ are none of ours: a
 * supervised child has several of them.
 */
#ifndef HORDE_OPTIONS_H
#define HORDE_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "api/declared.h"
#include "server/core/err.h"
#include "server/core/text.h"

#define HORDE_VERSION "0.1.0"
#define OPTIONS_PORT "4750"
#define OPTION_BYTES_MAX 4096                /* one value */
#define OPTION_ITEMS_MAX 256                 /* items of one list */
#define OPTIONS_FILE_BYTES_MAX (1024 * 1024) /* as much as a request's body has */
#define SECRET_BYTES_MIN 8 /* shorter ones are typing errors, or too easy to guess */

enum on_terminate { ON_TERMINATE_RESTART, ON_TERMINATE_LEAVE };
enum logs { LOGS_FILE, LOGS_STDOUT, LOGS_BOTH };
enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR };

struct option_list {
	char **items;
	size_t count;
};

struct options { /* zero, or filled by options_load; texts belong to it */
	bool help;
	bool version;
	char *config;
	char *name;
	char *listen;
	char *advertise; /* a URL, or NULL: made of the address that was bound */
	char *data_dir;
	struct option_list join; /* URLs */
	char *cluster;
	char *token_file;
	char *token; /* what users must show, or NULL */
	char *secret_file;
	char *secret; /* what peers must show, or NULL */
	bool insecure_plain_http;
	struct option_list allow_host;
	struct option_list dispatch_hosts; /* where the values of names may send dispatches */
	struct option_list inherit_env;    /* variables that children see as the daemon does */
	struct option_list secrets_dir;    /* below them are the secrets of children */
	char *cgroup;                      /* a directory of cgroup v2 (cgroup.h), or NULL */
	struct option_list exec_user;      /* whom children may run as, beside the daemon's own */
	int64_t startup_grace_ms;
	int64_t restart_grace_ms;
	int64_t back_within_ms;
	int64_t start_parallel; /* children that may be starting at a time */
	int64_t kill_log_max;   /* records */
	int64_t kill_log_hours;
	char *port_range; /* "FIRST-LAST", and what it says */
	uint16_t port_first;
	uint16_t port_last;
	int64_t logs_total;       /* bytes of all logs of children, on this node */
	int logs;                 /* enum logs */
	int on_terminate;         /* enum on_terminate */
	int log_level;            /* enum log_level */
	struct declared children; /* what the file declares */
	/* made of `listen` */
	struct sockaddr_storage address;
	socklen_t address_bytes;
};

/*
 * Reads argv (argv[0] is skipped), the variables in `environment` ("NAME=value", ends with NULL)
 * and the file. With --help or --version nothing else is looked at.
 * On failure `faults` holds one line per fault, all of them, and `ret` is empty.
 * Errors: MALFORMED (see `faults`), NO_MEMORY.
 */
enum err options_load(
	int argc, char **argv, char *const *environment, struct options *ret, struct text *faults);
void options_fini(struct options *o);

/*
 * Reads the file again, for its children alone; the rest of it has to be right all the same, or the
 * next start would fail. `faults` and errors: as options_load.
 */
enum err options_read_children(
	const char *path, struct declared *ret_children, struct text *faults);

/* What --help prints. */
void options_help(struct text *out);

#endif
