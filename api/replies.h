/* Replies kept in the replicated map (once.h). */
#ifndef HORDE_API_REPLIES_H
#define HORDE_API_REPLIES_H

#include "api/once.h"

/* Its service is a struct service (service.h). */
extern const struct reply_keeper replies_keeper;

#endif
