/* Adam on multi-scale parameters (pyramid.h) through a curve that keeps range and contrast (render.h).
 *
 * A step of all images: every image is rendered and jittered (one task each), the model gives the gradients of all at
 * once, and every image takes its own step (one task each). Now and then, and at the end, what would be shown - not
 * jittered, rounded to 8 bits - is scored, and the best is kept with its score. In the last fifth there is no jitter
 * and the step shrinks. An image's numbers depend on its own index and the settings only. What the model fails with
 * ends the run; images made so far are then freed. */
#include "stimuli/synthesis.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "stimuli/change_limit.h"
#include "stimuli/pyramid.h"
#include "stimuli/render.h"
#include "stimuli/synthesis_objective.h"
#include "stimuli/warp.h"
#include "support/rng.h"

enum { SCORE_EVERY = 10 };
#define STEP_SIZE_DEFAULT 0.05
#define SETTLING_SHARE	  0.2  /* of the steps, at the end: no jitter, smaller steps */
#define STEP_SIZE_LAST	  0.1  /* of the step size, at the last step */
#define NOISE_SIZE	  0.15 /* of the first parameters: faint pink noise */
#define ADAM_MEAN	  0.9
#define ADAM_SQUARE	  0.99
#define ADAM_TINY	  1e-12

/* One image on its way. All arrays lie in one block. */
struct canvas {
	float *start;	 /* [3, n_px]: planes of the start image */
	float *params;	 /* [n_params] */
	float *moment;	 /* [n_params]: Adam's running mean of the gradient */
	float *gradient; /* [n_params] */
	float *planes;	 /* [3, n_px] */
	float *pixels;	 /* [n_px, 3]: rendered, within the allowed change */
	float *base;	 /* [n_px, 3]: pixels of the start image, for max_change */
	float *scratch;	 /* pyramid's, or [n_px, 3] */
	double square;	 /* Adam's running mean of the squared gradient */
	struct render_curve curve;
	double change_share; /* of the last rendering (change_limit.h) */
	struct warp warp;
};

struct run {
	struct response_model *model;
	const struct synthesis_settings *settings;
	struct synthesis_objective objective;
	struct pyramid pyramid;
	struct render_target target;
	struct thread_pool *pool;
	size_t n, n_px;
	uint32_t step;
	bool is_settling;
	struct canvas *canvases; /* [n] */
	float *block;		 /* what the canvases point into */
	float *images;		 /* [n, n_px, 3]: as the model sees them */
	float *gradients;	 /* [n, n_px, 3] */
	float *responses;	 /* [n, n_members, n_units] */
	double *values;		 /* [n] */
	struct synthesis_result *results;
};

static void run_tasks(struct run *run, void (*task)(void *ctx, size_t i, unsigned thread))
{
	if (run->pool)
		thread_pool_run(run->pool, run->n, task, run);
	else
		for (size_t i = 0; i < run->n; i++)
			task(run, i, 0);
}

/* Parameters -> canvas->pixels. */
static void render(const struct run *run, struct canvas *canvas)
{
	pyramid_sum(&run->pyramid, canvas->params, canvas->scratch, canvas->planes);
	for (size_t k = 0; k < 3 * run->n_px; k++)
		canvas->planes[k] += canvas->start[k];
	render_pixels(canvas->planes, run->n_px, &run->target, &canvas->curve, canvas->pixels);
	canvas->change_share =
		change_limit_apply(canvas->base, 3 * run->n_px, run->settings->max_change, canvas->pixels);
}

/* Before the model: run->images[i], jittered unless settling. */
static void draw_task(void *ctx, size_t i, unsigned thread)
{
	struct run *run = ctx;
	struct canvas *canvas = &run->canvases[i];
	float *image = run->images + i * run->n_px * 3;
	struct rng rng = rng_make(run->settings->seed, run->settings->decision, RNG_SYNTHESIS_JITTER, (uint32_t)i);
	(void)thread;

	render(run, canvas);
	if (run->is_settling) {
		memcpy(image, canvas->pixels, 3 * run->n_px * sizeof *image);
		return;
	}
	canvas->warp = warp_draw(&rng, run->step, run->model->width_px, run->model->height_px);
	warp_apply(&canvas->warp, run->model->width_px, run->model->height_px, canvas->pixels, image);
}

/* Adam with one second moment for the whole image: steps along the gradient in units of natural size, scaled to its
 * RMS. One for each parameter would move what hardly matters (the surround, faint colours) as far as what drives. */
static void adam(const struct run *run, struct canvas *canvas)
{
	const struct synthesis_settings *s = run->settings;
	double size = s->step_size > 0 ? s->step_size : STEP_SIZE_DEFAULT, sum = 0;
	double settling = SETTLING_SHARE * s->n_steps, left = (double)(s->n_steps - run->step);
	size_t n = run->pyramid.n_params;

	if (run->is_settling)
		size *= STEP_SIZE_LAST + (1 - STEP_SIZE_LAST) * left / settling;
	for (size_t k = 0; k < n; k++)
		sum += (double)canvas->gradient[k] * canvas->gradient[k];
	canvas->square = ADAM_SQUARE * canvas->square + (1 - ADAM_SQUARE) * sum / (double)n;
	/* Both running means begin at 0, which the two corrections undo. */
	double by_mean = 1 - pow(ADAM_MEAN, run->step + 1), by_square = 1 - pow(ADAM_SQUARE, run->step + 1);
	float scale = (float)(size / by_mean / (sqrt(canvas->square / by_square) + ADAM_TINY));
	for (size_t k = 0; k < n; k++) {
		canvas->moment[k] = (float)ADAM_MEAN * canvas->moment[k] + (float)(1 - ADAM_MEAN) * canvas->gradient[k];
		canvas->params[k] += scale * canvas->moment[k];
	}
}

/* After the model: run->gradients[i] back to the parameters, and a step. */
static void step_task(void *ctx, size_t i, unsigned thread)
{
	struct run *run = ctx;
	struct canvas *canvas = &run->canvases[i];
	float *gradient = run->gradients + i * run->n_px * 3;
	(void)thread;

	if (!run->is_settling) {
		memcpy(canvas->scratch, gradient, 3 * run->n_px * sizeof *gradient);
		warp_adjoint(&canvas->warp, run->model->width_px, run->model->height_px, canvas->scratch, gradient);
	}
	change_limit_adjoint(canvas->base, canvas->pixels, 3 * run->n_px, canvas->change_share, gradient);
	/* The planes are not needed after this: their gradient takes their place. */
	render_adjoint(canvas->planes, run->n_px, &run->target, &canvas->curve, gradient, canvas->planes);
	pyramid_sum_adjoint(&run->pyramid, canvas->planes, canvas->scratch, canvas->gradient);
	adam(run, canvas);
}

static void objective_of_image(void *ctx, size_t i, const float *responses, double *ret_value, float *ret_cotangent)
{
	const struct run *run = ctx;
	(void)i;

	*ret_value = synthesis_objective_value(&run->objective, SYNTHESIS_OPTIMISED, responses, ret_cotangent);
}

/* Before scoring: run->images[i] is what would be shown. */
static void round_task(void *ctx, size_t i, unsigned thread)
{
	struct run *run = ctx;
	struct canvas *canvas = &run->canvases[i];
	float *image = run->images + i * run->n_px * 3;
	(void)thread;

	render(run, canvas);
	for (size_t k = 0; k < 3 * run->n_px; k++)
		image[k] = rintf(canvas->pixels[k]);
}

/* Scores what would be shown now and keeps what is better than before. */
static int score(struct run *run, struct error *err)
{
	size_t n_answers = (size_t)run->model->n_members * run->model->n_units;

	run_tasks(run, round_task);
	int rc = run->model->ops->predict(run->model, run->pool, run->images, run->n, err, run->responses);
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < run->n; i++) {
		struct synthesis_result *result = &run->results[i];
		const float *responses = run->responses + i * n_answers;
		double value = synthesis_objective_value(&run->objective, SYNTHESIS_HELD_OUT, responses, NULL);
		if (run->step == 0)
			result->value_start = value;
		else if (!synthesis_objective_is_better(&run->objective, value, result->value))
			continue;
		result->value = value;
		result->value_optimised =
			synthesis_objective_value(&run->objective, SYNTHESIS_OPTIMISED, responses, NULL);
		result->step = run->step;
		image_from_float(run->images + i * run->n_px * 3, &result->image);
	}
	return 0;
}

static int take_steps(struct run *run, bool (*stop)(void *ctx, uint32_t done, uint32_t planned), void *ctx,
		      struct error *err, uint32_t *ret_units)
{
	uint32_t n_steps = run->settings->n_steps;
	bool is_stopped = false;

	for (run->step = 0; run->step < n_steps && !is_stopped; run->step++) {
		int rc = run->step % SCORE_EVERY == 0 ? score(run, err) : 0;
		if (rc < 0)
			return rc;
		run->is_settling = run->step >= n_steps - (uint32_t)(SETTLING_SHARE * n_steps);
		run_tasks(run, draw_task);
		rc = run->model->ops->gradient(run->model, run->pool, run->images, run->n, objective_of_image, run, err,
					       run->values, run->gradients, NULL);
		if (rc < 0)
			return rc;
		run_tasks(run, step_task);
		is_stopped = stop && stop(ctx, run->step + 1, n_steps);
	}
	*ret_units = run->step;
	return score(run, err);
}

/* The first parameters of an image without a start: at all scales of one size, that is pink noise. */
static void fill_noise(const struct run *run, uint32_t i, float *planes, float *scratch, float *params)
{
	struct rng rng = rng_make(run->settings->seed, run->settings->decision, RNG_SYNTHESIS_START, i);

	rng_fill_normal(&rng, 0, run->pyramid.n_params, params);
	for (size_t k = 0; k < run->pyramid.n_params; k++)
		params[k] *= (float)NOISE_SIZE;
	pyramid_sum(&run->pyramid, params, scratch, planes);
	memset(params, 0, run->pyramid.n_params * sizeof *params);
}

static int start_canvases(struct run *run, const struct image *const *starts, struct error *err)
{
	size_t n_values = 3 * run->n_px, n_params = run->pyramid.n_params;
	size_t n_scratch = run->pyramid.n_scratch > n_values ? run->pyramid.n_scratch : n_values;
	size_t n_floats = 4 * n_values + 3 * n_params + n_scratch;

	run->canvases = calloc(run->n, sizeof *run->canvases);
	run->block = calloc(run->n * n_floats, sizeof *run->block);
	if (!run->canvases || !run->block)
		return error_set(err, -ENOMEM, "no memory to make %zu images", run->n);
	for (size_t i = 0; i < run->n; i++) {
		float *at = run->block + i * n_floats;
		struct canvas *canvas = &run->canvases[i];
		*canvas = (struct canvas){
			.start = at,
			.planes = at + n_values,
			.pixels = at + 2 * n_values,
			.base = at + 3 * n_values,
			.params = at + 4 * n_values,
			.moment = at + 4 * n_values + n_params,
			.gradient = at + 4 * n_values + 2 * n_params,
			.scratch = at + 4 * n_values + 3 * n_params,
			.curve = RENDER_CURVE_START,
		};
		if (starts && starts[i]) {
			image_to_float(starts[i], canvas->base);
			render_invert(canvas->base, run->n_px, canvas->start);
		} else {
			fill_noise(run, (uint32_t)i, canvas->start, canvas->scratch, canvas->params);
		}
	}
	return 0;
}

static int start_run(struct run *run, const struct image *const *starts, struct error *err)
{
	size_t n_answers = (size_t)run->model->n_members * run->model->n_units;
	int rc = 0;

	pyramid_init(run->model->width_px, run->model->height_px, &run->pyramid);
	run->images = calloc(run->n * run->n_px * 3, sizeof *run->images);
	run->gradients = calloc(run->n * run->n_px * 3, sizeof *run->gradients);
	run->responses = calloc(run->n * n_answers, sizeof *run->responses);
	run->values = calloc(run->n, sizeof *run->values);
	if (!run->images || !run->gradients || !run->responses || !run->values)
		return error_set(err, -ENOMEM, "no memory to make %zu images", run->n);
	memset(run->results, 0, run->n * sizeof *run->results);
	for (size_t i = 0; i < run->n && rc == 0; i++)
		rc = image_init(run->model->width_px, run->model->height_px, err, &run->results[i].image);
	return rc < 0 ? rc : start_canvases(run, starts, err);
}

static int check_settings(const struct synthesis_settings *s, const struct response_model *model,
			  const struct image *const *starts, size_t n, struct error *err)
{
	const struct {
		const char *name;
		double value, max;
	} limits[] = {
		{"step_size", s->step_size, 10},
		{"rms_contrast", s->rms_contrast, 128},
		{"mean_luminance", s->mean_luminance, 255},
		{"max_change", s->max_change, 255},
	};

	if (n < 1 || n > SYNTHESIS_IMAGES_MAX)
		return error_set(err, -EINVAL, "%zu images: 1 to %d at once", n, SYNTHESIS_IMAGES_MAX);
	if (s->n_steps < 1 || s->n_steps > SYNTHESIS_STEPS_MAX)
		return error_set(err, -EINVAL, "%u steps: 1 to %d", s->n_steps, SYNTHESIS_STEPS_MAX);
	for (size_t k = 0; k < sizeof limits / sizeof *limits; k++)
		if (!(limits[k].value >= 0 && limits[k].value <= limits[k].max))
			return error_set(err, -EINVAL, "%s %g: expected 0 to %g", limits[k].name, limits[k].value,
					 limits[k].max);
	if (s->max_change > 0 && (s->rms_contrast > 0 || s->mean_luminance > 0))
		return error_set(err, -EINVAL, "max_change leaves no room for a wanted contrast or mean");
	for (size_t i = 0; i < n; i++) {
		const struct image *start = starts ? starts[i] : NULL;
		if (!start && s->max_change > 0)
			return error_set(err, -EINVAL, "image %zu: max_change needs a start image", i);
		if (start && (start->width_px != model->width_px || start->height_px != model->height_px))
			return error_set(err, -EINVAL, "start image %zu: %u×%u px, the model sees %u×%u", i,
					 start->width_px, start->height_px, model->width_px, model->height_px);
	}
	return 0;
}

int synthesis_run(struct response_model *model, const struct synthesis_settings *settings,
		  const struct image *const *starts, size_t n, struct thread_pool *pool,
		  bool (*stop)(void *ctx, uint32_t done, uint32_t planned), void *ctx, struct error *err,
		  struct synthesis_result *ret_results, uint32_t *ret_units)
{
	struct synthesis_result *results = NULL;
	struct run *run = NULL;
	uint32_t n_done = 0;

	int rc = check_settings(settings, model, starts, n, err);
	if (rc < 0)
		return rc;
	run = calloc(1, sizeof *run);
	results = calloc(n, sizeof *results);
	if (!run || !results) {
		rc = error_set(err, -ENOMEM, "no memory to make %zu images", n);
		goto out_run;
	}
	run->model = model;
	run->settings = settings;
	run->target = (struct render_target){.rms_contrast = settings->rms_contrast,
					     .mean_luminance = settings->mean_luminance};
	run->pool = pool;
	run->n = n;
	run->n_px = (size_t)model->width_px * model->height_px;
	run->results = results;
	rc = synthesis_objective_init(settings, model->n_members, model->n_units, err, &run->objective);
	if (rc == 0)
		rc = start_run(run, starts, err);
	if (rc == 0)
		rc = take_steps(run, stop, ctx, err, &n_done);
	if (rc == 0) {
		memcpy(ret_results, results, n * sizeof *results);
		*ret_units = n_done;
	}
	for (size_t i = 0; i < n && rc < 0; i++)
		image_done(&results[i].image);
	free(run->canvases);
	free(run->block);
	free(run->images);
	free(run->gradients);
	free(run->responses);
	free(run->values);
out_run:
	free(results);
	free(run);
	return rc;
}
