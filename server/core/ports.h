/*
 * The ports of a child: what its spec asks for by name, and the numbers that its process has. A
 * port without a number gets one of the node's range, the same again at each start on that node.
 *
 * Numbers are given by looking at what the children of this node have at that moment; nothing is
 * counted beside that, so nothing can leak. Whether a stranger has a port is seen by the shell,
 * just before the start.
 */
#ifndef HORDE_CORE_PORTS_H
#define HORDE_CORE_PORTS_H

#include <stdbool.h>
#include <stdint.h>

#define PORTS_MAX 16           /* of one spec */
#define PORT_NAME_BYTES_MAX 32 /* without its NUL */
/* Where a node takes them from unless told otherwise: below what the kernel gives to clients. */
#define PORT_FIRST 20000
#define PORT_LAST 31999

struct port {
	char name[PORT_NAME_BYTES_MAX + 1];
	uint16_t number; /* 0: the node gives it one */
};

struct ports { /* all zero: none */
	struct port *items;
	uint32_t count;
};

void ports_fini(struct ports *p);
/* A copy for the caller's ports_fini; false without memory. */
bool ports_dup(const struct ports *p, struct ports *ret_copy);
/* One more, by a name that is cut to fit; false without memory, or beyond PORTS_MAX. */
bool ports_add(struct ports *p, const char *name, uint16_t number);
/* The number by that name; 0: there is none. `p` may be all zero. */
uint16_t ports_number(const struct ports *p, const char *name);
/* The one with that number, or NULL. */
struct port *ports_with(const struct ports *p, uint16_t number);
/* Some of them have a number. */
bool ports_fixed(const struct ports *p);
/* Both ask for one number. */
bool ports_clash(const struct ports *a, const struct ports *b);
/* `hash` with what is asked for mixed into it; as it was, when nothing is. */
uint64_t ports_mix(uint64_t hash, const struct ports *p);

#define PORT_SET_BYTES (65536 / 8)
struct port_set { /* a bit for each number */
	uint8_t bits[PORT_SET_BYTES];
};

void port_set_add(struct port_set *s, uint16_t number);
void port_set_add_all(struct port_set *s, const struct ports *p);
bool port_set_has(const struct port_set *s, uint16_t number);
/* The first one from `start` on, round the range, that is not in the set; 0: all are. */
uint16_t port_set_free(const struct port_set *s, uint16_t first, uint16_t last, uint16_t start);

#endif
