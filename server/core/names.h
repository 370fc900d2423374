/*
 * The words that records use for states, reasons and kinds, as the contract spells them. The lists
 * are X-macros, so that value and word cannot drift apart.
 */
#ifndef HORDE_CORE_NAMES_H
#define HORDE_CORE_NAMES_H

#define MEMBER_STATES(X)                                                                           \
	X(JOINING, "joining") X(ALIVE, "alive") X(DRAINING, "draining") X(LEFT, "left")
#define RESTART_TYPES(X)                                                                           \
	X(PERMANENT, "permanent") X(TRANSIENT, "transient") X(TEMPORARY, "temporary")
#define MAX_RESTARTS_POLICIES(X)                                                                   \
	X(BACKOFF, "backoff")                                                                      \
	X(FAIL_CHILD, "fail_child")                                                                \
	X(RESCHEDULE, "reschedule") X(STOP_SUPERVISOR, "stop_supervisor")
#define CHILD_STATES(X)                                                                            \
	X(PENDING, "pending")                                                                      \
	X(STARTING, "starting")                                                                    \
	X(RUNNING, "running")                                                                      \
	X(BACKOFF, "backoff") X(STOPPING, "stopping") X(STOPPED, "stopped") X(EXITED, "exited")    \
		X(FAILED, "failed") X(LOST, "lost")
#define REASONS(X)                                                                                 \
	X(NONE, "none")                                                                            \
	X(EXIT, "exit")                                                                            \
	X(SIGNAL, "signal")                                                                        \
	X(SPAWN_ERROR, "spawn_error") X(MAX_RESTARTS, "max_restarts") X(CONFLICT, "conflict")      \
		X(NAME_CONFLICT, "name_conflict") X(TERMINATED, "terminated")                      \
			X(NODE_DEAD, "node_dead") X(INVALID_SPEC, "invalid_spec")                  \
				X(NO_ELIGIBLE_MEMBER, "no_eligible_member")                \
					X(MOVE, "move")                                    \
	X(START_TIMEOUT, "start_timeout") X(HEALTH, "health") X(DECLINED, "declined")
#define CHECK_KINDS(X)                                                                             \
	X(NONE, "none") X(NOTIFY, "notify") X(TCP, "tcp") X(HTTP, "http") X(EXEC, "exec")
#define OWNER_KINDS(X) X(CHILD, "child") X(STATIC, "static") X(LEASE, "lease")
#define TAKEN_RULES(X) X(FAIL, "fail") X(WAIT, "wait") X(RUN, "run")
#define KEY_RULES(X) X(UNIQUE, "unique") X(DUPLICATE, "duplicate")
#define CONFLICT_RULES(X) X(LAST, "last_write_wins") X(FIRST, "first_write_wins")

/* Why a process is told to end; what it finds in its stop_reason. */
#define STOP_REASONS(X)                                                                            \
	X(DELETED, "deleted")                                                                      \
	X(STOPPED, "stopped")                                                                      \
	X(REPLACED, "replaced")                                                                    \
	X(RESTART, "restart")                                                                      \
	X(MOVE, "move")                                                                            \
	X(CONFLICT, "conflict") X(NODE_RESTART, "node_restart") X(NODE_LEAVE, "node_leave")         \
	X(START_TIMEOUT, "start_timeout") X(HEALTH, "health") X(NAME_CONFLICT, "name_conflict")

/* Each list above becomes `enum <name>`, its count, a name function and a lookup by name. */
#define ENUM_ITEM_MEMBER(c, t) MEMBER_##c,
#define ENUM_ITEM_RESTART(c, t) RESTART_##c,
#define ENUM_ITEM_POLICY(c, t) POLICY_##c,
#define ENUM_ITEM_CHILD(c, t) CHILD_##c,
#define ENUM_ITEM_REASON(c, t) REASON_##c,
#define ENUM_ITEM_CHECK(c, t) CHECK_##c,
#define ENUM_ITEM_OWNER(c, t) OWNER_##c,
#define ENUM_ITEM_STOP(c, t) STOP_##c,
#define ENUM_ITEM_KEYS(c, t) KEYS_##c,
#define ENUM_ITEM_WINS(c, t) WINS_##c,
#define ENUM_ITEM_TAKEN(c, t) TAKEN_##c,
enum member_state { MEMBER_STATES(ENUM_ITEM_MEMBER) MEMBER_STATE_COUNT };
enum restart_type { RESTART_TYPES(ENUM_ITEM_RESTART) RESTART_TYPE_COUNT };
enum max_restarts_policy { MAX_RESTARTS_POLICIES(ENUM_ITEM_POLICY) POLICY_COUNT };
enum child_state { CHILD_STATES(ENUM_ITEM_CHILD) CHILD_STATE_COUNT };
enum reason { REASONS(ENUM_ITEM_REASON) REASON_COUNT };
enum check_kind { CHECK_KINDS(ENUM_ITEM_CHECK) CHECK_KIND_COUNT };
enum owner_kind { OWNER_KINDS(ENUM_ITEM_OWNER) OWNER_KIND_COUNT };
enum stop_reason { STOP_REASONS(ENUM_ITEM_STOP) STOP_REASON_COUNT };
enum key_rule { KEY_RULES(ENUM_ITEM_KEYS) KEY_RULE_COUNT };
enum taken_rule { TAKEN_RULES(ENUM_ITEM_TAKEN) TAKEN_RULE_COUNT };
enum conflict_rule { CONFLICT_RULES(ENUM_ITEM_WINS) CONFLICT_RULE_COUNT };

const char *member_state_name(enum member_state s);
const char *restart_type_name(enum restart_type t);
const char *max_restarts_policy_name(enum max_restarts_policy p);
const char *child_state_name(enum child_state s);
const char *reason_name(enum reason r);
const char *check_kind_name(enum check_kind k);
const char *owner_kind_name(enum owner_kind k);
const char *stop_reason_name(enum stop_reason r);
const char *key_rule_name(enum key_rule r);
const char *taken_rule_name(enum taken_rule r);
const char *conflict_rule_name(enum conflict_rule r);
/* The value of a name, or the COUNT of that enum when there is none. */
enum member_state member_state_from(const char *name);
enum restart_type restart_type_from(const char *name);
enum max_restarts_policy max_restarts_policy_from(const char *name);
enum child_state child_state_from(const char *name);
enum reason reason_from(const char *name);
enum check_kind check_kind_from(const char *name);
enum owner_kind owner_kind_from(const char *name);
enum stop_reason stop_reason_from(const char *name);
enum key_rule key_rule_from(const char *name);
enum taken_rule taken_rule_from(const char *name);
enum conflict_rule conflict_rule_from(const char *name);

#endif
