/*
 * What a child's spec says, and what a child inherits from its supervisor.
 *
 * A spec keeps what was asked for; what it leaves open comes from its supervisor's defaults at the
 * time it is needed, so that a change of the supervisor holds for the children that are there
 * (Horde's DynamicSupervisor: init options and extra_arguments).
 */
#ifndef HORDE_CORE_SPEC_H
#define HORDE_CORE_SPEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/core/checks.h"
#include "server/core/claims.h"
#include "server/core/names.h"
#include "server/core/ports.h"
#include "server/core/setup.h"

struct restart_rule { /* budget and back-off of one child */
	enum restart_type type;
	enum max_restarts_policy policy;
	uint32_t max_restarts;
	uint32_t max_seconds;
	int64_t initial_ms;
	int64_t max_ms;
	double factor;
	int64_t reset_after_ms;
};

/* The members that a child may leave to its supervisor. */
enum spec_given {
	GIVEN_RESTART = 1 << 0,
	GIVEN_POLICY = 1 << 1,
	GIVEN_MAX_RESTARTS = 1 << 2,
	GIVEN_MAX_SECONDS = 1 << 3,
	GIVEN_INITIAL = 1 << 4,
	GIVEN_MAX_WAIT = 1 << 5,
	GIVEN_FACTOR = 1 << 6,
	GIVEN_RESET_AFTER = 1 << 7,
	GIVEN_SHUTDOWN_SIGNAL = 1 << 8,
	GIVEN_SHUTDOWN_TIMEOUT = 1 << 9,
	GIVEN_SUCCESS = 1 << 10,
	GIVEN_CWD = 1 << 11,
	GIVEN_LOG_BYTES = 1 << 12,
	GIVEN_LOG_FILES = 1 << 13,
	GIVEN_RETAIN = 1 << 14,
	GIVEN_SHUTDOWN_DELAY = 1 << 15,
	GIVEN_READY = 1 << 20,
	GIVEN_HEALTH = 1 << 21,
	GIVEN_WATCHDOG = 1 << 22
};

struct spec_record {
	char **command;   /* NULL-terminated; of defaults: arguments that go before its own */
	char **env;       /* "NAME=value", NULL-terminated */
	char **env_from;  /* "NAME=/path of a secret" */
	char **env_files; /* paths of files of variables */
	char *cwd;
	struct setup setup;
	struct restart_rule restart;
	int shutdown_signal;
	int64_t shutdown_timeout_ms;
	int64_t shutdown_delay_ms;
	uint8_t success_exit[32]; /* a bit per exit code */
	uint64_t log_bytes_max;
	uint32_t log_files_max;
	int64_t retain_ms; /* so long after its end an exited one is kept; 0: for ever */
	struct checks checks;
	struct claims claims; /* never inherited */
	struct ports ports;   /* never inherited */
	bool desired_running;
	bool from_file;        /* as spec_parts of api/spec.h has it */
	uint32_t given;        /* enum spec_given: what it says itself */
	uint64_t hash;         /* as asked for, without `desired`, the times and `retain_ms` */
	uint64_t process_hash; /* of the members that only a new process can have */
};

struct supervisor_record {
	uint32_t max_children;          /* 0: no limit */
	uint32_t max_children_per_node; /* 0: no limit */
	int64_t created_at_ms;          /* wall; 0: nobody has described it */
	struct spec_record defaults;    /* its `given` says which there are */
};

/*
 * The hash of the members that only a new process can have: command, environment, working
 * directory, setup, ports, and whether it is given a socket to tell of itself. What a spec leaves
 * to its supervisor is no part of it.
 */
uint64_t spec_process_hash(const struct spec_record *s);

enum applied {          /* what another spec means for a child that is there */
	APPLIED_UNSAID, /* it is new, or is to start or stop */
	APPLIED_NONE,
	APPLIED_LIVE,     /* its process stays, and follows it */
	APPLIED_REPLACED, /* its process ends, and another one is started */
};

/* What `next` means where `present` stands; either may be NULL: that cannot be said. */
enum applied spec_applied(const struct spec_record *present, const struct spec_record *next);

/*
 * A child's spec with what it inherits; borrows from both. `command` and `env` stay its own: the
 * words of `defaults->command` go between its program and its arguments, and the variables of
 * `defaults->env` hold unless it sets them itself. `defaults` may be NULL.
 */
struct spec_record spec_inherit(const struct spec_record *own, const struct spec_record *defaults);

/* Does the environment of `own` say what this variable, "NAME=value", is, or where to read it? */
bool spec_sets(const struct spec_record *own, const char *variable);

#endif
