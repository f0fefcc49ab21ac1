/* The configuration: one table of keys with type, range, default and text gives parsing, errors with line numbers
 * and the reference page. YAML file (libyaml), then `--set key=value`. */
#ifndef EVOKED_DAEMON_CONFIG_H
#define EVOKED_DAEMON_CONFIG_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "support/error.h"
#include "support/hash.h"

enum { CONFIG_TEXT_MAX = 1024 };

/* How a batch is mixed: shares of its slots; they need not sum to 1 (they are scaled). */
struct config_mix {
	double natural, gaudy, informative_pool, informative_synthesized, maximizing, minimizing, parametric, monitor,
		sealed, blank;
};

struct config {
	struct {
		char name[65];
		char dir[CONFIG_TEXT_MAX];
		uint64_t seed;
	} session; /* dir: where files go; seed 0: drawn */
	struct {
		char rig[128], status[128], control[128];
		bool insecure;
	} listen; /* ZeroMQ endpoints */
	struct {
		char pool[CONFIG_TEXT_MAX]; /* folder, zip, or dead_leaves:N */
		uint32_t width_px, height_px;
		bool resize;
		uint32_t n_monitor, n_sealed;
	} images;
	struct {
		uint32_t size, max_requeue, stock;
		struct config_mix mix;
	} batch; /* stock: fallback batches kept ready */
	struct {
		char backbone[CONFIG_TEXT_MAX];
		char backbone_cut[64];
	} model;
	struct {
		uint32_t n_members, mixing_channels, n_steps, batch_size;
		double learning_rate, weight_decay;
		uint32_t n_bootstrap;
	} fit;
	struct {
		uint32_t n_candidates;
	} selection;
	struct {
		uint32_t n_steps;
		double step_size, rms_contrast, mean_luminance, response_cap;
	} synthesis;
	struct {
		char program[CONFIG_TEXT_MAX];
		uint32_t threads, memory_mib;
	} worker; /* program "": beside evoked */
};

/* Defaults. */
void config_init(struct config *config);
/* Reads a file over what is there. Errors: "FILE:LINE: batch.size: a whole number from 1 to 1000 expected, found 0"
 * (-EINVAL), -ENOENT. */
int config_load(struct config *config, const char *path, struct error *err);
/* One `key=value`. */
int config_set(struct config *config, const char *assignment, struct error *err);
/* Settings that contradict each other (sizes not supported, mix all zero, non-loopback endpoint without insecure). */
int config_check(const struct config *config, struct error *err);
/* The whole configuration as canonical YAML, malloc'ed: written into the session file, hashed, and read again at
 * resume. */
int config_text(const struct config *config, struct error *err, char **ret_text);
int config_parse(struct config *config, const char *text, const char *name, struct error *err);
void config_hash(const char *text, struct hash *ret_hash);
/* The reference page (Markdown table of all keys), generated from the same table. */
void config_reference(FILE *out);

#endif
