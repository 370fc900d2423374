/*
 * The users that children of this node may run as: the daemon's own, and those that its options
 * name (--exec-user). A spec may ask for anybody; the node that runs it decides.
 */
#ifndef HORDE_EXEC_USERS_H
#define HORDE_EXEC_USERS_H

#include <stdbool.h>
#include <sys/types.h>

#include "server/options.h"

bool exec_user_allowed(const struct options *o, const char *user);
/* The user's id and first group, from the system's database; false when there is none. */
bool exec_user_ids(const char *user, uid_t *ret_uid, gid_t *ret_gid);
/*
 * Other users may pass through the data directory to the run directories of their processes; they
 * see and read nothing else there. Nothing changes when the options name nobody.
 */
void exec_users_let_through(const struct options *o);

#endif
