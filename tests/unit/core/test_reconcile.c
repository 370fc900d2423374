#include <criterion/criterion.h>

#include "server/core/reconcile.h"

#define BITS 19
#define SITUATIONS ((1u << BITS) * ASSIGNED_COUNT * PROCESS_STATES)

/* The n-th of all situations. */
static struct situation situation(unsigned n)
{
	struct situation s = {0};
	bool *const flags[BITS] = {&s.node_stopping, &s.synced, &s.spec, &s.spec_invalid, &s.wanted,
		&s.temporary, &s.assign_stored, &s.records, &s.records_ours, &s.finished,
		&s.planned_here, &s.resolvable, &s.process_current, &s.process_epoch, &s.due,
		&s.status_right, &s.contested, &s.turn, &s.expired};

	for (int i = 0; i < BITS; i++)
		*flags[i] = n >> i & 1;
	s.assigned = (enum assigned)((n >> BITS) % ASSIGNED_COUNT);
	s.process = (enum process_state)((n >> BITS) / ASSIGNED_COUNT);
	return s;
}

static bool up(const struct situation *s)
{
	return s->process == PROCESS_STARTING || s->process == PROCESS_RUNNING;
}

static bool is_stop(enum decision d)
{
	return d == DECISION_STOP_TERMINATED || d == DECISION_STOP_REPLACED ||
	       d == DECISION_STOP_CONFLICT;
}

static bool writes(enum decision d)
{
	return d == DECISION_CLEAR || d == DECISION_EXPIRE || d == DECISION_ADOPT ||
	       d == DECISION_TAKE || d == DECISION_FINISH_DEAD || d == DECISION_WRITE_STATUS ||
	       d == DECISION_RESOLVE;
}

/* Runs `body` with `s` and `d` for every situation there is. */
#define FOR_ALL(body)                                                                              \
	for (unsigned n = 0; n < SITUATIONS; n++) {                                                \
		const struct situation s = situation(n);                                           \
		const enum decision d = reconcile(&s);                                             \
		body                                                                               \
	}
#define HOLDS(condition) cr_assert(condition, "situation %#x, decision %d", n, d)

Test(reconcile, a_process_starts_only_where_it_is_assigned_stored_and_wanted){FOR_ALL({
	if (d == DECISION_START)
		HOLDS(s.assigned == ASSIGNED_HERE && s.assign_stored && s.synced && s.spec &&
			s.wanted && !s.spec_invalid && !s.finished && s.due && !s.contested &&
			s.turn && s.process == PROCESS_NONE && !s.node_stopping);
})}

Test(reconcile, what_may_start_does_start){FOR_ALL({
	if (!s.node_stopping && s.synced && s.spec && !s.spec_invalid && s.wanted && s.due &&
		s.assigned == ASSIGNED_HERE && s.assign_stored && !s.finished && !s.contested &&
		s.process == PROCESS_NONE && s.turn)
		HOLDS(d == DECISION_START);
})}

Test(reconcile, a_spec_is_removed_only_when_its_child_has_finished_and_was_kept_long_enough){
	FOR_ALL({
		if (d == DECISION_EXPIRE)
			HOLDS(s.expired && s.finished && s.process == PROCESS_NONE && s.spec &&
				s.wanted && s.synced && !s.node_stopping);
		else if (s.expired && s.finished && s.process == PROCESS_NONE && s.spec && s.wanted)
			HOLDS(!s.synced || s.node_stopping);
	})}

Test(reconcile, a_process_is_stopped_only_while_it_is_up){FOR_ALL({
	if (is_stop(d))
		HOLDS(up(&s));
	if (s.process == PROCESS_STOPPING)
		HOLDS(d == DECISION_NOTHING);
})}

Test(reconcile, no_process_survives_an_absent_spec_an_undesired_one_or_the_node_s_end){FOR_ALL({
	if (up(&s) && s.synced && (!s.spec || !s.wanted))
		HOLDS(d == DECISION_STOP_TERMINATED);
	if (up(&s) && s.node_stopping)
		HOLDS(d == DECISION_STOP_TERMINATED);
})}

Test(reconcile, no_process_is_kept_without_an_assign_that_names_this_node){FOR_ALL({
	if (up(&s) && s.synced && s.assigned != ASSIGNED_HERE)
		HOLDS(is_stop(d));
})}

Test(reconcile, a_process_that_is_right_is_left_alone){FOR_ALL({
	if (!s.node_stopping && s.spec && s.wanted && s.assigned == ASSIGNED_HERE &&
		s.process_current)
		HOLDS(!is_stop(d));
})}

Test(reconcile, nothing_is_written_before_the_first_sync_nor_by_a_stopping_node){FOR_ALL({
	if (!s.synced || s.node_stopping)
		HOLDS(!writes(d) && d != DECISION_START && d != DECISION_RELABEL);
})}

Test(reconcile, only_the_assigned_node_writes_status){FOR_ALL({
	if (d == DECISION_WRITE_STATUS)
		HOLDS(s.assigned == ASSIGNED_HERE && s.spec && !s.status_right);
	if (d == DECISION_FINISH_DEAD)
		HOLDS(s.assigned == ASSIGNED_GONE || s.assigned == ASSIGNED_FORMERLY);
})}

Test(reconcile, records_are_cleared_only_without_spec_and_process){FOR_ALL({
	if (d == DECISION_CLEAR)
		HOLDS(!s.spec && s.process == PROCESS_NONE && s.records && s.records_ours);
	if (!s.spec)
		HOLDS(d == DECISION_NOTHING || d == DECISION_CLEAR ||
			d == DECISION_STOP_TERMINATED);
})}

Test(reconcile, only_a_planned_orphan_is_taken_and_a_temporary_one_never_started){FOR_ALL({
	if (d == DECISION_TAKE)
		HOLDS(s.planned_here && is_orphan(&s) && s.process == PROCESS_NONE &&
			(!s.temporary || s.assigned == ASSIGNED_NOWHERE));
	if (d == DECISION_FINISH_DEAD)
		HOLDS(s.temporary && s.process == PROCESS_NONE &&
			(s.assigned == ASSIGNED_FORMERLY || (s.planned_here && is_orphan(&s))));
	if (is_orphan(&s))
		HOLDS(s.spec && s.wanted && !s.finished &&
			(s.assigned == ASSIGNED_NOWHERE || s.assigned == ASSIGNED_GONE));
	if (is_orphan(&s) && s.planned_here && s.synced && !s.node_stopping && !up(&s) &&
		s.process != PROCESS_STOPPING)
		HOLDS(d == DECISION_TAKE || d == DECISION_FINISH_DEAD);
})}

Test(reconcile, a_finished_child_is_neither_started_nor_taken_nor_adopted){FOR_ALL({
	if (s.finished && s.wanted)
		HOLDS(d != DECISION_START && d != DECISION_TAKE && d != DECISION_ADOPT &&
			d != DECISION_FINISH_DEAD);
})}

Test(reconcile, an_older_life_s_assign_is_adopted_before_anything_starts){FOR_ALL({
	if (d == DECISION_ADOPT)
		HOLDS(s.assigned == ASSIGNED_FORMERLY && s.process == PROCESS_NONE && s.spec &&
			!(s.wanted && s.contested));
	if (s.assigned == ASSIGNED_FORMERLY || s.assigned == ASSIGNED_GONE)
		HOLDS(d != DECISION_START && d != DECISION_RELABEL && d != DECISION_WRITE_STATUS);
})}

Test(reconcile, a_new_epoch_relabels_the_process_and_a_new_spec_replaces_it){FOR_ALL({
	if (d == DECISION_RELABEL)
		HOLDS(s.process == PROCESS_RUNNING && s.process_current && !s.process_epoch &&
			s.assigned == ASSIGNED_HERE);
	if (d == DECISION_STOP_REPLACED)
		HOLDS(s.process == PROCESS_RUNNING && !s.process_current &&
			s.assigned == ASSIGNED_HERE && s.wanted);
})}

Test(reconcile, a_loser_resolves_only_after_its_process_is_gone)
{
	FOR_ALL({
		if (d == DECISION_RESOLVE)
			HOLDS(s.resolvable && s.spec && s.synced &&
				(s.process == PROCESS_NONE || s.assigned == ASSIGNED_HERE));
	})
}

/* The flags of `situation`, by number. */
enum flag {
	NODE_STOPPING,
	SYNCED,
	SPEC,
	INVALID,
	WANTED,
	TEMPORARY,
	STORED,
	RECORDS,
	OURS,
	FINISHED,
	PLANNED,
	RESOLVABLE,
	CURRENT,
	EPOCH,
	DUE,
	RIGHT,
	CONTESTED,
	TURN,
	EXPIRED
};
#define B(flag) (1u << (flag))

#define RUNS                                                                                       \
	(B(SYNCED) | B(SPEC) | B(WANTED) | B(STORED) | B(RECORDS) | B(CURRENT) | B(EPOCH) |        \
		B(RIGHT)) /* as it should */
#define IDLE                                                                                       \
	(B(SYNCED) | B(SPEC) | B(WANTED) | B(STORED) | B(RECORDS) | B(DUE) | B(TURN) | B(RIGHT))
#define DELETED (B(SYNCED) | B(RECORDS))
#define HERE ASSIGNED_HERE
#define FORMERLY ASSIGNED_FORMERLY
#define GONE ASSIGNED_GONE

Test(reconcile, the_main_cases_read_as_the_documents_do)
{
	static const struct {
		const char *what;
		unsigned flags;
		enum assigned assigned;
		enum process_state process;
		enum decision decision;
	} rows[] = {
		{"runs as it should", RUNS, HERE, PROCESS_RUNNING, DECISION_NOTHING},
		{"started: tell", RUNS & ~B(RIGHT), HERE, PROCESS_RUNNING, DECISION_WRITE_STATUS},
		{"a new spec", RUNS & ~B(CURRENT), HERE, PROCESS_RUNNING, DECISION_STOP_REPLACED},
		{"a second assign", RUNS & ~B(EPOCH), HERE, PROCESS_RUNNING, DECISION_RELABEL},
		{"losing siblings", RUNS | B(RESOLVABLE), HERE, PROCESS_RUNNING, DECISION_RESOLVE},
		{"deleted", RUNS & ~(B(SPEC) | B(WANTED)), HERE, PROCESS_RUNNING,
			DECISION_STOP_TERMINATED},
		{"stopped by desire", RUNS & ~B(WANTED), HERE, PROCESS_RUNNING,
			DECISION_STOP_TERMINATED},
		{"another won", RUNS, ASSIGNED_AWAY, PROCESS_RUNNING, DECISION_STOP_CONFLICT},
		{"assign cleared", RUNS, ASSIGNED_NOWHERE, PROCESS_RUNNING, DECISION_STOP_CONFLICT},
		{"SIGTERM", RUNS | B(NODE_STOPPING), HERE, PROCESS_RUNNING,
			DECISION_STOP_TERMINATED},
		{"new, on disk", IDLE, HERE, PROCESS_NONE, DECISION_START},
		{"new, not on disk", IDLE & ~B(STORED), HERE, PROCESS_NONE, DECISION_NOTHING},
		{"not its turn", IDLE & ~B(TURN), HERE, PROCESS_NONE, DECISION_NOTHING},
		{"not its turn: tell", IDLE & ~(B(TURN) | B(RIGHT)), HERE, PROCESS_NONE,
			DECISION_WRITE_STATUS},
		{"a loser may run yet", IDLE | B(CONTESTED), HERE, PROCESS_NONE, DECISION_NOTHING},
		{"a loser may, formerly", IDLE | B(CONTESTED), FORMERLY, PROCESS_NONE,
			DECISION_NOTHING},
		{"in back-off", IDLE & ~B(DUE), HERE, PROCESS_NONE, DECISION_NOTHING},
		{"ended for good: tell", (IDLE | B(FINISHED)) & ~(B(DUE) | B(RIGHT)), HERE,
			PROCESS_NONE, DECISION_WRITE_STATUS},
		{"undecodable: tell", (IDLE | B(INVALID)) & ~B(RIGHT), HERE, PROCESS_NONE,
			DECISION_WRITE_STATUS},
		{"of our former life", IDLE, FORMERLY, PROCESS_NONE, DECISION_ADOPT},
		{"temporary, of it", IDLE | B(TEMPORARY), FORMERLY, PROCESS_NONE,
			DECISION_FINISH_DEAD},
		{"finished in it", IDLE | B(FINISHED), FORMERLY, PROCESS_NONE, DECISION_NOTHING},
		{"stopped in it", IDLE & ~B(WANTED), FORMERLY, PROCESS_NONE, DECISION_ADOPT},
		{"elsewhere", IDLE | B(PLANNED), ASSIGNED_AWAY, PROCESS_NONE, DECISION_NOTHING},
		{"another's orphan", IDLE, GONE, PROCESS_NONE, DECISION_NOTHING},
		{"our orphan", IDLE | B(PLANNED), GONE, PROCESS_NONE, DECISION_TAKE},
		{"our temporary orphan", IDLE | B(PLANNED) | B(TEMPORARY), GONE, PROCESS_NONE,
			DECISION_FINISH_DEAD},
		{"temporary, never assigned", IDLE | B(PLANNED) | B(TEMPORARY), ASSIGNED_NOWHERE,
			PROCESS_NONE, DECISION_TAKE},
		{"kept long enough", (IDLE | B(FINISHED) | B(EXPIRED)) & ~B(DUE), HERE,
			PROCESS_NONE, DECISION_EXPIRE},
		{"the same, formerly", (IDLE | B(FINISHED) | B(EXPIRED)) & ~B(DUE), FORMERLY,
			PROCESS_NONE, DECISION_EXPIRE},
		{"the same, of the dead", (IDLE | B(FINISHED) | B(EXPIRED)) & ~B(DUE), GONE,
			PROCESS_NONE, DECISION_EXPIRE},
		{"deleted, ours", DELETED | B(OURS), HERE, PROCESS_NONE, DECISION_CLEAR},
		{"deleted, another's", DELETED, ASSIGNED_AWAY, PROCESS_NONE, DECISION_NOTHING},
		{"deleted, stopping", DELETED | B(OURS), HERE, PROCESS_STOPPING, DECISION_NOTHING},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct situation s = situation(rows[i].flags);

		s.assigned = rows[i].assigned;
		s.process = rows[i].process;
		cr_expect_eq(
			reconcile(&s), rows[i].decision, "%s: %d", rows[i].what, reconcile(&s));
	}
}
