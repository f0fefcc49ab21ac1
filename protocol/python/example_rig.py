"""A whole rig in thirty lines. Start a daemon (build/evoked), then this: python3 protocol/python/example_rig.py [ENDPOINT]

It "shows" each image that the daemon asks for, answers with made-up spike counts of 20 units, and stops after 5 batches.
Put your display and your recording system in the place of show_and_record().
"""
import sys
import time

import numpy as np
from evoked import Rig

N_UNITS = 20


def show_and_record(png, rng):
    """Yours: shows the image, returns when it appeared and the spike count of each unit, 50 to 150 ms after that."""
    return int(1e6 * time.monotonic()), rng.poisson(1 + len(png) % 5, N_UNITS)


def main(endpoint="tcp://127.0.0.1:5571", n_batches=5):
    rng = np.random.default_rng(1)
    with Rig(endpoint) as rig:
        rig.open("example", n_units=N_UNITS, bins_ms=[(50, 150)])
        trial = 0
        for _ in range(n_batches):
            batch = rig.next_batch()
            for i, slot in enumerate(batch):
                trial += i % 8 == 0  # eight images in one fixation
                onset_us, counts = show_and_record(slot.png, rng)
                rig.push(slot, counts, trial=trial, position=i % 8, onset_us=onset_us, onset_source="photodiode")
            print(f"batch {batch.number} ({batch.origin}): {len(batch)} images, {rig.n_settled} presentations on disk")
        rig.flush()
        print(f"all {rig.n_settled} presentations are on disk")


if __name__ == "__main__":
    main(*sys.argv[1:])
