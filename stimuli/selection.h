/* Which images of a list teach most: the arms of method.md §5 over scores computed elsewhere. */
#ifndef EVOKED_STIMULI_SELECTION_H
#define EVOKED_STIMULI_SELECTION_H

#include <stddef.h>
#include <stdint.h>

/* Ensemble disagreement (method.md §5, arm P): mean over units, weighted by weight [n_units] or (NULL) equally, of the
 * variance over members. responses [n, n_members, n_units] -> ret_scores [n]. Units of weight 0 are left out. */
void selection_disagreement(const float *responses, size_t n, uint32_t n_members, uint32_t n_units, const float *weight,
			    double *ret_scores);

/* The k best by score, ties by lower index; ret_chosen [k] in falling order. Returns how many (min(n, k)). */
size_t selection_top(const double *scores, size_t n, size_t k, uint32_t *ret_chosen);

#endif
