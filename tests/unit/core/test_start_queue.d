tests/unit/core/test_start_queue: tests/unit/core/test_start_queue.c \
 server/core/parts.h server/core/state.h server/core/child_state.h \
 server/core/budget.h server/core/record.h server/core/dot.h \
 server/core/err.h server/core/names.h server/core/spec.h \
 server/core/text.h server/core/trail.h server/core/reconcile.h \
 server/core/tree.h server/core/held.h server/core/fragment.h \
 server/core/clock.h server/core/map.h server/core/vector.h \
 server/core/horde.h server/core/action.h server/core/event.h \
 server/core/serve.h server/core/member.h server/core/link_state.h \
 server/core/placement.h server/core/times.h tests/unit/core/support.h
server/core/parts.h:
server/core/state.h:
server/core/child_state.h:
server/core/budget.h:
server/core/record.h:
server/core/dot.h:
server/core/err.h:
server/core/names.h:
server/core/spec.h:
server/core/text.h:
server/core/trail.h:
server/core/reconcile.h:
server/core/tree.h:
server/core/held.h:
server/core/fragment.h:
server/core/clock.h:
server/core/map.h:
server/core/vector.h:
server/core/horde.h:
server/core/action.h:
server/core/event.h:
server/core/serve.h:
server/core/member.h:
server/core/link_state.h:
server/core/placement.h:
server/core/times.h:
tests/unit/core/support.h:
