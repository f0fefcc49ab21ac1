"""evoke predict: its array against NumPy on a model and images of the test's own, and on the published models."""
import json
import os
import pathlib
import shutil
import struct
import tempfile
import unittest
import zipfile
import zlib

import numpy as np

from harness import ROOT, main, run_evoke

DATA = pathlib.Path(os.environ.get("EVOKED_V4_DATA", ROOT.parent / "shared" / "v4"))
# Images of a session that the quick suite looks at; EVOKED_V4_ALL=1: all of them.
N_QUICK = 6


def png(pixels):
    """uint8 [height, width, 3] as PNG bytes."""
    height, width, _ = pixels.shape

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)) +
            chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def write_dense_model(path, kernel):
    """One dense layer on 4 x 4 x 3 images: kernel [48, n]."""
    graph = {"version": 1, "input": [4, 4, 3], "layers": [
        {"name": "d", "kind": "dense", "inputs": ["input"], "channels": kernel.shape[1]}]}
    header = json.dumps({"__metadata__": {"evoked.graph": json.dumps(graph)},
                         "d/kernel": {"dtype": "F32", "shape": list(kernel.shape), "data_offsets": [0, kernel.nbytes]}})
    path.write_bytes(struct.pack("<Q", len(header)) + header.encode() + kernel.tobytes())


class PredictTest(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="predict_test."))
        self.addCleanup(shutil.rmtree, self.folder)
        random = np.random.default_rng(1)
        self.kernels = [random.standard_normal((48, n)).astype(np.float32) for n in (2, 3)]
        self.models = [self.folder / f"m{i}.safetensors" for i in range(2)]
        for path, kernel in zip(self.models, self.kernels):
            write_dense_model(path, kernel)
        self.images = random.integers(0, 256, (70, 4, 4, 3), dtype=np.uint8)
        self.zip = self.folder / "images.zip"
        with zipfile.ZipFile(self.zip, "w") as archive:
            for i in reversed(range(70)):
                archive.writestr(f"image{i:03}.png", png(self.images[i]))
            archive.writestr("notes.txt", "not an image")
        self.out = self.folder / "out.npy"

    def predict(self, *more, images=None, check=True):
        return run_evoke("predict", "--model", self.models[0], "--model", self.models[1], "--images", images or self.zip,
                         "--out", self.out, *more, check=check)

    def expected(self, kernel):
        return (self.images.reshape(70, 48).astype(float) @ kernel.astype(float)).T

    def assert_close(self, first=0, count=70):
        found = np.load(self.out)
        self.assertEqual(found.dtype, np.float32)
        expected = np.concatenate([self.expected(kernel) for kernel in self.kernels])[:, first:first + count]
        self.assertEqual(found.shape, expected.shape)
        np.testing.assert_allclose(found, expected, atol=0.02)

    def test_outputs_by_images(self):
        self.predict()
        self.assert_close()
        whole = self.out.read_bytes()
        self.predict("--threads", 1)
        self.assertEqual(self.out.read_bytes(), whole)

    def test_part_of_the_images(self):
        self.predict("--first", 3, "--count", 66)
        self.assert_close(3, 66)
        self.predict("--first", 69)
        self.assert_close(69, 1)

    def test_a_folder(self):
        with zipfile.ZipFile(self.zip) as archive:
            archive.extractall(self.folder / "images")
        self.predict(images=self.folder / "images")
        self.assert_close()

    def test_a_broken_image_is_named_and_keeps_its_place(self):
        with zipfile.ZipFile(self.zip) as archive:
            archive.extractall(self.folder / "images")
        broken = self.folder / "images" / "image007.png"
        broken.write_bytes(broken.read_bytes()[:40])
        result = self.predict(images=self.folder / "images")
        self.assertIn("image007.png", result.stderr)
        found = np.load(self.out)
        self.assertTrue(np.isnan(found[:, 7]).all())
        self.assertFalse(np.isnan(np.delete(found, 7, axis=1)).any())

    def test_failures_write_nothing(self):
        other = self.folder / "other"
        other.mkdir()
        (other / "a.png").write_bytes(png(np.zeros((5, 4, 3), np.uint8)))
        result = self.predict(images=other, check=False)
        self.assertEqual(result.returncode, 1)
        self.assertIn("a.png has 4 x 5 pixels, the models take 4 x 4", result.stderr)
        result = self.predict(images=self.folder / "nowhere", check=False)
        self.assertEqual(result.returncode, 1)
        self.assertIn("nowhere", result.stderr)
        self.models[1].write_bytes(self.models[1].read_bytes()[:-1])
        result = self.predict(check=False)
        self.assertEqual(result.returncode, 1)
        self.assertIn("m1.safetensors: safetensors: tensor d/kernel", result.stderr)
        self.assertFalse(self.out.exists())

    def test_wrong_use(self):
        for more in (["--first", 70], ["--first", 60, "--count", 11], ["--first", -1], ["--nonsense"]):
            self.assertEqual(self.predict(*more, check=False).returncode, 2, more)


@unittest.skipUnless(DATA.is_dir(), f"no recorded data at {DATA}: set EVOKED_V4_DATA")
class PublishedModelsTest(unittest.TestCase):
    """Within 1e-3 of each neuron's SD of answers that were computed elsewhere (../shared/v4/README.md)."""

    def compare(self, models, images, expected, n_quick):
        expected = np.load(DATA / "expected" / expected)
        n = expected.shape[1] if os.environ.get("EVOKED_V4_ALL") else n_quick
        with tempfile.TemporaryDirectory() as folder:
            out = pathlib.Path(folder) / "out.npy"
            run_evoke("predict", "--model", *models, "--images", DATA / "images" / images, "--count", n, "--out", out,
                      timeout_s=1800)
            found = np.load(out)
        self.assertEqual(found.shape, (expected.shape[0], n))
        difference = np.abs(found - expected[:, :n]) / expected.std(axis=1, keepdims=True)
        self.assertLess(difference.max(), 1e-3)

    def test_compact_models_of_190923(self):
        models = [DATA / "compact" / f"compact_model_190923_neuron{i}.keras" for i in range(33)]
        self.compare(models, "images_190923.zip", "compact_on_190923.npy", N_QUICK)

    def test_core_of_100_filters(self):
        self.compare([DATA / "cores" / "shared_compact_model_100filters.keras"], "images_210325.zip",
                     "core100_on_210325_first100.npy", N_QUICK)


main()
