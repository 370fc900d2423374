/*
 * What a node does about a child that its own configuration file declares, or declared.
 *
 * A node remembers the digest of what its own file last said of each child, and acts only where
 * that changed: so nodes with different versions of the file do not roll each other back, and what
 * the API did since stands until the file says something new. Each node judges its own file alone.
 */
#ifndef HORDE_CORE_DECLARED_H
#define HORDE_CORE_DECLARED_H

#include <stdbool.h>

enum declared_act {
	DECLARED_NOTHING,
	DECLARED_PUT,      /* write the spec, then remember the digest */
	DECLARED_REMEMBER, /* the spec is as the file says: only remember the digest */
	DECLARED_DELETE,   /* remove the spec, then forget the child */
	DECLARED_FORGET,   /* somebody else's by now, or gone: only forget the child */
};

struct declared_view {
	const char *digest;     /* of what the file says; NULL: it does not name the child */
	const char *remembered; /* NULL: the file has never named it, or it was forgotten */
	bool present;           /* there is a spec */
	bool equal;             /* and it is what the file says */
	bool from_file;         /* and it came from a file, and nobody has put another since */
};

enum declared_act declared_decide(const struct declared_view *v);

#endif
