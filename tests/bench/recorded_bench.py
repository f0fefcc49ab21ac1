#!/usr/bin/env python3
"""The loop on recorded macaque V4 responses, through the real sockets (data: EVOKED_V4_DATA or ../shared/v4).

    recorded_bench.py counts                session 210325, single counts: R² on held-out images, batch by batch
    recorded_bench.py halves [--repeats N]  session 190923: fitted through the loop on the first 600 images (each shown N
                                            times, semi-synthetic single presentations), median plain r² to the recorded
                                            averages on the last 600; front end and 100-filter core
    recorded_bench.py neurons               1,000 presentations against the 33 published neurons of 190923
"""
import argparse
import json
import os
import pathlib
import sys
import tempfile
import zipfile

import numpy

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))
from harness import ROOT, Daemon, rows_of, run_evoke, start_rig, wait_for  # noqa: E402

DATA = pathlib.Path(os.environ.get("EVOKED_V4_DATA", ROOT / ".." / "shared" / "v4")).resolve()
NO_MIX = {f"batch.mix.{kind}": 0 for kind in ("natural", "gaudy", "informative_pool", "informative_synthesized",
                                              "maximizing", "minimizing", "parametric", "monitor", "sealed", "blank")}


def mix(**shares):
    return {**NO_MIX, **{f"batch.mix.{kind}": share for kind, share in shares.items()}}


def run_rig(daemon, *arguments, timeout_s=1800):
    rig = start_rig(daemon, *arguments, "--json")
    output = rig.communicate(timeout=timeout_s)[0]
    if rig.returncode:
        raise SystemExit(f"evoke rig: exit code {rig.returncode}\n{output}")
    return json.loads(output)


def exactly_once(path, report):
    stored, distinct = rows_of(path, "SELECT count(*), count(DISTINCT hex(run) || ':' || number) FROM presentation")[0]
    print(f"acknowledged {report['acknowledged']}, in the file {stored}, of these distinct {distinct}")
    if not stored == distinct == report["acknowledged"]:
        raise SystemExit("a presentation was lost or doubled")


def counts(options):
    with tempfile.TemporaryDirectory() as folder:
        settings = {"session.seed": options.seed, "images.pool": DATA / "images/images_210325.zip", "images.n_monitor": 100,
                    "images.n_sealed": 100, "batch.size": 50,
                    **mix(natural=0.3, informative_pool=0.3, monitor=0.3, sealed=0.1)}
        with Daemon(settings, small=False, folder=folder) as daemon:
            report = run_rig(daemon, "--dataset", DATA, "--session", "210325", "--rate", options.rate, "--seed", 1,
                             "--batches", options.batches, "--close")
            path = daemon.session_file()
            exactly_once(path, report)
            print(run_evoke("report", path).stdout)


def r2_on_second_half(model, backbone, n_first):
    """Plain r² of the predictions to the recorded averages on the images after the first n_first, median over units."""
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder) / "out.npy"
        run_evoke("predict", "--model", model, *(["--backbone", backbone] if backbone else []), "--images",
                  DATA / "images/images_190923.zip", "--first", n_first, "--out", out, timeout_s=600)
        predicted = numpy.load(out)
    recorded = numpy.load(DATA / "responses/responses_190923.npy")[:, n_first:]
    r = [numpy.corrcoef(p, y)[0, 1] for p, y in zip(predicted, recorded)]
    return float(numpy.median(numpy.square(r)))


def halves_with(backbone, options):
    n_first, size = 600, 100
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        pool = folder / "first_half"
        pool.mkdir()
        with zipfile.ZipFile(DATA / "images/images_190923.zip") as archive:
            for name in sorted(n for n in archive.namelist() if n.lower().endswith(".jpg"))[:n_first]:
                (pool / pathlib.Path(name).name).write_bytes(archive.read(name))
        settings = {"session.seed": options.seed, "images.pool": pool, "images.n_monitor": 0, "images.n_sealed": 0,
                    "batch.size": size, "model.backbone": backbone or "front_end", **mix(natural=1)}
        n_batches = n_first // size * options.repeats
        with Daemon(settings, small=False, folder=folder) as daemon:
            # One batch more than is scored: its hand-over asks for the fit that has seen all the others.
            run_rig(daemon, "--dataset", DATA, "--session", "190923", "--rate", options.rate, "--batches", n_batches + 1)
            path = daemon.session_file()

            def fit():
                return rows_of(path, """
                    SELECT d.outcome ->> 'model', count(p.seq) FROM decision d JOIN presentation p ON p.seq <= d.saw_seq
                    WHERE d.kind = 'fit' AND d.outcome IS NOT NULL GROUP BY d.seq HAVING count(p.seq) >= ?
                    ORDER BY d.seq LIMIT 1""", (n_batches * size - 8,))

            model, n_presentations = wait_for(fit, "the fit of all presentations", 300)[0]
            file = next(folder.glob(f"*.models/{model}.safetensors"))
            r2 = r2_on_second_half(file, backbone, n_first)
    print(f"{'front end' if not backbone else pathlib.Path(backbone).stem}: {n_presentations} presentations of {n_first} "
          f"images, median r² on the last 600: {r2:.3f}  (published compact models: 0.404)")


def halves(options):
    for backbone in (None, DATA / "cores/shared_compact_model_100filters.keras"):
        halves_with(backbone, options)


def neurons(options):
    models = sorted((DATA / "compact").glob("compact_model_190923_*.keras"))
    with tempfile.TemporaryDirectory() as folder:
        settings = {"session.seed": options.seed, "images.pool": DATA / "images/images_190923.zip"}
        with Daemon(settings, small=False, folder=folder) as daemon:
            report = run_rig(daemon, "--neurons", *models, "--calibrate", DATA / "images/images_210224.zip", "--rate",
                             options.rate, "--presentations", 1000, "--close")
            path = daemon.session_file()
            exactly_once(path, report)
            print(run_evoke("report", path).stdout)
            for name in ("wait", "acknowledgement", "round_trip"):
                print(f"{name}: " + ", ".join(f"{k} {v:.2f}" for k, v in report[name].items()))
            print("loop lateness:", daemon.status()["lateness"])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("counts", "halves", "neurons"))
    parser.add_argument("--rate", type=float, default=4, help="presentations a second")
    parser.add_argument("--batches", type=int, default=40, help="of counts")
    parser.add_argument("--repeats", type=int, default=5, help="of halves: how often each image is shown")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    if not DATA.is_dir():
        print(f"skipped: no data at {DATA} (EVOKED_V4_DATA)")
        return
    {"counts": counts, "halves": halves, "neurons": neurons}[options.what](options)


main()
