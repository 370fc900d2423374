/* The operations on the cluster: getNode, listMembers, getMember, joinCluster, getConvergence. */
#ifndef HORDE_API_CLUSTER_H
#define HORDE_API_CLUSTER_H

#include "api/http.h"

extern const struct binding cluster_bindings[];

/* In files of their own; bound with the others. */
void join_cluster(struct exchange *x);
void get_convergence(struct exchange *x);

#endif
