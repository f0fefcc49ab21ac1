"""Models that Keras itself wrote, through `evoke predict`, against Keras' own answers.

usage: keras_test.py BUILD. Makes random networks of every supported layer (odd sizes, even strides, normalization with
statistics of its own), saves them as .keras, and compares both programs' outputs on the same PNG files to 1e-4 of each
output's SD. Prints `N passed, N failed`.
"""
import os
import pathlib
import subprocess
import sys
import tempfile

os.environ["KERAS_BACKEND"] = "torch"

import keras  # noqa: E402
import numpy  # noqa: E402
from PIL import Image  # noqa: E402

MEAN = numpy.array([116.222, 109.270, 100.381], dtype=numpy.float32)  # taken off by the published networks' users
N_IMAGES = 6
layers = keras.layers


def block(x, layer):
    return layers.ReLU()(layers.BatchNormalization(epsilon=1e-3)(layer(x)))


def compact(size):
    """The compact network of the paper, narrower."""
    start = x = layers.Input((size, size, 3))
    x = block(x, layers.Conv2D(11, 5, padding="same"))
    x = block(x, layers.SeparableConv2D(7, 5, strides=2, padding="same"))
    x = block(x, layers.SeparableConv2D(9, 5, strides=2, padding="same"))
    x = block(x, layers.SeparableConv2D(5, 5, padding="same"))
    return keras.Model(start, layers.Dense(3)(layers.Flatten()(x)))


def core(size):
    """A shared core with the factorized readout."""
    start = x = layers.Input((size, size, 3))
    x = block(x, layers.Conv2D(8, 5, padding="same"))
    x = block(x, layers.SeparableConv2D(6, 5, strides=2, padding="same"))
    x = layers.Conv2D(13, 1)(x)
    x = layers.DepthwiseConv2D(x.shape[1], padding="valid")(x)
    return keras.Model(start, layers.Flatten()(x))


def strided(size):
    """Strides, kernels and paddings that the published models do not use."""
    start = x = layers.Input((size, size, 3))
    x = block(x, layers.Conv2D(6, 7, strides=3, padding="valid"))
    x = block(x, layers.DepthwiseConv2D(3, strides=2, padding="same"))
    x = layers.MaxPooling2D(2)(x)
    x = layers.Activation("relu")(layers.Conv2D(4, 2, padding="same", use_bias=False)(x))
    return keras.Model(start, layers.Dense(2)(layers.Flatten()(x)))


def randomize(model, seed):
    rng = numpy.random.default_rng(seed)
    for layer in model.layers:
        weights = []
        for w in layer.get_weights():
            weights.append((w + 0.1 * rng.standard_normal(w.shape)).astype(numpy.float32))
        if isinstance(layer, layers.BatchNormalization):
            weights[3] = numpy.abs(weights[3]) + 0.5  # moving variance
        layer.set_weights(weights)


def check(name, make, size, build, seed):
    rng = numpy.random.default_rng(seed)
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        model = make(size)
        randomize(model, seed)
        model.save(folder / "model.keras")
        images = rng.integers(0, 256, (N_IMAGES, size, size, 3), dtype=numpy.uint8)
        (folder / "images").mkdir()
        for i, pixels in enumerate(images):
            Image.fromarray(pixels).save(folder / "images" / f"image{i:02}.png")
        subprocess.run([build / "evoke", "predict", "--model", folder / "model.keras", "--images", folder / "images",
                        "--out", folder / "out.npy"], check=True)
        ours = numpy.load(folder / "out.npy").T
        theirs = numpy.asarray(model.predict(images.astype(numpy.float32) - MEAN, verbose=0))
    worst = numpy.max(numpy.abs(ours - theirs) / theirs.std(axis=0))
    print(f"{name}: largest difference {worst:.1e} of the SD")
    return ours.shape == theirs.shape and worst < 1e-4


def main():
    build = pathlib.Path(sys.argv[1]).resolve()
    cases = [("compact 112", compact, 112), ("core 112", core, 112), ("strided 112", strided, 112)]
    results = []
    for seed, (name, make, size) in enumerate(cases, 1):
        try:
            results.append(check(name, make, size, build, seed))
        except (subprocess.CalledProcessError, ValueError) as error:
            print(f"{name}: {error}")
            results.append(False)
    print(f"{sum(results)} passed, {len(results) - sum(results)} failed")
    return 0 if all(results) else 1


sys.exit(main())
