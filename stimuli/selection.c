/* Scores and top-k over responses that a response_model gave. Sums run in a fixed order, in double. */
#include "stimuli/selection.h"

/* Variance over members (divided by their number) of unit u. */
static double member_variance(const float *responses, uint32_t n_members, uint32_t n_units, uint32_t u)
{
	double mean = 0, sum = 0;

	for (uint32_t m = 0; m < n_members; m++)
		mean += responses[(size_t)m * n_units + u];
	mean /= n_members;
	for (uint32_t m = 0; m < n_members; m++) {
		double d = responses[(size_t)m * n_units + u] - mean;
		sum += d * d;
	}
	return sum / n_members;
}

void selection_disagreement(const float *responses, size_t n, uint32_t n_members, uint32_t n_units, const float *weight,
			    double *ret_scores)
{
	for (size_t i = 0; i < n; i++) {
		const float *of_image = responses + i * n_members * n_units;
		double sum = 0, sum_weight = 0;

		for (uint32_t u = 0; u < n_units; u++) {
			double w = weight ? weight[u] : 1;
			if (w == 0)
				continue;
			sum += w * member_variance(of_image, n_members, n_units, u);
			sum_weight += w;
		}
		ret_scores[i] = sum_weight > 0 ? sum / sum_weight : 0;
	}
}

/* Whether a comes before b: higher score, then lower index; NaN after everything. */
static int is_before(const double *scores, uint32_t a, uint32_t b)
{
	int a_nan = scores[a] != scores[a], b_nan = scores[b] != scores[b];

	if (a_nan != b_nan)
		return b_nan;
	if (!a_nan && scores[a] != scores[b])
		return scores[a] > scores[b];
	return a < b;
}

/* A heap whose root is the worst of those kept. */
static void sift_down(const double *scores, uint32_t *heap, size_t n, size_t at)
{
	for (;;) {
		size_t worst = at;
		for (size_t child = 2 * at + 1; child <= 2 * at + 2 && child < n; child++)
			if (is_before(scores, heap[worst], heap[child]))
				worst = child;
		if (worst == at)
			return;
		uint32_t kept = heap[at];
		heap[at] = heap[worst];
		heap[worst] = kept;
		at = worst;
	}
}

size_t selection_top(const double *scores, size_t n, size_t k, uint32_t *ret_chosen)
{
	size_t n_kept = k < n ? k : n;

	if (n_kept == 0)
		return 0;
	for (size_t i = 0; i < n_kept; i++)
		ret_chosen[i] = (uint32_t)i;
	for (size_t i = n_kept; i-- > 0;)
		sift_down(scores, ret_chosen, n_kept, i);
	for (size_t i = n_kept; i < n; i++)
		if (is_before(scores, (uint32_t)i, ret_chosen[0])) {
			ret_chosen[0] = (uint32_t)i;
			sift_down(scores, ret_chosen, n_kept, 0);
		}
	/* The heap gives them up worst first: from the back. */
	for (size_t left = n_kept; left-- > 1;) {
		uint32_t worst = ret_chosen[0];
		ret_chosen[0] = ret_chosen[left];
		ret_chosen[left] = worst;
		sift_down(scores, ret_chosen, left, 0);
	}
	return n_kept;
}
