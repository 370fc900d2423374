/*
 * Every expected failure has one code. A function that can fail returns `enum err`, writes its
 * `ret_...` outputs only on success, and leaves its object unchanged otherwise.
 *
 * The list is an X-macro so that code and text cannot drift apart.
 */
#ifndef HORDE_CORE_ERR_H
#define HORDE_CORE_ERR_H

#define HORDE_ERRORS(X)                                                                            \
	X(OK, "no error")                                                                          \
	X(NO_MEMORY, "out of memory")                                                              \
	X(LIMIT, "a limit was reached")                                                            \
	X(MALFORMED, "malformed input")                                                            \
	X(IO, "input or output failed")                                                            \
	X(STORAGE_FULL, "no space left for the store")                                             \
	X(STORAGE_READ_ONLY, "the store cannot be written")                                        \
	X(STORAGE_CORRUPT, "the store is damaged")                                                 \
	X(STORAGE_VERSION, "the store was written by a newer version")                             \
	X(LOCKED, "the data directory is in use by another daemon")                                \
	X(NOT_FOUND, "not found")                                                                  \
	X(EXISTS, "exists already")                                                                \
	X(ETAG_MISMATCH, "the entry is not the expected one")                                      \
	X(ALREADY_REGISTERED, "the key has another owner")                                         \
	X(HELD_BACK, "the key's last owner ended a moment ago")                                    \
	X(NOT_OWNER, "the caller does not own the key")                                            \
	X(OWNER_UNKNOWN, "the owner does not exist")                                               \
	X(WRONG_STATE, "not possible in this state")                                               \
	X(FULL, "the supervisor has all the children that it may have")                            \
	X(ELSEWHERE, "another node must do it")                                                    \
	X(NO_MEMBER, "no other member may run it")                                                 \
	X(NOT_READY, "the node is not ready yet")                                                  \
	X(SHUTTING_DOWN, "the node is shutting down")                                              \
	X(CLUSTER_MISMATCH, "the peer belongs to another cluster")                                 \
	X(NAME_TAKEN, "somebody else has the name")                                                \
	X(PROTOCOL, "the peer speaks another protocol version")                                    \
	X(UNREACHABLE, "nobody answers there")                                                     \
	X(UNKNOWN_LINK, "the link is unknown: say hello first")                                    \
	X(STALE_EPOCH, "the child has a later assignment, or is gone")                             \
	X(AHEAD, "this node has not heard of that assignment yet")                                 \
	X(FORBIDDEN, "refused")                                                                    \
	X(SYSTEM, "a system call failed")

enum err {
#define X(code, text) ERR_##code,
	HORDE_ERRORS(X)
#undef X
		ERR_COUNT
};

/* A fixed English text for `e`; never NULL, not to be freed. */
const char *err_text(enum err e);

#endif
