#include "api/records_take.h"

#include <stdlib.h>
#include <string.h>

#include "api/json_read.h"
#include "api/json_text.h"
#include "api/signals.h"
#include "api/spec.h"
#include "server/core/digest.h"

/* ---- the child spec ---- */

char **take_words(struct decoding *d, const json_t *o, const char *name, size_t least)
{
	const json_t *array = json_object_get(o, name);
	size_t count = json_array_size(array);
	char **command = calloc(count + 1, sizeof(*command));

	if (count < least || (array && !json_is_array(array)))
		d->wrong = true;
	if (!command)
		d->no_memory = true;
	for (size_t i = 0; command && i < count; i++) {
		const char *word = json_string_value(json_array_get(array, i));

		d->wrong = d->wrong || !word;
		command[i] = copy_string(d, word ? word : "");
		if (!command[i])
			break;
	}
	return command;
}

static char *join_variable(struct decoding *d, const char *name, const char *value)
{
	size_t name_bytes = strlen(name), value_bytes = strlen(value);
	char *s = malloc(name_bytes + value_bytes + 2);

	if (!s) {
		d->no_memory = true;
		return NULL;
	}
	memcpy(s, name, name_bytes);
	s[name_bytes] = '=';
	memcpy(s + name_bytes + 1, value, value_bytes + 1);
	return s;
}

static char **take_env(struct decoding *d, json_t *o)
{
	json_t *object = json_object_get(o, "env"), *value;
	char **env = calloc(json_object_size(object) + 1, sizeof(*env));
	const char *name;
	size_t used = 0;

	if (object && !json_is_object(object))
		d->wrong = true;
	if (!env)
		d->no_memory = true;
	if (!env || !json_is_object(object))
		return env;
	json_object_foreach(object, name, value)
	{
		const char *text = json_string_value(value);

		d->wrong = d->wrong || !text;
		env[used] = join_variable(d, name, text ? text : "");
		if (!env[used++])
			break;
	}
	return env;
}

/* {"NAME":{"file":"/path"}} as "NAME=/path"; NULL when there is none. */
static char **take_env_from(struct decoding *d, json_t *o)
{
	json_t *object = json_object_get(o, "env_from"), *value;
	char **env;
	const char *name;
	size_t used = 0;

	if (!object)
		return NULL;
	if (!json_is_object(object))
		d->wrong = true;
	env = calloc(json_object_size(object) + 1, sizeof(*env));
	if (!env)
		d->no_memory = true;
	if (!env || d->wrong)
		return env;
	json_object_foreach(object, name, value)
	{
		const char *path = json_string_value(json_object_get(value, "file"));

		d->wrong = d->wrong || !path;
		env[used] = join_variable(d, name, path ? path : "");
		if (!env[used++])
			break;
	}
	return env;
}

static void take_restart(struct decoding *d, const json_t *o, struct restart_rule *r)
{
	const json_t *backoff = take_object(d, o, "backoff");
	const json_t *factor = json_object_get(backoff, "factor");

	r->type = restart_type_from(take_name(d, o, "restart", "permanent"));
	r->policy = max_restarts_policy_from(take_name(d, o, "on_max_restarts", "backoff"));
	if (r->type == RESTART_TYPE_COUNT || r->policy == POLICY_COUNT)
		d->wrong = true;
	r->max_restarts = (uint32_t)take_int(d, o, "max_restarts", 0, UINT32_MAX, 3);
	r->max_seconds = (uint32_t)take_int(d, o, "max_seconds", 0, UINT32_MAX, 5);
	r->initial_ms = take_int(d, backoff, "initial_ms", 0, INT64_MAX, 200);
	r->max_ms = take_int(d, backoff, "max_ms", 0, INT64_MAX, 30000);
	r->reset_after_ms = take_int(d, backoff, "reset_after_ms", 0, INT64_MAX, 60000);
	r->factor = factor ? json_number_value(factor) : 2;
	/* Also false for what is not a number. */
	if (!(r->factor >= 1))
		d->wrong = true;
}

static void take_shutdown(struct decoding *d, const json_t *o, struct spec_record *s)
{
	const json_t *shutdown = take_object(d, o, "shutdown");

	s->shutdown_signal = signal_from_name(take_name(d, shutdown, "signal", "TERM"));
	if (s->shutdown_signal == 0)
		d->wrong = true;
	s->shutdown_timeout_ms = take_int(d, shutdown, "timeout_ms", 0, INT64_MAX, 5000);
	s->shutdown_delay_ms = take_int(d, shutdown, "delay_ms", 0, INT32_MAX, 0);
}

static void take_success(struct decoding *d, const json_t *o, uint8_t ret_bits[32])
{
	const json_t *codes = json_object_get(o, "success_exit_codes");

	if (!codes)
		ret_bits[0] = 1;
	if (codes && !json_is_array(codes))
		d->wrong = true;
	for (size_t i = 0; i < json_array_size(codes); i++) {
		const json_t *item = json_array_get(codes, i);
		int64_t code = json_integer_value(item);

		if (json_is_integer(item) && code >= 0 && code <= 255)
			ret_bits[code / 8] = (uint8_t)(ret_bits[code / 8] | 1u << code % 8);
		else
			d->wrong = true;
	}
}

/* Which of the members that can be inherited are there. */
static uint32_t take_given(const json_t *spec)
{
	static const struct {
		uint32_t bit;
		const char *outer; /* NULL: the spec itself */
		const char *name;
	} members[] = {
		{GIVEN_RESTART, NULL, "restart"},
		{GIVEN_POLICY, NULL, "on_max_restarts"},
		{GIVEN_MAX_RESTARTS, NULL, "max_restarts"},
		{GIVEN_MAX_SECONDS, NULL, "max_seconds"},
		{GIVEN_INITIAL, "backoff", "initial_ms"},
		{GIVEN_MAX_WAIT, "backoff", "max_ms"},
		{GIVEN_FACTOR, "backoff", "factor"},
		{GIVEN_RESET_AFTER, "backoff", "reset_after_ms"},
		{GIVEN_SHUTDOWN_SIGNAL, "shutdown", "signal"},
		{GIVEN_SHUTDOWN_TIMEOUT, "shutdown", "timeout_ms"},
		{GIVEN_SHUTDOWN_DELAY, "shutdown", "delay_ms"},
		{GIVEN_SUCCESS, NULL, "success_exit_codes"},
		{GIVEN_CWD, NULL, "cwd"},
		{GIVEN_LOG_BYTES, "logs", "max_bytes"},
		{GIVEN_LOG_FILES, "logs", "max_files"},
		{GIVEN_RETAIN, NULL, "retain_ms"},
		{GIVEN_READY, NULL, "ready"},
		{GIVEN_HEALTH, NULL, "health"},
		{GIVEN_WATCHDOG, NULL, "watchdog_ms"},
	};
	uint32_t given = 0;

	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
		const json_t *from =
			members[i].outer ? json_object_get(spec, members[i].outer) : spec;

		if (json_object_get(from, members[i].name))
			given |= members[i].bit;
	}
	return given;
}

/* What a spec and the defaults of a supervisor have in common. */
static void take_members(struct decoding *d, json_t *spec, struct spec_record *s)
{
	const json_t *logs = take_object(d, spec, "logs");

	s->env = take_env(d, spec);
	s->env_from = take_env_from(d, spec);
	if (json_object_get(spec, "env_files"))
		s->env_files = take_words(d, spec, "env_files", 0);
	s->cwd = copy_string(d, take_name(d, spec, "cwd", "/"));
	take_setup(d, spec, &s->setup);
	take_restart(d, spec, &s->restart);
	take_shutdown(d, spec, s);
	take_success(d, spec, s->success_exit);
	s->log_bytes_max = (uint64_t)take_int(d, logs, "max_bytes", 0, INT64_MAX, 10485760);
	s->log_files_max = (uint32_t)take_int(d, logs, "max_files", 1, UINT32_MAX, 3);
	s->retain_ms = take_int(d, spec, "retain_ms", 0, INT64_MAX, 0);
	decode_checks(d, spec, &s->checks);
	s->given = take_given(spec);
}

/* Of what another life begins with: how long the record is kept is told apart. */
static uint64_t hash_life(struct decoding *d, const json_t *spec, const char *raw, size_t bytes)
{
	struct text text = TEXT_INIT;
	uint64_t hash;

	if (!raw || !json_object_get(spec, "retain_ms"))
		return raw ? digest_content(raw, bytes) : 0;
	if (spec_life(spec, &text) != ERR_OK)
		d->no_memory = true;
	hash = digest_content(text.bytes ? text.bytes : "", text.used);
	text_fini(&text);
	return hash;
}

void decode_spec(
	struct decoding *d, const json_t *o, const char *json, size_t bytes, struct spec_record *s)
{
	json_t *spec = json_object_get(o, "spec");
	const char *desired = take_string(d, o, "desired");
	size_t raw_bytes = 0;
	const char *raw = json_member(json, bytes, "spec", &raw_bytes);

	if (!json_is_object(spec) || !raw)
		d->wrong = true;
	s->command = take_words(d, spec, "command", 1);
	take_members(d, spec, s);
	decode_claims(d, spec, &s->claims);
	decode_ports(d, spec, &s->ports);
	s->desired_running = strcmp(desired, "running") == 0;
	s->from_file = strcmp(take_name(d, o, "source", "api"), "file") == 0;
	if (!s->desired_running && strcmp(desired, "stopped") != 0)
		d->wrong = true;
	s->hash = d->wrong ? 0 : hash_life(d, spec, raw, raw_bytes);
	if (!d->no_memory)
		s->process_hash = spec_process_hash(s);
}

/* ---- the options of a supervisor ---- */

/* Its budget stands beside the other defaults: together they read like a spec. NULL: no memory. */
static json_t *defaults_of(const json_t *options)
{
	static const char *const budget[] = {"max_restarts", "max_seconds", "on_max_restarts"};
	json_t *given = json_object_get(options, "child_defaults");
	json_t *defaults = json_is_object(given) ? json_whole(json_copy(given), given)
						 : json_loads("{}", 0, NULL);

	for (size_t i = 0; defaults && i < sizeof(budget) / sizeof(budget[0]); i++) {
		json_t *value = json_object_get(options, budget[i]);

		if (value && json_object_set(defaults, budget[i], value) != 0) {
			json_decref(defaults);
			return NULL;
		}
	}
	return defaults;
}

void decode_supervisor(struct decoding *d, const json_t *o, struct supervisor_record *s)
{
	const json_t *options = take_object(d, o, "options");
	json_t *defaults = defaults_of(options);

	if (!defaults) {
		d->no_memory = true;
		return;
	}
	s->max_children = (uint32_t)take_int(d, options, "max_children", 1, UINT32_MAX, 0);
	s->max_children_per_node =
		(uint32_t)take_int(d, options, "max_children_per_node", 1, UINT32_MAX, 0);
	s->created_at_ms = take_int(d, o, "created_at", 0, INT64_MAX, 0);
	s->defaults.command = take_words(d, defaults, "arguments", 0);
	take_members(d, defaults, &s->defaults);
	json_decref(defaults);
}
