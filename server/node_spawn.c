#include "server/node_inside.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/child_token.h"
#include "server/environment.h"
#include "server/exec_users.h"
#include "server/core/expand.h"
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

const char *node_child_key(const struct node *n, char room[CHILD_KEY_BYTES_MAX])
{
	if (n->config.options->secret)
		return n->config.options->secret;
	origin_to_hex(n->cluster_id, room);
	return room;
}

/* A process without it can do its work, but not prove who it is. */
static void add_token(struct start *s)
{
	char key[CHILD_KEY_BYTES_MAX], token[CHILD_TOKEN_BYTES_MAX];
	enum err e = child_token_make(node_child_key(s->n, key), s->a->ref, s->a->epoch, token);

	if (!e)
		environment_add(&s->env, "HORDE_CHILD_TOKEN", token, strlen(token));
	else
		log_event(LOG_LEVEL_WARN, "child_token.none", s->a->ref, "%s", err_text(e));
}

#define RUN_DIR "HORDE_RUN_DIR="

/* Its own directory is told of only when it has one. */
static void add_own(struct start *s)
{
	char path[PATH_MAX];

	for (char *const *item = s->a->identity; item && *item; item++)
		if (strncmp(*item, RUN_DIR, strlen(RUN_DIR)) != 0)
			environment_add_item(&s->env, *item);
	add_token(s);
	if (!s->helper)
		make_run_dir(s);
	else if (!run_dir_path(s->n->run_dirs, s->a->ref, path))
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

/* What `text` says of this start, the caller's to free; NULL: no memory. */
static char *meant(struct start *s, const char *text)
{
	struct text out = TEXT_INIT;
	char *made;

	if (!expand(text, s->env.items, false, &out))
		environment_unknown(&s->env, text);
	made = text_take(&out);
	s->env.failed = s->env.failed || !made;
	return made;
}

/* Its program, the arguments of its supervisor, and its own, as they are; NULL: no memory. */
static char **words_of(const struct action *a)
{
	char *const *extra = a->defaults ? a->defaults->command : NULL;
	size_t more = count_of(extra), own = count_of(a->spec->command);
	char **words = calloc(more + own + 1, sizeof *words);

	for (size_t i = 0; words && i < own; i++)
		words[i == 0 ? 0 : more + i] = a->spec->command[i];
	for (size_t i = 0; words && i < more; i++)
		words[1 + i] = extra[i];
	return words;
}

static char **helper_words_of(const struct action *a)
{
	size_t count = count_of(a->probe->command);
	char **words = calloc(count + 1, sizeof *words);

	if (words)
		memcpy(words, a->probe->command, count * sizeof *words);
	return words;
}

/* Each becomes a text of its own. */
static void mean_all(struct start *s, char **words)
{
	for (; *words && !s->env.failed; words++)
		*words = meant(s, *words);
	*words = NULL; /* what was not come to is not its own */
}

static void words_free(char **words)
{
	for (char **w = words; w && *w; w++)
		free(*w);
	free(words);
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

static bool is_allowed(const struct start *s)
{
	const char *user = s->spec.setup.user;

	return !user || exec_user_allowed(s->n->config.options, user);
}

/* `words` are its own from here on. */
static enum err prepared(struct start *s, char **words)
{
	char *cwd;
	enum err e;

	fill(s);
	mean_all(s, words);
	cwd = meant(s, s->spec.cwd);
	s->spec.cwd = cwd;
	e = s->env.failed     ? ERR_NO_MEMORY
	    : s->env.error[0] ? ERR_SYSTEM
			      : spawn(s, (const char *const *)words);
	free(cwd);
	words_free(words);
	return e;
}

static enum err start(struct start *s, char **words, char ret_error[ERROR_BYTES_MAX])
{
	enum err e;

	if (words && is_allowed(s)) {
		e = prepared(s, words);
	} else {
		e = words ? ERR_FORBIDDEN : ERR_NO_MEMORY;
		free(words);
	}
	if (e)
		snprintf(ret_error, ERROR_BYTES_MAX, "%s", e == ERR_SYSTEM ? s->env.error : why(e));
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

	return start(&s, words_of(a), ret_error);
}

enum err node_spawn_helper(struct node *n, const struct action *a, const char *name)
{
	struct start s = start_of(n, a, name);
	char error[ERROR_BYTES_MAX];

	return start(&s, helper_words_of(a), error);
}
