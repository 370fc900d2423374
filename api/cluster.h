/* The operations on the cluster: getNode, listMembers, getMember, joinCluster. */
#ifndef HORDE_API_CLUSTER_H
#define HORDE_API_CLUSTER_H

#include "api/http.h"

extern const struct binding cluster_bindings[];

void join_cluster(struct exchange *x); /* in join.c; bound with the others */

#endif
