#!/usr/bin/env python3
"""How the loop holds its promises while models are fitted: acknowledgements, the rig's wait, the loop thread's lateness.

    /usr/bin/python3 tests/bench/loop_bench.py [--batches 6] [--rate 20]

A scripted rig sends blocks of two presentations (60 units) at a fixed rate and asks for batches; the worker is the real one, with
its defaults. What the rig sees is measured on its side of the socket; lateness is the daemon's own.
"""
import argparse
import os
import statistics
import struct
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "integration"))
import daemon_harness  # noqa: E402
from daemon_harness import Client, Rig  # noqa: E402
from harness import Daemon  # noqa: E402

BLOCK = 2
N_UNITS = daemon_harness.N_UNITS = 60


def quantile(values, q):
    return statistics.quantiles(values, n=1000, method="inclusive")[int(q * 1000) - 1] if len(values) > 1 else float("nan")


def counts(rows):
    values = [(row["number"] * 31 + i * 17) % 7 for row in rows for i in range(N_UNITS * daemon_harness.N_BINS)]
    return ("responses", "u16", [len(rows), N_UNITS, daemon_harness.N_BINS], struct.pack("<%dH" % len(values), *values))


def run(n_batches, rate):
    waits, during, between = [], [], []
    with Daemon({"images.pool": "dead_leaves:1000", "batch.size": 96}, small=False) as daemon:
        rig, operator = Rig(daemon.rig), Client(daemon.control)
        rig.counts = counts
        rig.hello()
        rig.open(**daemon_harness.open_fields(n_units=N_UNITS))
        due = time.monotonic()
        for after in range(n_batches):
            begin = time.monotonic()
            batch = rig.next_batch(after)
            if after > 0:
                waits.append(time.monotonic() - begin)
            due = max(due, time.monotonic())
            for first in range(0, len(batch["slots"]), BLOCK):
                time.sleep(max(0.0, due - time.monotonic()))
                due += BLOCK / rate
                job = operator.ask("status")["worker"]["job"]
                rows = rig.block(batch["batch"], range(first, min(first + BLOCK, len(batch["slots"]))))
                begin = time.monotonic()
                rig.present(rows)
                busy = job is not None and job["kind"] in ("fit", "batch")
                (during if busy else between).append(time.monotonic() - begin)
        status = operator.ask("status")
    print("%d presentations in %d batches, %.0f a second; %d CPUs, load %.1f" %
          (status["presentations"]["stored"], n_batches, rate, os.cpu_count(), os.getloadavg()[0]))
    print("| ms | n | median | 99 % | largest |\n|---|---|---|---|---|")
    for name, values in (("acknowledgement during refits", during), ("acknowledgement between", between),
                         ("rig's wait for a batch, after the first", waits)):
        print("| %s | %d | %.2f | %.2f | %.2f |" % (name, len(values), 1e3 * quantile(values, 0.5),
                                                  1e3 * quantile(values, 0.99), 1e3 * max(values, default=0)))
    late = status["lateness"]
    print("| loop thread's lateness | %d | %.2f | %.2f | %.2f |" %
          (late["n"], late["p50_us"] / 1e3, late["p99_us"] / 1e3, late["max_us"] / 1e3))
    rows = status["batches"][2:]
    print("refits: median %.1f s; fallbacks: %d of %d" %
          (statistics.median([row["fit_seconds"] for row in rows if row["fit_seconds"]] or [float("nan")]),
           status["loop"]["n_fallback"], status["loop"]["n_batches"]))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--batches", type=int, default=6)
    parser.add_argument("--rate", type=float, default=20.0, help="presentations a second")
    arguments = parser.parse_args()
    run(arguments.batches, arguments.rate)


main()
