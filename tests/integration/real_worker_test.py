#!/usr/bin/env python3
"""The daemon with the real worker: refits, chosen and synthesized images, both killed on the way."""
import os
import signal
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from daemon_harness import DaemonCase  # noqa: E402
from harness import BUILD, run_evoke, wait_for  # noqa: E402

WORKER = BUILD / "evoked-worker"
SETTINGS = {"worker__program": WORKER, "images__pool": "dead_leaves:200", "images__n_monitor": 6, "images__n_sealed": 6,
            "batch__size": 24, "batch__mix__maximizing": 0.1, "batch__mix__informative_synthesized": 0.1,
            "fit__n_members": 2, "fit__n_steps": 20, "fit__n_bootstrap": 20, "synthesis__n_steps": 5,
            "selection__n_candidates": 50}


class RealWorkerTest(DaemonCase):
    def test_the_loop_learns_although_worker_and_daemon_are_killed(self):
        daemon = self.start(**SETTINGS)
        rig = self.open_rig(daemon)
        operator = self.operator(daemon)
        rig.show(rig.next_batch(0))
        batch = rig.next_batch(1)
        wait_for(lambda: (operator.ask("status")["worker"]["job"] or {}).get("kind") == "fit", "a refit")
        os.kill(operator.ask("status")["worker"]["pid"], signal.SIGKILL)
        rig.show(batch)
        self.wait_for_next(operator)
        batch = rig.next_batch(2)
        self.assertEqual(batch["origin"], "chosen")
        kinds = {slot["kind"] for slot in batch["slots"]}
        self.assertTrue({"natural", "monitor", "maximizing", "informative_synthesized"} <= kinds, kinds)
        rig.present(rig.block(3, range(10)))
        daemon.kill()

        daemon = self.start(worker__program=WORKER)  # all else is in the session file
        again = self.rig(daemon, rig.run)
        again.number = rig.number
        self.assertEqual(again.hello()["settled_through"], 58)
        self.assertEqual(again.next_batch(2)["raw"], batch["raw"])
        again.present(again.block(3, range(10, 24)))
        operator = self.operator(daemon)
        self.wait_for_next(operator)
        again.show(again.next_batch(3))
        self.assertEqual(again.ask("close")["type"], "closed")
        self.assertEqual(self.rows("SELECT count(*), count(DISTINCT number) FROM presentation"), [(96, 96)])
        self.assertEqual(self.rows("SELECT count(*) FROM decision WHERE outcome_hash IS NULL"), [(0,)])
        self.assertEqual(self.rows("SELECT count(DISTINCT kind) FROM decision"), [(5,)])
        parents = self.rows("SELECT parent_model FROM decision WHERE kind = 'fit' ORDER BY decision")
        models = self.rows("SELECT model FROM model ORDER BY seq")
        self.assertEqual(parents, [(None,)] + models[:-1])
        self.assertEqual(self.rows("SELECT count(*) FROM score WHERE image_set = 'sealed' AND unit = -1 AND shown"), [(1,)])
        held_out = self.rows("SELECT count(*) FROM slot JOIN image ON image.seq = slot.image "
                             "WHERE image.role != '' AND slot.kind != image.role")
        self.assertEqual(held_out, [(0,)])
        run_evoke("replay", self.file, "--verify")


if __name__ == "__main__":
    unittest.main(verbosity=2)
