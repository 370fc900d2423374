/* The operations on the cluster, in two tables. */
#ifndef HORDE_API_CLUSTER_H
#define HORDE_API_CLUSTER_H

#include "api/http.h"

extern const struct binding cluster_bindings[]; /* getNode, listMembers, getMember */
extern const struct binding join_bindings[];    /* joinCluster */

#endif
