/* Why an image is shown: the kinds of slots, named once for configuration, session file, protocol and reports. */
#ifndef EVOKED_STIMULI_KIND_H
#define EVOKED_STIMULI_KIND_H

#include <stdbool.h>

#include "support/error.h"

/* Append only: session files hold the names, and workers' frames may hold the numbers. */
enum kind {
	KIND_NATURAL = 0,	   /* drawn at random from the pool: the control arm and the fallback */
	KIND_GAUDY = 1,		   /* a random pool image, made gaudy */
	KIND_INFORMATIVE_POOL = 2, /* chosen from the pool because the members disagree */
	KIND_INFORMATIVE_SYNTHESIZED = 3,
	KIND_MAXIMIZING = 4,
	KIND_MINIMIZING = 5,
	KIND_ADVERSARIAL = 6, /* a bounded change of a base image */
	KIND_PARAMETRIC = 7,  /* gratings, dots, bars, curves */
	KIND_MONITOR = 8,     /* held out and repeated: noise ceiling, live R² */
	KIND_SEALED = 9,      /* held out, scored once at close */
	KIND_BLANK = 10,      /* uniform background */
	KIND_RIG = 11,	      /* brought by the rig itself */
};
enum { KIND_COUNT = KIND_RIG + 1 };

/* The name used everywhere outside C: "informative_pool". */
const char *kind_name(enum kind kind);

/* 0, or -EINVAL with a sentence that lists what is allowed. */
int kind_from_name(const char *name, struct error *err, enum kind *ret_kind);

/* Monitor and sealed images: never fitted, never selectable (design, rule 6). */
bool kind_is_held_out(enum kind kind);

/* Chosen or made through a model of these neurons: an R² on such images must carry that label (design, rule 6). */
bool kind_is_adaptive(enum kind kind);

#endif
