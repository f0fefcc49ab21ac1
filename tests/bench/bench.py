"""Measurements, one after another: ./dev bench [NAME ...], ./dev bench --list. Figures in the READMEs stand beside these names.

Machines are noisy: nothing else should run, and what is compared is compared in one run.
"""
import argparse
import os
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).parent
PYTHON = sys.executable


def benches(build):
    programs = build / "tests" / "bench"
    recorded = [PYTHON, HERE / "recorded_bench.py"]
    return {
        "store": ("commits and pages of the session file, beside raw fdatasync", [programs / "store_bench", build]),
        "stimuli": ("pools, dead leaves, built-in neurons, synthesis", [programs / "stimuli_bench"]),
        "loop": ("acknowledgements during refits and between, the rig's wait, the loop's lateness",
                 [PYTHON, HERE / "loop_bench.py", "--rate", "12"]),
        "neurons": ("1,000 presentations against the 33 published neurons of 190923", [*recorded, "neurons"]),
        "counts": ("session 210325 through the loop: R² on held-out images, batch by batch", [*recorded, "counts"]),
        "halves": ("session 190923: fitted on the first half through the loop, scored on the second",
                   [*recorded, "halves", "--repeats", "10", "--rate", "60"]),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--build", type=pathlib.Path, default=HERE.parents[1] / "build")
    parser.add_argument("--list", action="store_true")
    options = parser.parse_args()
    build = options.build.resolve()
    table = benches(build)
    unknown = [name for name in options.names if name not in table]
    if unknown or options.list:
        if unknown:
            print(f"no measurement called {', '.join(unknown)}", file=sys.stderr)
        for name, (what, _) in table.items():
            print(f"{name:10}{what}")
        return 2 if unknown else 0
    failed = 0
    for name in options.names or table:
        what, command = table[name]
        print(f"\n## {name}: {what}", flush=True)
        environment = {**os.environ, "EVOKED_BUILD": str(build)}
        failed |= subprocess.run([str(part) for part in command], env=environment, check=False).returncode != 0
    return int(failed)


sys.exit(main())
