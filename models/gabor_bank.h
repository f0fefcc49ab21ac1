/* Eight quadrature pairs of Gabor filters at one scale, applied to a plane by separable passes; and the adjoint.
 *
 * A Gabor whose envelope is isotropic is the product of a complex row filter and a complex column filter, so an
 * orientation costs 1-D passes, and mirrored orientations share their row passes. The filters are made free of
 * DC by subtracting the right multiple of their Gaussian envelope. Outside the plane there is zero.
 * Thread: any; the bank is only read. The same plane gives the same bits. */
#ifndef EVOKED_MODELS_GABOR_BANK_H
#define EVOKED_MODELS_GABOR_BANK_H

#include <stddef.h>
#include <stdint.h>

enum {
	GABOR_ORIENTATIONS = 8, /* o: the wave vector is at o · 22.5° */
	GABOR_RADIUS = 7,	/* px: 2.8 standard deviations of the envelope */
	GABOR_TAPS = 2 * GABOR_RADIUS + 1,
	GABOR_PROJECTIONS = 5, /* distinct |cos| of the orientations: wave numbers along one axis */
	GABOR_SIDE_MAX = 512,  /* px */
	GABOR_SCRATCH_PLANES = 4,
};
#define GABOR_WAVELENGTH_PX 5.0
#define GABOR_SIGMA_PX	    2.5

struct gabor_bank {
	float even[GABOR_PROJECTIONS][GABOR_TAPS]; /* envelope · cos(k_j t), k_j = k cos(j · 22.5°) */
	float odd[GABOR_PROJECTIONS][GABOR_TAPS];  /* envelope · sin(k_j t) */
	float dc[GABOR_ORIENTATIONS];		   /* sum of each orientation's real filter */
};

void gabor_bank_init(struct gabor_bank *bank);

/* plane [height, width] -> ret_real, ret_imag [GABOR_ORIENTATIONS, height, width]; sides up to GABOR_SIDE_MAX.
 * scratch: GABOR_SCRATCH_PLANES planes. */
void gabor_bank_apply(const struct gabor_bank *bank, const float *plane, uint32_t height, uint32_t width,
		      float *scratch, float *ret_real, float *ret_imag);

/* Adds to gradient [height, width] what the derivatives with respect to the answers, d_real and d_imag, make of it. */
void gabor_bank_add_adjoint(const struct gabor_bank *bank, const float *d_real, const float *d_imag, uint32_t height,
			    uint32_t width, float *scratch, float *gradient);

#endif
