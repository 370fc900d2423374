#include "server/exec_users.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/log.h"

/* The name of the user that the daemon runs as; "" when it has none. */
static const char *own_user(void)
{
	static char name[256];
	const struct passwd *entry = name[0] ? NULL : getpwuid(geteuid());

	if (entry)
		snprintf(name, sizeof name, "%s", entry->pw_name);
	return name;
}

bool exec_user_allowed(const struct options *o, const char *user)
{
	for (size_t i = 0; i < o->exec_user.count; i++)
		if (strcmp(o->exec_user.items[i], user) == 0)
			return true;
	return strcmp(own_user(), user) == 0;
}

bool exec_user_ids(const char *user, uid_t *ret_uid, gid_t *ret_gid)
{
	const struct passwd *entry = getpwnam(user);

	if (!entry)
		return false;
	*ret_uid = entry->pw_uid;
	*ret_gid = entry->pw_gid;
	return true;
}

void exec_users_let_through(const struct options *o)
{
	struct stat s;

	if (o->exec_user.count == 0)
		return;
	if (stat(o->data_dir, &s) < 0 || chmod(o->data_dir, (s.st_mode & 07777) | 0111) < 0)
		log_event(LOG_LEVEL_WARN, "data_dir.closed", o->data_dir,
			"other users cannot reach their run directories: %s", strerror(errno));
}
