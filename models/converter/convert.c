/* evoked-convert: a model file that others made becomes a safetensors file with its graph. Untrusted bytes meet HDF5
 * and zip only here, under limits of memory, processor time and wall time; the parent reads the result by our own code.
 *
 * Exit codes: 0 written; 1 the file cannot be read or is not supported (one line on stderr); 2 wrong use. A limit ends
 * it by a signal or an out-of-memory line. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "models/converter/keras.h"
#include "models/graph.h"
#include "support/atomic_file.h"

enum { MEMORY_MIB = 2048, CPU_SECONDS = 60, WALL_SECONDS = 120 };

static const char usage[] =
	"usage: evoked-convert [--mean R,G,B|none] [--memory-mib N] [--cpu-seconds N] MODEL.keras OUT.safetensors\n"
	"\n"
	"Writes a Keras 3 model as safetensors with its graph, which all evoked programs read. They run this by\n"
	"themselves for a .keras file; run it by hand to set the mean that is taken off the image (0..255 RGB):\n"
	"  --mean R,G,B     this mean; none: no mean. Without it, models of 112 x 112 x 3 images get that of the\n"
	"                   published compact models, 116.222,109.270,100.381.\n"
	"  --memory-mib N   limit of memory (2048)\n"
	"  --cpu-seconds N  limit of processor time (60)\n"
	"\n"
	"example: evoked-convert --mean none my_model.keras my_model.safetensors\n";

struct options {
	struct keras_mean mean;
	long memory_mib, cpu_seconds;
	const char *in, *out;
};

static int parse_mean(const char *text, struct keras_mean *mean)
{
	char rest;

	if (!strcmp(text, "none")) {
		mean->kind = KERAS_MEAN_NONE;
		return 0;
	}
	mean->kind = KERAS_MEAN_GIVEN;
	return sscanf(text, "%f,%f,%f%c", &mean->rgb[0], &mean->rgb[1], &mean->rgb[2], &rest) == 3 ? 0 : -EINVAL;
}

static int parse_limit(const char *text, long *ret_value)
{
	char *end;

	errno = 0;
	*ret_value = strtol(text, &end, 10);
	return errno || *end || *ret_value < 1 || *ret_value > 1 << 20 ? -EINVAL : 0;
}

static int parse_options(int argc, char **argv, struct options *ret_options)
{
	struct options options = {.memory_mib = MEMORY_MIB, .cpu_seconds = CPU_SECONDS};
	int r = 0, i = 1;

	for (; i + 1 < argc && !strncmp(argv[i], "--", 2) && !r; i += 2) {
		if (!strcmp(argv[i], "--mean"))
			r = parse_mean(argv[i + 1], &options.mean);
		else if (!strcmp(argv[i], "--memory-mib"))
			r = parse_limit(argv[i + 1], &options.memory_mib);
		else if (!strcmp(argv[i], "--cpu-seconds"))
			r = parse_limit(argv[i + 1], &options.cpu_seconds);
		else
			r = -EINVAL;
	}
	if (r || i + 2 != argc)
		return -EINVAL;
	options.in = argv[i];
	options.out = argv[i + 1];
	*ret_options = options;
	return 0;
}

static int set_limits(const struct options *options, struct error *err)
{
#ifdef __SANITIZE_ADDRESS__
	const rlim_t bytes = RLIM_INFINITY; /* its own tables take terabytes of addresses */
#else
	const rlim_t bytes = (rlim_t)options->memory_mib << 20;
#endif
	const rlim_t seconds = (rlim_t)options->cpu_seconds;
	const struct {
		int resource;
		struct rlimit limit;
	} limits[] = {
		{RLIMIT_AS, {bytes, bytes}},
		{RLIMIT_CPU, {seconds, seconds}},
		{RLIMIT_CORE, {0, 0}},
	};

	for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
		if (setrlimit(limits[i].resource, &limits[i].limit))
			return error_set(err, -errno, "cannot set a limit: %s", strerror(errno));
	}
	alarm(WALL_SECONDS);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	return 0;
}

static int convert(const struct options *options, struct error *err)
{
	struct network *network;
	void *data;
	size_t size;

	int r = keras_read(options->in, &options->mean, err, &network);
	if (r)
		return r;
	r = graph_encode(network, err, &data, &size);
	network_destroy(network);
	if (r)
		return r;
	r = atomic_file_write(options->out, data, size, err);
	free(data);
	return r;
}

int main(int argc, char **argv)
{
	struct options options;
	struct error err = {0};

	if (argc == 2 && !strcmp(argv[1], "--help")) {
		fputs(usage, stdout);
		return 0;
	}
	if (parse_options(argc, argv, &options)) {
		fputs(usage, stderr);
		return 2;
	}
	int r = set_limits(&options, &err);
	if (!r)
		r = convert(&options, &err);
	if (r)
		fprintf(stderr, "%s\n", err.text);
	return r ? 1 : 0;
}
