#include "server/node_inside.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * A child sees what its spec says, what tells it who it is, and a PATH; nothing of the daemon's own
 * environment, where the secrets may be.
 */
#define DEFAULT_PATH "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define OWN_VARIABLES 6

struct environment {
	const char **items; /* the last is NULL */
	size_t count;
	char *own[OWN_VARIABLES]; /* to be freed */
	size_t own_count;
	bool failed;
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

static void fill(struct environment *env, const struct node *n, const struct action *a)
{
	const char *slash = strchr(a->ref, '/');
	size_t supervisor = slash ? (size_t)(slash - a->ref) : strlen(a->ref);
	const char *child = slash ? slash + 1 : a->ref;
	char epoch[24];
	bool path = false;

	snprintf(epoch, sizeof epoch, "%llu", (unsigned long long)a->epoch);
	add_own(env, "HORDE_CHILD", child, strlen(child));
	add_own(env, "HORDE_CHILD_REF", a->ref, strlen(a->ref));
	add_own(env, "HORDE_SUPERVISOR", a->ref, supervisor);
	add_own(env, "HORDE_NODE", n->config.options->name, strlen(n->config.options->name));
	add_own(env, "HORDE_URL", n->config.local_url, strlen(n->config.local_url));
	add_own(env, "HORDE_EPOCH", epoch, strlen(epoch));
	for (char **item = a->spec->env; item && *item; item++) {
		path = path || strncmp(*item, "PATH=", 5) == 0;
		if (!is_set(env, *item))
			env->items[env->count++] = *item;
	}
	if (!path)
		env->items[env->count++] = DEFAULT_PATH;
	env->items[env->count] = NULL;
}

enum err node_spawn(struct node *n, const struct action *a)
{
	struct environment env = {0};
	struct process_spec spec = {
		.argv = (const char *const *)a->spec->command,
		.cwd = a->spec->cwd,
		.log_bytes_max = a->spec->log_bytes_max,
		.log_files_max = a->spec->log_files_max,
	};
	size_t given = 0;
	enum err e = ERR_NO_MEMORY;

	while (a->spec->env && a->spec->env[given])
		given++;
	/* Its own, the PATH and the end. */
	env.items = calloc(given + OWN_VARIABLES + 2, sizeof *env.items);
	if (!env.items)
		return ERR_NO_MEMORY;
	fill(&env, n, a);
	spec.envp = env.items;
	if (!env.failed)
		e = processes_spawn(n->processes, a->ref, a->epoch, &spec);
	for (size_t i = 0; i < env.own_count; i++)
		free(env.own[i]);
	free(env.items);
	return e;
}
