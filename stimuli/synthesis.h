/* Images made by gradient: the members disagree (informative), one unit or the population answers most or least,
 * or a small change of a base image moves the answer (adversarial). method.md §6; how in stimuli/README.md,
 * "Synthesis".
 *
 * Optimises on half of the members and scores on the other half (synthesis_objective.h says when all serve both);
 * rounds to 8 bits, scores what will be shown, returns the best seen with its own score. Contrast and range are
 * enforced together. The same bits for any number of threads. Memory: about 2 MB an image of 112×112 px, and the
 * model's. */
#ifndef EVOKED_STIMULI_SYNTHESIS_H
#define EVOKED_STIMULI_SYNTHESIS_H

#include <stdbool.h>
#include <stdint.h>

#include "models/response_model.h"
#include "stimuli/image.h"
#include "support/error.h"

enum synthesis_goal {
	SYNTHESIS_MAXIMIZE, /* mean over members of unit `unit` (or of all units: unit = SYNTHESIS_POPULATION) */
	SYNTHESIS_MINIMIZE,
	SYNTHESIS_INFORMATIVE, /* mean over units of the variance over members */
};
#define SYNTHESIS_POPULATION UINT32_MAX
enum { SYNTHESIS_STEPS_MAX = 5000, SYNTHESIS_IMAGES_MAX = 256 };

struct synthesis_settings {
	enum synthesis_goal goal;
	uint32_t unit;
	uint32_t n_steps;
	double step_size;      /* Adam, in the parameters' own units; 0: the default (0.05) */
	double rms_contrast;   /* target RMS about the mean, over pixels and colours, of 255; 0: free */
	double mean_luminance; /* target mean, of 255; 0: free */
	double max_change;   /* adversarial: mean |difference| to the start image, of 255, at most; 0: free. Then every
			      * image needs a start, and contrast and mean stay free */
	double response_cap; /* stop driving a unit beyond this predicted response; 0: none */
	const float *weight; /* [n_units]: of the units in a mean over units, >= 0; NULL: equal */
	uint64_t seed;
	uint32_t decision;
};

struct synthesis_result {
	struct image image;	/* what will be shown */
	double value_start;	/* objective of the start image, held-out members */
	double value;		/* objective of `image`, held-out members */
	double value_optimised; /* the same on the members that were optimised on */
	uint32_t step;		/* the step at which it was best */
};

/* Makes n images (1 to SYNTHESIS_IMAGES_MAX). starts[n] are the first images (pool images), or NULL entries for pink
 * noise. `stop` (may be NULL) is asked after each step of all images; true ends early with the best so far. Results:
 * caller's array [n], each image to be freed with image_done. *ret_units: steps done. -EINVAL names the setting and its
 * limit; -ENOMEM; what the model returns. */
int synthesis_run(struct response_model *model, const struct synthesis_settings *settings,
		  const struct image *const *starts, size_t n, struct thread_pool *pool,
		  bool (*stop)(void *ctx, uint32_t done, uint32_t planned), void *ctx, struct error *err,
		  struct synthesis_result *ret_results, uint32_t *ret_units);

#endif
