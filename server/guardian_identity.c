/* Who a child is to be: names looked up in the system's databases (getpwnam, getgrouplist). */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <unistd.h>

#include "server/guardian_spawn.h"

static bool refuse(struct guardian_spawn *s, enum wire_step step, int error)
{
	s->step = step;
	s->error = error;
	return false;
}

/* Some systems say "no such name" by an errno of their own choice; see getpwnam(3). */
static int why_not_found(void)
{
	return errno == EIO || errno == EMFILE || errno == ENFILE || errno == ENOMEM ? errno
										     : ENOENT;
}

static bool is_member(const struct guardian_identity *i, gid_t gid)
{
	for (int k = 0; k < i->group_count; k++)
		if (i->groups[k] == gid)
			return true;
	return false;
}

static bool find_user(struct guardian_spawn *s)
{
	struct guardian_identity *i = &s->identity;
	errno = 0;
	const struct passwd *entry = getpwnam(s->spec->user);
	if (!entry)
		return refuse(s, WIRE_STEP_USER, why_not_found());
	i->user = i->group = true;
	i->uid = entry->pw_uid;
	i->gid = entry->pw_gid;
	i->group_count = GUARDIAN_GROUPS_MAX;
	if (getgrouplist(s->spec->user, entry->pw_gid, i->groups, &i->group_count) < 0)
		return refuse(s, WIRE_STEP_GROUP, E2BIG);
	return true;
}

/* A user is given no group that it has not: that would be more than the node allows it. */
static bool find_group(struct guardian_spawn *s)
{
	struct guardian_identity *i = &s->identity;
	errno = 0;
	const struct group *entry = getgrnam(s->spec->group);
	if (!entry)
		return refuse(s, WIRE_STEP_GROUP, why_not_found());
	if (i->user && i->uid != 0 && !is_member(i, entry->gr_gid))
		return refuse(s, WIRE_STEP_GROUP, EPERM);
	i->group = true;
	i->gid = entry->gr_gid;
	return true;
}

bool guardian_identify(struct guardian_spawn *s)
{
	s->identity.user = s->identity.group = false;
	if (s->spec->user[0] && !find_user(s))
		return false;
	return !s->spec->group[0] || find_group(s);
}
