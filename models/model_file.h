/* Model files as networks: safetensors with a graph (graph.h), or, through the converter child, what others made.
 *
 * The content decides, not the name. A Keras archive (a zip) is given to the program evoked-convert, found beside the
 * running program, else in the folder $EVOKED_LIBEXEC, else where it was installed; it works under limits of memory and
 * time and writes a temporary safetensors file. Thread: any. */
#ifndef EVOKED_MODELS_MODEL_FILE_H
#define EVOKED_MODELS_MODEL_FILE_H

#include "models/network.h"
#include "support/error.h"

/* -EINVAL names the file and what is wrong in it; -ENOENT; -ENOMEM. When the converter dies the error names file and
 * signal or limit (-ECHILD); when it is not found, the places that were tried. */
int model_file_open(const char *path, struct error *err, struct network **ret_network);

#endif
