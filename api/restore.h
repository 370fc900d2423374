/* Waiting for jobs on snapshots, and why they fail: what snapshots.c and restore.c share. */
#ifndef HORDE_API_RESTORE_H
#define HORDE_API_RESTORE_H

#include "api/resource.h"

/* How long a job on a snapshot may take before the reply says that it is not done yet. */
#define SNAPSHOT_JOB_MS_MAX (10 * 60 * 1000)

/* True once the job has ended well. False: parked until it ends, or its problem was answered. */
bool snapshot_job_done(struct exchange *x, const struct snapshots_job *job);
/* Answers the failure of a job, or of its beginning. */
void snapshot_fail(struct exchange *x, enum err e);

#endif
