/* A window that slides over a map: kernel, stride and padding as TensorFlow counts them. */
#ifndef EVOKED_MODELS_WINDOW_H
#define EVOKED_MODELS_WINDOW_H

#include <stddef.h>
#include <stdint.h>

struct shape {
	uint32_t height, width, channels;
};

static inline size_t shape_n_values(struct shape shape)
{
	return (size_t)shape.height * shape.width * shape.channels;
}

enum window_padding { WINDOW_VALID, WINDOW_SAME };

struct window {
	struct shape in, out;
	uint32_t kernel_height, kernel_width;
	uint32_t stride_height, stride_width;
	uint32_t pad_top, pad_left; /* zeros before; those after follow from the sizes */
	uint32_t groups;	    /* of a convolution; channels in and out are split alike */
};

/* The part of the kernel that lies inside the map for one output row or column: kernel indices [first, end) meet input
 * indices start + first .. start + end - 1. */
struct window_span {
	int64_t start; /* may be negative */
	uint32_t first, end;
};

static inline struct window_span window_span(uint32_t out, uint32_t stride, uint32_t pad, uint32_t kernel, uint32_t in)
{
	struct window_span span = {.start = (int64_t)out * stride - pad, .end = kernel};

	if (span.start < 0)
		span.first = (uint32_t)-span.start < kernel ? (uint32_t)-span.start : kernel;
	if (span.start + kernel > (int64_t)in)
		span.end = span.start < (int64_t)in ? (uint32_t)((int64_t)in - span.start) : 0;
	if (span.end < span.first)
		span.end = span.first;
	return span;
}

static inline struct window_span window_rows(const struct window *w, uint32_t out_y)
{
	return window_span(out_y, w->stride_height, w->pad_top, w->kernel_height, w->in.height);
}

static inline struct window_span window_columns(const struct window *w, uint32_t out_x)
{
	return window_span(out_x, w->stride_width, w->pad_left, w->kernel_width, w->in.width);
}

#endif
