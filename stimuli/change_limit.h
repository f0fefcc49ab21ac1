/* Keeps an image close to another: the bound of adversarial images (method.md §6). Thread: any. */
#ifndef EVOKED_STIMULI_CHANGE_LIMIT_H
#define EVOKED_STIMULI_CHANGE_LIMIT_H

#include <stddef.h>

/* Pulls pixels [n] straight towards base [n] until the mean absolute difference is at most max_change (0: no limit).
 * Returns the share of the difference that is left, 1 when nothing was done. */
double change_limit_apply(const float *base, size_t n, double max_change, float *pixels);

/* The transpose, in place: gradient by the pulled pixels [n] -> by the pixels before. `pixels` and `share` as
 * change_limit_apply left them. */
void change_limit_adjoint(const float *base, const float *pixels, size_t n, double share, float *gradient);

#endif
