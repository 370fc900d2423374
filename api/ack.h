/*
 * How far a write has to come before it is answered: `?ack=` (replication.md part 6, "Acks").
 *
 *	memory    applied at this node; visible here, and sent to the others
 *	disk      on this node's disk
 *	one       and on the disk of one other member
 *	majority  on the disks of more than half of the configured members, this one among them
 *	all       on the disks of all of them
 *
 * Members that are down count as members: else a partition would make its own majority. A node that
 * is alone is the majority and all; `one` asks for another one, so there it is never reached.
 */
#ifndef HORDE_API_ACK_H
#define HORDE_API_ACK_H

#include <stdbool.h>
#include <stddef.h>

enum ack { ACK_MEMORY, ACK_DISK, ACK_ONE, ACK_MAJORITY, ACK_ALL };

/* Of the query's text; NULL is the default, ACK_DISK. Asserts that it is one of the contract's. */
enum ack ack_from(const char *text);
const char *ack_name(enum ack a);
/* Other members have to have it too; this node's disk alone is not enough. */
bool ack_of_others(enum ack a);
/* On how many disks of `members` it has to be, this node's included. At least 1 but for MEMORY. */
size_t ack_needs(enum ack a, size_t members);

#endif
