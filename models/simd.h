/* Functions whose loops are compiled for wider registers too, and chosen when the program starts.
 *
 * Only for loops without reductions across elements: then each clone does the same operations in the same order for
 * each element (-ffp-contract=off: no fused multiply-add), and the bits are equal on every CPU. */
#ifndef EVOKED_MODELS_SIMD_H
#define EVOKED_MODELS_SIMD_H

/* The choice runs before a sanitizer is ready: those builds have the plain code alone. */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define SIMD_CLONES __attribute__((target_clones("default", "avx2")))
#else
#define SIMD_CLONES
#endif

#endif
