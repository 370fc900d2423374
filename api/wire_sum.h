/* The checksum of a body on the wire: XXH64, at once or in pieces. Only the wire includes this. */
#ifndef HORDE_API_WIRE_SUM_H
#define HORDE_API_WIRE_SUM_H

#define XXH_INLINE_ALL
#include <xxhash.h>

#define WIRE_SUM_SEED 0

#endif
