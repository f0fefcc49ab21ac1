/* Opens the built-in front end by its name, anything else as a model file. */
#include "models/backbone.h"

#include <errno.h>
#include <string.h>

#include "models/front_end.h"
#include "models/model_file.h"
#include "models/network_backbone.h"

static int find_cut(const struct network *network, const char *cut_layer, struct error *err, uint32_t *ret_layer)
{
	if (!cut_layer || !*cut_layer)
		return network_backbone_find_cut(network, err, ret_layer);
	int layer = network_find(network, cut_layer);
	if (layer < 1)
		return error_set(err, -EINVAL, "it has no layer %s", cut_layer);
	*ret_layer = (uint32_t)layer;
	return 0;
}

static int open_network(const struct network *network, const char *cut_layer, uint32_t height_px, uint32_t width_px,
			struct error *err, struct backbone **ret_backbone)
{
	const struct shape in = network_input(network);
	uint32_t last = 0;

	if (in.height != height_px || in.width != width_px)
		return error_set(err, -EINVAL, "it takes images of %u x %u pixels, the session's have %u x %u",
				 in.width, in.height, width_px, height_px);
	int r = find_cut(network, cut_layer, err, &last);
	return r ? r : network_backbone_create(network, last, err, ret_backbone);
}

int backbone_open(const char *name_or_path, const char *cut_layer, uint32_t height_px, uint32_t width_px,
		  struct error *err, struct backbone **ret_backbone)
{
	struct network *network;

	if (!strcmp(name_or_path, FRONT_END_NAME))
		return front_end_create(height_px, width_px, err, ret_backbone);
	int r = model_file_open(name_or_path, err, &network);
	if (r)
		return r;
	r = open_network(network, cut_layer, height_px, width_px, err, ret_backbone);
	if (r)
		error_prefix(err, r, "%s", name_or_path);
	network_destroy(network);
	return r;
}
