#include "server/node_inside.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/exec_users.h"
#include "server/log.h"

/*
 * A child sees what its spec says, what tells it who it is, and a PATH; nothing of the daemon's own
 * environment, where the secrets may be.
 */
#define DEFAULT_PATH "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define OWN_VARIABLES 9

struct environment {
	const char **items; /* the last is NULL */
	size_t count;
	char *own[OWN_VARIABLES]; /* to be freed */
	size_t own_count;
	bool failed;
	bool helper; /* of a helper of a child that runs */
};

static void add_own(struct environment *env, const char *name, const char *value, size_t bytes)
{
	char *item;

	if (asprintf(&item, "%s=%.*s", name, (int)bytes, value) < 0) {
		env->failed = true;
		return;
	}
	env->own[env->own_count++] = item;
	env->items[env->count++] = item;
}

/* True when `item` sets a variable that is there already. */
static bool is_set(const struct environment *env, const char *item)
{
	size_t name = strcspn(item, "=") + 1;

	for (size_t i = 0; i < env->own_count; i++)
		if (strncmp(env->own[i], item, name) == 0)
			return true;
	return false;
}

/* The variables of a spec, but for those of `over`, which says them better, and for our own. */
static void add_given(
	struct environment *env, const struct spec_record *from, const struct spec_record *over)
{
	for (char **item = from->env; item && *item; item++)
		if (!is_set(env, *item) && !(over && spec_sets(over, *item)))
			env->items[env->count++] = *item;
}

/* Where there is no room for one, the process runs without. */
static void add_run_dir(struct environment *env, const struct node *n, const struct action *a)
{
	struct spec_record s = spec_inherit(a->spec, a->defaults);
	uid_t uid = RUN_DIR_SAME;
	gid_t gid = RUN_DIR_SAME;
	char path[PATH_MAX];
	enum err e;

	if (env->helper) {
		if (!run_dir_path(n->run_dirs, a->ref, path))
			add_own(env, "HORDE_RUN_DIR", path, strlen(path));
		return;
	}
	/* One who is unknown has no start either. */
	if (s.setup.user && !exec_user_ids(s.setup.user, &uid, &gid))
		return;
	e = run_dir_make(n->run_dirs, a->ref, uid, gid, path);
	if (!e)
		add_own(env, "HORDE_RUN_DIR", path, strlen(path));
	else
		log_event(LOG_LEVEL_WARN, "run_dir.none", a->ref, "it runs without: %s",
			e == ERR_SYSTEM ? strerror(errno) : err_text(e));
}

/* sd_notify(3), sd_watchdog_enabled(3) */
static void add_notify(struct environment *env, const struct node *n, const struct action *a)
{
	struct spec_record s = spec_inherit(a->spec, a->defaults);
	const char *address = notify_address(n->notify);
	char usec[24];

	if (!checks_notify(&s.checks))
		return;
	add_own(env, "NOTIFY_SOCKET", address, strlen(address));
	snprintf(usec, sizeof usec, "%lld", (long long)s.checks.watchdog_ms * 1000);
	if (s.checks.watchdog_ms > 0)
		add_own(env, "WATCHDOG_USEC", usec, strlen(usec));
}

static void fill(struct environment *env, const struct node *n, const struct action *a)
{
	const char *slash = strchr(a->ref, '/');
	size_t supervisor = slash ? (size_t)(slash - a->ref) : strlen(a->ref);
	const char *child = slash ? slash + 1 : a->ref;
	char epoch[24];

	snprintf(epoch, sizeof epoch, "%llu", (unsigned long long)a->epoch);
	add_own(env, "HORDE_CHILD", child, strlen(child));
	add_own(env, "HORDE_CHILD_REF", a->ref, strlen(a->ref));
	add_own(env, "HORDE_SUPERVISOR", a->ref, supervisor);
	add_own(env, "HORDE_NODE", n->config.options->name, strlen(n->config.options->name));
	add_own(env, "HORDE_URL", n->config.local_url, strlen(n->config.local_url));
	add_own(env, "HORDE_EPOCH", epoch, strlen(epoch));
	add_run_dir(env, n, a);
	add_notify(env, n, a);
	if (a->defaults)
		add_given(env, a->defaults, a->spec);
	add_given(env, a->spec, NULL);
	if (!spec_sets(a->spec, DEFAULT_PATH) &&
		!(a->defaults && spec_sets(a->defaults, DEFAULT_PATH)))
		env->items[env->count++] = DEFAULT_PATH;
	env->items[env->count] = NULL;
}

static size_t count_of(char *const *words)
{
	size_t count = 0;

	while (words && words[count])
		count++;
	return count;
}

/* Its program, the arguments of its supervisor, and its own; NULL: no memory. */
static const char **words_of(const struct action *a)
{
	char *const *extra = a->defaults ? a->defaults->command : NULL;
	size_t more = count_of(extra), own = count_of(a->spec->command);
	const char **words = calloc(more + own + 1, sizeof *words);

	for (size_t i = 0; words && i < own; i++)
		words[i == 0 ? 0 : more + i] = a->spec->command[i];
	for (size_t i = 0; words && i < more; i++)
		words[1 + i] = extra[i];
	return words;
}

/* `helper` is the name of one, or NULL: it is the child itself. */
static enum err spawn(struct node *n, const struct action *a, const char *helper,
	const char *const *argv, const char *const *envp)
{
	struct spec_record s = spec_inherit(a->spec, a->defaults);
	enum err e = ERR_OK;
	struct process_spec spec = {
		.argv = argv,
		.envp = envp,
		.cwd = s.cwd,
		.setup = &s.setup,
		.log_bytes_max = s.log_bytes_max,
		.log_files_max = s.log_files_max,
		.quiet = helper != NULL,
	};

	if (s.setup.user && !exec_user_allowed(n->config.options, s.setup.user))
		return ERR_FORBIDDEN;
	if (helper)
		return processes_spawn(n->processes, helper, a->epoch, &spec);
	if (checks_notify(&s.checks))
		e = notify_expect(n->notify, a->ref, a->epoch);
	if (!e)
		e = processes_spawn(n->processes, a->ref, a->epoch, &spec);
	if (e)
		notify_failed(n->notify, a->ref, a->epoch);
	return e;
}

static enum err spawn_with_environment(
	struct node *n, const struct action *a, const char *helper, const char *const *argv)
{
	struct environment env = {.helper = helper != NULL};
	size_t given = count_of(a->spec->env) + (a->defaults ? count_of(a->defaults->env) : 0);
	enum err e = ERR_NO_MEMORY;

	/* Its own, the PATH and the end. */
	env.items = calloc(given + OWN_VARIABLES + 2, sizeof *env.items);
	if (env.items)
		fill(&env, n, a);
	if (argv && env.items && !env.failed)
		e = spawn(n, a, helper, argv, env.items);
	for (size_t i = 0; i < env.own_count; i++)
		free(env.own[i]);
	free(env.items);
	return e;
}

enum err node_spawn(struct node *n, const struct action *a)
{
	const char **argv = words_of(a);
	enum err e = spawn_with_environment(n, a, NULL, argv);

	free(argv);
	return e;
}

enum err node_spawn_helper(struct node *n, const struct action *a, const char *name)
{
	return spawn_with_environment(n, a, name, (const char *const *)a->probe->command);
}
