/* The verbs, one line each; each is defined in the file of its name. */
#ifndef EVOKED_DAEMON_CLI_VERBS_H
#define EVOKED_DAEMON_CLI_VERBS_H

#include "daemon/cli/verb.h"

extern const struct verb verb_demo;
extern const struct verb verb_status;
extern const struct verb verb_synthesize;
extern const struct verb verb_watch;
extern const struct verb verb_control;
extern const struct verb verb_predict;
extern const struct verb verb_replay;
extern const struct verb verb_report;
extern const struct verb verb_rig;
extern const struct verb verb_check;

#endif
