/* A recorded session in the layout of the published V4 data: the images shown and what the neurons answered.
 *
 *   <dir>/images/images_<session>.zip                  image0001.jpg ...: index j is column j - 1
 *   <dir>/responses_raw/responses_<session>.npy        [neurons, images, repeats], NaN where there was no repeat; or
 * else <dir>/responses/responses_<session>.npy            [neurons, images], averaged over repeats
 *
 * Images are found by the hash of their pixels. The same pixels under two names are one image with the repeats of both
 * (averages: two of them). A column whose image cannot be decoded is left out, as a pool leaves out (and names) that
 * image. Thread: any, after opening; nothing is written. */
#ifndef EVOKED_STIMULI_RECORDED_SESSION_H
#define EVOKED_STIMULI_RECORDED_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "support/error.h"
#include "support/hash.h"

enum { RECORDED_SESSION_NEURONS_MAX = 4096, RECORDED_SESSION_NAME_MAX = 64, RECORDED_SESSION_RESPONSE_MAX = 65535 };

struct recorded_session;

/* `session` is a plain name ("210325"). -ENOENT, -EINVAL (shapes that do not fit each other, negative responses, a
 * repeat that only some neurons have), -ENOMEM. */
int recorded_session_open(const char *dir, const char *session, struct error *err,
			  struct recorded_session **ret_recorded);
void recorded_session_close(struct recorded_session *recorded);

uint32_t recorded_session_n_neurons(const struct recorded_session *recorded);
size_t recorded_session_n_images(const struct recorded_session *recorded); /* distinct ones */
uint32_t recorded_session_width_px(const struct recorded_session *recorded);
uint32_t recorded_session_height_px(const struct recorded_session *recorded);

/* Whether single counts were recorded, or only averages (then there is one "repeat" an image: its average). */
bool recorded_session_has_repeats(const struct recorded_session *recorded);

/* Index of the image, or -ENOENT. */
int recorded_session_find(const struct recorded_session *recorded, const struct hash *image, size_t *ret_i);

/* Repeats of image i, and the responses of repeat r to it, ret_responses [n_neurons]. */
size_t recorded_session_n_repeats(const struct recorded_session *recorded, size_t i);
void recorded_session_repeat(const struct recorded_session *recorded, size_t i, size_t r, float *ret_responses);

/* Mean over the repeats of image i, ret_means [n_neurons]. */
void recorded_session_mean(const struct recorded_session *recorded, size_t i, float *ret_means);

#endif
