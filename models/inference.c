/* Each thread of the pool has a workspace: one block of memory with a place for each layer's map (and, for gradients,
 * for each derivative), planned when the network is taken. A task is one image, run through all layers by one thread.
 * Failure: memory for a workspace, found before any task starts. */
#include "models/inference.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "models/layer_pass.h"
#include "models/memory_plan.h"
#include "models/tensor.h"

struct inference {
	struct network *network;
	/* Two plans for one workspace: forward alone, where a map's place is used again once all its readers ran; and
	 * both passes, where every map stays. */
	struct plan {
		struct memory_span *maps;      /* [n_layers]; none for the input, which the caller holds */
		struct memory_span *gradients; /* [n_layers]; NULL in the forward plan */
		size_t n_values;
	} forward, both;
	size_t n_scratch;
	float *workspaces[THREAD_POOL_THREADS_MAX];
	size_t workspace_values[THREAD_POOL_THREADS_MAX];
};

static int plan_forward(struct inference *inference, struct error *err)
{
	const struct network *network = inference->network;
	struct memory_span *maps = calloc(network->n_layers, sizeof *maps);

	if (!maps)
		return error_set(err, -ENOMEM, "network: out of memory");
	for (uint32_t i = 1; i < network->n_layers; i++) {
		const struct layer *layer = &network->layers[i];

		maps[i] = (struct memory_span){.n_values = shape_n_values(layer->out), .first = i, .last = i};
		for (uint32_t k = 0; k < layer->n_inputs; k++)
			maps[layer->inputs[k]].last = i;
	}
	/* The output goes straight to the caller. */
	maps[network->n_layers - 1].n_values = 0;
	inference->forward.maps = maps;
	inference->forward.n_values = memory_plan(maps, network->n_layers);
	return 0;
}

/* Steps count layers forward, then backward: layer i runs at i and at 2 n - i. */
static int plan_both(struct inference *inference, struct error *err)
{
	const struct network *network = inference->network;
	const uint32_t n = network->n_layers;
	struct memory_span *spans = calloc(2 * (size_t)n, sizeof *spans);

	if (!spans)
		return error_set(err, -ENOMEM, "network: out of memory");
	struct memory_span *maps = spans, *gradients = spans + n;
	for (uint32_t i = 1; i < n; i++) {
		const struct layer *layer = &network->layers[i];
		size_t n_values = shape_n_values(layer->out);

		maps[i] = (struct memory_span){.n_values = n_values, .first = i, .last = 2 * n - i};
		gradients[i] = (struct memory_span){.n_values = n_values, .first = 2 * n - i, .last = 2 * n - i};
		/* The last reader goes backward first and begins the derivative; this loop ends with it. */
		for (uint32_t k = 0; k < layer->n_inputs; k++)
			gradients[layer->inputs[k]].first = 2 * n - i;
	}
	inference->both.maps = maps;
	inference->both.gradients = gradients;
	inference->both.n_values = memory_plan(spans, 2 * (size_t)n);
	return 0;
}

int inference_create(const struct network *network, struct error *err, struct inference **ret_inference)
{
	struct inference *inference = calloc(1, sizeof *inference);

	if (!inference)
		return error_set(err, -ENOMEM, "network: out of memory");
	int r = network_fold(network, err, &inference->network);
	if (!r)
		r = plan_forward(inference, err);
	if (!r)
		r = plan_both(inference, err);
	if (r) {
		inference_destroy(inference);
		return r;
	}
	for (uint32_t i = 0; i < inference->network->n_layers; i++) {
		size_t n = layer_pass_scratch(&inference->network->layers[i]);

		if (n > inference->n_scratch)
			inference->n_scratch = n;
	}
	*ret_inference = inference;
	return 0;
}

void inference_destroy(struct inference *inference)
{
	if (!inference)
		return;
	for (size_t i = 0; i < THREAD_POOL_THREADS_MAX; i++)
		free(inference->workspaces[i]);
	free(inference->forward.maps);
	free(inference->both.maps);
	network_destroy(inference->network);
	free(inference);
}

const struct network *inference_network(const struct inference *inference)
{
	return inference->network;
}

static int reserve_workspaces(struct inference *inference, unsigned n_threads, size_t n_values, struct error *err)
{
	n_values += tensor_aligned(inference->n_scratch);
	for (unsigned i = 0; i < n_threads; i++) {
		if (inference->workspace_values[i] >= n_values && inference->workspaces[i])
			continue;
		free(inference->workspaces[i]);
		inference->workspaces[i] = NULL;
		inference->workspace_values[i] = 0;
		int r = tensor_alloc(n_values, "workspace of a network", err, &inference->workspaces[i]);
		if (r)
			return r;
		inference->workspace_values[i] = n_values;
	}
	return 0;
}

struct job {
	struct inference *inference;
	const struct plan *plan;
	const float *inputs;
	size_t n_in, n_out;
	float *outputs; /* forward alone */
	inference_cotangent *cotangent;
	void *ctx;
	float *gradients;
};

/* The maps of a layer's inputs. */
static void gather(const struct job *job, const struct layer *layer, size_t image, float *workspace,
		   const float *ret_in[LAYER_INPUTS_MAX])
{
	for (uint32_t k = 0; k < layer->n_inputs; k++) {
		uint32_t from = layer->inputs[k];

		ret_in[k] = from ? workspace + job->plan->maps[from].offset : job->inputs + image * job->n_in;
	}
}

static void run_forward(const struct job *job, size_t image, float *workspace, float *output)
{
	const struct network *network = job->inference->network;
	float *scratch = workspace + job->plan->n_values;

	for (uint32_t i = 1; i < network->n_layers; i++) {
		const float *in[LAYER_INPUTS_MAX];
		float *out = i == network->n_layers - 1 && output ? output : workspace + job->plan->maps[i].offset;

		gather(job, &network->layers[i], image, workspace, in);
		layer_pass_forward(&network->layers[i], network->weights, in, scratch, out);
	}
}

static void forward_task(void *ctx, size_t image, unsigned thread)
{
	const struct job *job = ctx;

	run_forward(job, image, job->inference->workspaces[thread], job->outputs + image * job->n_out);
}

static void run_backward(const struct job *job, size_t image, float *workspace)
{
	const struct network *network = job->inference->network;
	const struct memory_span *gradients = job->plan->gradients;
	float *scratch = workspace + job->plan->n_values;
	bool is_begun[NETWORK_LAYERS_MAX] = {false};

	for (uint32_t i = network->n_layers - 1; i > 0; i--) {
		const struct layer *layer = &network->layers[i];
		const float *in[LAYER_INPUTS_MAX];
		float *to[LAYER_INPUTS_MAX], *gradient = workspace + gradients[i].offset;

		gather(job, layer, image, workspace, in);
		for (uint32_t k = 0; k < layer->n_inputs; k++) {
			uint32_t from = layer->inputs[k];

			to[k] = from ? workspace + gradients[from].offset : job->gradients + image * job->n_in;
			if (!is_begun[from])
				memset(to[k], 0, shape_n_values(network->layers[from].out) * sizeof *to[k]);
			is_begun[from] = true;
		}
		layer_pass_undo_relu(layer, workspace + job->plan->maps[i].offset, gradient);
		layer_pass_input_gradient(layer, network->weights, in, gradient, scratch, to);
	}
}

static void gradient_task(void *ctx, size_t image, unsigned thread)
{
	const struct job *job = ctx;
	const uint32_t last = job->inference->network->n_layers - 1;
	float *workspace = job->inference->workspaces[thread];

	run_forward(job, image, workspace, NULL);
	job->cotangent(job->ctx, image, thread, workspace + job->plan->maps[last].offset,
		       workspace + job->plan->gradients[last].offset);
	run_backward(job, image, workspace);
}

static struct job make_job(struct inference *inference, const struct plan *plan, const float *inputs)
{
	return (struct job){
		.inference = inference,
		.plan = plan,
		.inputs = inputs,
		.n_in = shape_n_values(network_input(inference->network)),
		.n_out = shape_n_values(network_output(inference->network)),
	};
}

int inference_forward(struct inference *inference, struct thread_pool *pool, const float *inputs, size_t n,
		      struct error *err, float *ret_outputs)
{
	struct job job = make_job(inference, &inference->forward, inputs);

	int r = reserve_workspaces(inference, thread_pool_size(pool), inference->forward.n_values, err);
	if (r)
		return r;
	job.outputs = ret_outputs;
	thread_pool_run(pool, n, forward_task, &job);
	return 0;
}

int inference_gradient(struct inference *inference, struct thread_pool *pool, const float *inputs, size_t n,
		       inference_cotangent *cotangent, void *ctx, struct error *err, float *ret_gradients)
{
	struct job job = make_job(inference, &inference->both, inputs);

	int r = reserve_workspaces(inference, thread_pool_size(pool), inference->both.n_values, err);
	if (r)
		return r;
	job.cotangent = cotangent;
	job.ctx = ctx;
	job.gradients = ret_gradients;
	thread_pool_run(pool, n, gradient_task, &job);
	return 0;
}
