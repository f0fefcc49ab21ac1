/* One walk over the output positions with the part of the window inside the map. Nothing fails: every window meets the
 * map in at least one place (layer_complete() refuses others). */
#include "models/pooling.h"

struct place {
	uint32_t top, bottom, left, right; /* rows and columns of the map, ends excluded */
	size_t out;			   /* offset of the output position */
};

static struct place place_of(const struct window *w, uint32_t y, uint32_t x)
{
	struct window_span rows = window_rows(w, y), columns = window_columns(w, x);

	return (struct place){
		.top = (uint32_t)(rows.start + rows.first),
		.bottom = (uint32_t)(rows.start + rows.end),
		.left = (uint32_t)(columns.start + columns.first),
		.right = (uint32_t)(columns.start + columns.end),
		.out = ((size_t)y * w->out.width + x) * w->in.channels,
	};
}

static size_t at(const struct window *w, uint32_t y, uint32_t x)
{
	return ((size_t)y * w->in.width + x) * w->in.channels;
}

static float share_of(const struct place *p)
{
	return 1.0f / (float)((p->bottom - p->top) * (p->right - p->left));
}

void pooling_max_forward(const struct window *w, const float *in, float *ret_out)
{
	const size_t c = w->in.channels;

	for (uint32_t oy = 0; oy < w->out.height; oy++) {
		for (uint32_t ox = 0; ox < w->out.width; ox++) {
			struct place p = place_of(w, oy, ox);
			float *out = ret_out + p.out;

			for (size_t i = 0; i < c; i++)
				out[i] = in[at(w, p.top, p.left) + i];
			for (uint32_t y = p.top; y < p.bottom; y++) {
				for (uint32_t x = p.left; x < p.right; x++) {
					const float *v = in + at(w, y, x);

					for (size_t i = 0; i < c; i++)
						out[i] = v[i] > out[i] ? v[i] : out[i];
				}
			}
		}
	}
}

static size_t place_of_maximum(const struct window *w, const struct place *p, const float *in, size_t channel)
{
	size_t best = at(w, p->top, p->left) + channel;

	for (uint32_t y = p->top; y < p->bottom; y++) {
		for (uint32_t x = p->left; x < p->right; x++) {
			size_t here = at(w, y, x) + channel;

			if (in[here] > in[best])
				best = here;
		}
	}
	return best;
}

void pooling_max_gradient(const struct window *w, const float *in, const float *out_gradient, float *in_gradient)
{
	for (uint32_t oy = 0; oy < w->out.height; oy++) {
		for (uint32_t ox = 0; ox < w->out.width; ox++) {
			struct place p = place_of(w, oy, ox);

			for (size_t i = 0; i < w->in.channels; i++)
				in_gradient[place_of_maximum(w, &p, in, i)] += out_gradient[p.out + i];
		}
	}
}

void pooling_average_forward(const struct window *w, const float *in, float *ret_out)
{
	const size_t c = w->in.channels;

	for (uint32_t oy = 0; oy < w->out.height; oy++) {
		for (uint32_t ox = 0; ox < w->out.width; ox++) {
			struct place p = place_of(w, oy, ox);
			float *out = ret_out + p.out, share = share_of(&p);

			for (size_t i = 0; i < c; i++)
				out[i] = 0.0f;
			for (uint32_t y = p.top; y < p.bottom; y++) {
				for (uint32_t x = p.left; x < p.right; x++) {
					const float *v = in + at(w, y, x);

					for (size_t i = 0; i < c; i++)
						out[i] += v[i];
				}
			}
			for (size_t i = 0; i < c; i++)
				out[i] *= share;
		}
	}
}

void pooling_average_gradient(const struct window *w, const float *out_gradient, float *in_gradient)
{
	const size_t c = w->in.channels;

	for (uint32_t oy = 0; oy < w->out.height; oy++) {
		for (uint32_t ox = 0; ox < w->out.width; ox++) {
			struct place p = place_of(w, oy, ox);
			const float *out = out_gradient + p.out;
			float share = share_of(&p);

			for (uint32_t y = p.top; y < p.bottom; y++) {
				for (uint32_t x = p.left; x < p.right; x++) {
					float *to = in_gradient + at(w, y, x);

					for (size_t i = 0; i < c; i++)
						to[i] += out[i] * share;
				}
			}
		}
	}
}
