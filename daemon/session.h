/* The states of a session, and which move is allowed from where: one table. Loop thread only. */
#ifndef EVOKED_DAEMON_SESSION_H
#define EVOKED_DAEMON_SESSION_H

#include <stdbool.h>

#include "support/error.h"

enum session_state {
	SESSION_IDLE, /* no session: waits for `open` */
	SESSION_OPEN, /* the file is there, the first batch is being prepared */
	SESSION_RUNNING,
	SESSION_PAUSED,		 /* presentations are taken, no batch is handed over, no job begun */
	SESSION_DRAINING,	 /* `close` was asked: the job at work ends, then the sealed test is scored */
	SESSION_CLOSED,		 /* all is on disk; the file is being closed */
	SESSION_STORAGE_STALLED, /* the last commit failed: nothing is acknowledged until one succeeds */
};
enum { SESSION_STATES = SESSION_STORAGE_STALLED + 1 };

enum session_event {
	SESSION_EVENT_OPEN,
	SESSION_EVENT_READY, /* the first batch is there */
	SESSION_EVENT_PAUSE,
	SESSION_EVENT_RESUME,
	SESSION_EVENT_CLOSE,
	SESSION_EVENT_END,    /* the last decision is on disk */
	SESSION_EVENT_FORGET, /* the file is closed */
	SESSION_EVENT_STALL,
	SESSION_EVENT_RECOVER, /* back to the state before the stall */
};
enum { SESSION_EVENTS = SESSION_EVENT_RECOVER + 1 };

struct session_machine {
	enum session_state state;
	enum session_state before_stall;
};

/* "running" and so on, as on the wire and in the file. */
const char *session_state_name(enum session_state state);

bool session_may(const struct session_machine *machine, enum session_event event);

/* -EPERM and a sentence that names the state, with the machine unchanged, when the move is not in the table. */
int session_move(struct session_machine *machine, enum session_event event, struct error *err);

#endif
