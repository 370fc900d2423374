#include "server/node_inside.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/environment.h"
#include "server/exec_users.h"
#include "server/log.h"

/* What is made for one start, or for a helper of a child that runs. */
struct start {
	struct node *n;
	const struct action *a;
	struct spec_record spec; /* with what it inherits */
	const char *helper;      /* its name, or NULL: it is the child itself */
	struct environment env;
};

static void add_run_dir(struct start *s, const char *path)
{
	environment_add(&s->env, "HORDE_RUN_DIR", path, strlen(path));
}

/* Where there is no room for one, the process runs without. */
static void make_run_dir(struct start *s)
{
	uid_t uid = RUN_DIR_SAME;
	gid_t gid = RUN_DIR_SAME;
	char path[PATH_MAX];
	enum err e;

	/* One who is unknown has no start either. */
	if (s->spec.setup.user && !exec_user_ids(s->spec.setup.user, &uid, &gid))
		return;
	e = run_dir_make(s->n->run_dirs, s->a->ref, uid, gid, path);
	if (!e)
		add_run_dir(s, path);
	else
		log_event(LOG_LEVEL_WARN, "run_dir.none", s->a->ref, "it runs without: %s",
			e == ERR_SYSTEM ? strerror(errno) : err_text(e));
}

/* sd_notify(3), sd_watchdog_enabled(3) */
static void add_notify(struct start *s)
{
	const char *address = notify_address(s->n->notify);
	char usec[24];

	if (!checks_notify(&s->spec.checks))
		return;
	environment_add(&s->env, "NOTIFY_SOCKET", address, strlen(address));
	snprintf(usec, sizeof usec, "%lld", (long long)s->spec.checks.watchdog_ms * 1000);
	if (s->spec.checks.watchdog_ms > 0)
		environment_add(&s->env, "WATCHDOG_USEC", usec, strlen(usec));
}

static void add_own(struct start *s)
{
	const struct node *n = s->n;
	const char *ref = s->a->ref, *slash = strchr(ref, '/');
	size_t supervisor = slash ? (size_t)(slash - ref) : strlen(ref);
	const char *child = slash ? slash + 1 : ref;
	char epoch[24], path[PATH_MAX];

	snprintf(epoch, sizeof epoch, "%llu", (unsigned long long)s->a->epoch);
	environment_add(&s->env, "HORDE_CHILD", child, strlen(child));
	environment_add(&s->env, "HORDE_CHILD_REF", ref, strlen(ref));
	environment_add(&s->env, "HORDE_SUPERVISOR", ref, supervisor);
	environment_add(
		&s->env, "HORDE_NODE", n->config.options->name, strlen(n->config.options->name));
	environment_add(&s->env, "HORDE_URL", n->config.local_url, strlen(n->config.local_url));
	environment_add(&s->env, "HORDE_EPOCH", epoch, strlen(epoch));
	if (!s->helper)
		make_run_dir(s);
	else if (!run_dir_path(n->run_dirs, ref, path))
		add_run_dir(s, path);
	add_notify(s);
}

/* Its own words come before those of its supervisor, and these before the node's. */
static void fill(struct start *s)
{
	const struct options *o = s->n->config.options;

	add_own(s);
	environment_add_spec(&s->env, s->a->spec, &o->secrets_dir);
	if (s->a->defaults)
		environment_add_spec(&s->env, s->a->defaults, &o->secrets_dir);
	environment_add_node(&s->env, o);
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

static enum err spawn(struct start *s, const char *const *argv)
{
	const struct action *a = s->a;
	struct node *n = s->n;
	enum err e = ERR_OK;
	struct process_spec spec = {
		.argv = argv,
		.envp = (const char *const *)s->env.items,
		.cwd = s->spec.cwd,
		.setup = &s->spec.setup,
		.log_bytes_max = s->spec.log_bytes_max,
		.log_files_max = s->spec.log_files_max,
		.quiet = s->helper != NULL,
	};

	if (s->helper)
		return processes_spawn(n->processes, s->helper, a->epoch, &spec);
	if (checks_notify(&s->spec.checks))
		e = notify_expect(n->notify, a->ref, a->epoch);
	if (!e)
		e = processes_spawn(n->processes, a->ref, a->epoch, &spec);
	if (e)
		notify_failed(n->notify, a->ref, a->epoch);
	return e;
}

static const char *why(enum err e)
{
	return e == ERR_NO_MEMORY   ? "request: ENOMEM"
	       : e == ERR_LIMIT     ? "request: EAGAIN"
	       : e == ERR_EXISTS    ? "request: EEXIST"
	       : e == ERR_FORBIDDEN ? "user: EPERM"
				    : "request: EINVAL";
}

static enum err start(struct start *s, const char *const *argv, char ret_error[ERROR_BYTES_MAX])
{
	const char *user = s->spec.setup.user;
	enum err e = ERR_NO_MEMORY;

	if (user && !exec_user_allowed(s->n->config.options, user))
		e = ERR_FORBIDDEN;
	else
		fill(s);
	if (e == ERR_NO_MEMORY && argv && !s->env.failed)
		e = s->env.error[0] ? ERR_SYSTEM : spawn(s, argv);
	if (e)
		snprintf(ret_error, ERROR_BYTES_MAX, "%s",
			s->env.error[0] && e == ERR_SYSTEM ? s->env.error : why(e));
	environment_fini(&s->env);
	return e;
}

static struct start start_of(struct node *n, const struct action *a, const char *helper)
{
	return (struct start){
		.n = n, .a = a, .spec = spec_inherit(a->spec, a->defaults), .helper = helper};
}

enum err node_spawn(struct node *n, const struct action *a, char ret_error[ERROR_BYTES_MAX])
{
	struct start s = start_of(n, a, NULL);
	const char **argv = words_of(a);
	enum err e = start(&s, argv, ret_error);

	free(argv);
	return e;
}

enum err node_spawn_helper(struct node *n, const struct action *a, const char *name)
{
	struct start s = start_of(n, a, name);
	char error[ERROR_BYTES_MAX];

	return start(&s, (const char *const *)a->probe->command, error);
}
