/* What a process may write by its own token (event.h): the fence of stale ones. */
#include "server/core/parts.h"

#include <string.h>

/* The assignment changed and the process lived on under it: DECISION_RELABEL. */
static bool lives_on(const struct child_view *v, const struct credential *by)
{
	const struct status_record *s =
		v->status && v->status->record ? &v->status->record->status : NULL;

	return s && s->process_epoch != 0 && s->process_epoch == by->epoch &&
	       s->epoch == v->assign->record->assign.epoch;
}

enum err horde_credential(const struct horde *h, const struct credential *by)
{
	struct child_view v;
	uint64_t epoch;

	horde_child(h, by->ref, &v);
	if (!v.spec || !v.assign || !v.assign->record)
		return ERR_STALE_EPOCH;
	epoch = v.assign->record->assign.epoch;
	if (by->epoch == epoch || lives_on(&v, by))
		return ERR_OK;
	return by->epoch < epoch ? ERR_STALE_EPOCH : ERR_AHEAD;
}

static bool names_owner(enum event_kind kind)
{
	return kind == EVENT_REGISTER || kind == EVENT_CONFIRM || kind == EVENT_UPDATE ||
	       kind == EVENT_UNREGISTER;
}

/* It speaks for itself alone. Whose a present name is, the registry's rules see to. */
static bool is_own(const struct event *e)
{
	if (names_owner(e->kind))
		return e->entry.owner_given && e->entry.owner_kind == OWNER_CHILD &&
		       strcmp(e->entry.owner_id, e->by.ref) == 0;
	return (e->kind == EVENT_PUT_STATE || e->kind == EVENT_REMOVE_STATE) &&
	       strcmp(key_rest(e->put.key), e->by.ref) == 0;
}

enum err credential_judge(const struct horde *h, const struct event *e)
{
	if (!e->by.ref)
		return ERR_OK;
	return is_own(e) ? horde_credential(h, &e->by) : ERR_FORBIDDEN;
}
