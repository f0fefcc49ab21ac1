/* A small recorded session in a temporary folder, for tests of what reads one. */
#ifndef EVOKED_TESTS_SESSION_FOLDER_H
#define EVOKED_TESTS_SESSION_FOLDER_H

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "stimuli/dead_leaves.h"
#include "support/atomic_file.h"
#include "support/npy.h"

enum { SESSION_SIDE_PX = 16, SESSION_PATH_SIZE = 256 };

struct session_folder {
	char path[32];
	int n_images;
};

static inline void session_folder_make(struct session_folder *folder)
{
	char path[SESSION_PATH_SIZE];
	/* A folder is as good as a zip (support/archive.h), whatever its name. */
	const char *const parts[] = {"images", "images/images_s1.zip", "responses", "responses_raw"};

	*folder = (struct session_folder){.path = "/tmp/session_folder_XXXXXX"};
	assert_non_null(mkdtemp(folder->path));
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
		snprintf(path, sizeof path, "%s/%s", folder->path, parts[i]);
		assert_int_equal(mkdir(path, 0700), 0);
	}
}

static inline struct image session_folder_image(uint32_t index)
{
	struct image image;

	assert_int_equal(dead_leaves_make(SESSION_SIDE_PX, SESSION_SIDE_PX, 1, index, NULL, &image), 0);
	return image;
}

/* Adds the next image: leaves number `index`; cut short if `is_broken`. */
static inline void session_folder_add(struct session_folder *folder, uint32_t index, int is_broken)
{
	struct image image = session_folder_image(index);
	char path[SESSION_PATH_SIZE];
	void *png;
	size_t size;

	assert_int_equal(image_encode_png(&image, NULL, &png, &size), 0);
	snprintf(path, sizeof path, "%s/images/images_s1.zip/image%04d.png", folder->path, ++folder->n_images);
	assert_int_equal(atomic_file_write(path, png, is_broken ? size / 2 : size, NULL), 0);
	free(png);
	image_done(&image);
}

static inline void session_folder_responses(const struct session_folder *folder, const char *kind, uint32_t n_dims,
					    const uint64_t *dims, const float *values)
{
	char path[SESSION_PATH_SIZE];

	snprintf(path, sizeof path, "%s/%s/responses_s1.npy", folder->path, kind);
	assert_int_equal(npy_write_f32(path, n_dims, dims, values, NULL), 0);
}

static inline void session_folder_remove(const struct session_folder *folder)
{
	const char *const files[] = {"responses/responses_s1.npy", "responses_raw/responses_s1.npy"};
	const char *const folders[] = {"images/images_s1.zip", "images", "responses", "responses_raw", ""};
	char path[SESSION_PATH_SIZE];

	for (int i = 1; i <= folder->n_images; i++) {
		snprintf(path, sizeof path, "%s/images/images_s1.zip/image%04d.png", folder->path, i);
		unlink(path);
	}
	for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
		snprintf(path, sizeof path, "%s/%s", folder->path, files[i]);
		unlink(path);
	}
	for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
		snprintf(path, sizeof path, "%s/%s", folder->path, folders[i]);
		rmdir(path);
	}
}

#endif
