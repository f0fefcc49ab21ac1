/* A move that is not in the table is refused; nothing else in the daemon sets a state. */
#include "daemon/session.h"

#include <errno.h>
#include <stddef.h>

static const char *const state_names[SESSION_STATES] = {
	[SESSION_IDLE] = "idle",
	[SESSION_OPEN] = "open",
	[SESSION_RUNNING] = "running",
	[SESSION_PAUSED] = "paused",
	[SESSION_DRAINING] = "draining",
	[SESSION_CLOSED] = "closed",
	[SESSION_STORAGE_STALLED] = "storage_stalled",
};

static const char *const event_names[SESSION_EVENTS] = {
	[SESSION_EVENT_OPEN] = "open",
	[SESSION_EVENT_READY] = "begin to run",
	[SESSION_EVENT_PAUSE] = "pause",
	[SESSION_EVENT_RESUME] = "resume",
	[SESSION_EVENT_CLOSE] = "close",
	[SESSION_EVENT_END] = "end",
	[SESSION_EVENT_FORGET] = "forget the session",
	[SESSION_EVENT_STALL] = "stall",
	[SESSION_EVENT_RECOVER] = "recover",
};

struct move {
	enum session_state from;
	enum session_event event;
	enum session_state to;
};

static const struct move moves[] = {
	{SESSION_IDLE, SESSION_EVENT_OPEN, SESSION_OPEN},
	{SESSION_OPEN, SESSION_EVENT_READY, SESSION_RUNNING},
	{SESSION_OPEN, SESSION_EVENT_CLOSE, SESSION_DRAINING},
	{SESSION_RUNNING, SESSION_EVENT_PAUSE, SESSION_PAUSED},
	{SESSION_RUNNING, SESSION_EVENT_CLOSE, SESSION_DRAINING},
	{SESSION_PAUSED, SESSION_EVENT_RESUME, SESSION_RUNNING},
	{SESSION_PAUSED, SESSION_EVENT_CLOSE, SESSION_DRAINING},
	{SESSION_DRAINING, SESSION_EVENT_END, SESSION_CLOSED},
	{SESSION_CLOSED, SESSION_EVENT_FORGET, SESSION_IDLE},
	{SESSION_OPEN, SESSION_EVENT_STALL, SESSION_STORAGE_STALLED},
	{SESSION_RUNNING, SESSION_EVENT_STALL, SESSION_STORAGE_STALLED},
	{SESSION_PAUSED, SESSION_EVENT_STALL, SESSION_STORAGE_STALLED},
	{SESSION_DRAINING, SESSION_EVENT_STALL, SESSION_STORAGE_STALLED},
	{SESSION_STORAGE_STALLED, SESSION_EVENT_RECOVER, SESSION_STORAGE_STALLED}, /* to: before_stall */
};

static const struct move *find_move(enum session_state from, enum session_event event)
{
	for (size_t i = 0; i < sizeof moves / sizeof *moves; i++)
		if (moves[i].from == from && moves[i].event == event)
			return &moves[i];
	return NULL;
}

const char *session_state_name(enum session_state state)
{
	return state_names[state];
}

bool session_may(const struct session_machine *machine, enum session_event event)
{
	return find_move(machine->state, event) != NULL;
}

int session_move(struct session_machine *machine, enum session_event event, struct error *err)
{
	const struct move *move = find_move(machine->state, event);

	if (!move)
		return error_set(err, -EPERM, "state: the session is %s, which cannot %s", state_names[machine->state],
				 event_names[event]);
	if (event == SESSION_EVENT_STALL)
		machine->before_stall = machine->state;
	machine->state = event == SESSION_EVENT_RECOVER ? machine->before_stall : move->to;
	return 0;
}
