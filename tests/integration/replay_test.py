#!/usr/bin/env python3
"""evoke replay on sessions that the daemon recorded with the real worker: equal, cut short, killed, and another pool."""
import json
import os
import signal
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from daemon_harness import BUILD, DaemonCase  # noqa: E402

SMALL = {"worker__program": os.path.join(BUILD, "evoked-worker"), "images__pool": "dead_leaves:150", "batch__size": 16,
         "fit__n_members": 2, "fit__n_steps": 30, "fit__mixing_channels": 8, "fit__n_bootstrap": 10, "selection__n_candidates": 40,
         "synthesis__n_steps": 5, "worker__threads": 2}


class ReplayTest(DaemonCase):
    def replay(self, *arguments):
        """(exit code, decisions, totals, differences)"""
        done = subprocess.run([os.path.join(BUILD, "evoke"), "replay", self.file, "--json", *arguments],
                              stdout=subprocess.PIPE, text=True, check=False)
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        decisions = [line for line in lines if "decision" in line]
        differences = [line["difference"] for line in lines if "difference" in line]
        return done.returncode, decisions, lines[-1] if lines else {}, differences

    def record(self, n_batches, **keys):
        daemon = self.start(**{**SMALL, **keys})
        rig = self.open_rig(daemon)
        operator = self.operator(daemon)
        for after in range(n_batches):
            rig.show(rig.next_batch(after))
            if after:
                self.wait_for_next(operator)
        return daemon, rig, operator

    def test_every_decision_is_equal_with_any_number_of_threads(self):
        daemon, rig, _ = self.record(4)
        self.assertEqual(rig.ask("close")["type"], "closed")
        daemon.stop()
        kinds = [row[0] for row in self.rows("SELECT kind FROM decision ORDER BY decision")]
        self.assertEqual(set(kinds), {"prepare", "draw", "fit", "batch", "evaluate"})
        for threads in ("1", "3"):
            code, decisions, totals, differences = self.replay("--verify", "--threads", threads)
            self.assertEqual([d["verdict"] for d in decisions], ["equal"] * len(kinds), decisions)
            self.assertEqual((code, totals["equal"], totals["differ"], differences), (0, len(kinds), 0, []))

    def test_a_killed_worker_and_a_restarted_daemon_leave_a_session_that_replays(self):
        daemon, rig, operator = self.record(2)
        pid = operator.ask("status")["worker"]["pid"]
        rig.show(rig.next_batch(2))
        os.kill(pid, signal.SIGKILL)
        self.wait_for_next(operator)
        rig.show(rig.next_batch(3))
        self.assertEqual(daemon.stop(signal.SIGKILL), -signal.SIGKILL)
        second = self.start("--session", self.file, **SMALL)
        again = self.rig(second, rig.run)
        again.number = rig.number
        self.assertEqual(again.hello()["type"], "welcome")
        self.wait_for_next(self.operator(second))
        second.stop()
        code, decisions, totals, _ = self.replay("--verify")
        self.assertEqual(code, 0, [d for d in decisions if d["verdict"] != "equal"])
        self.assertGreater(totals["equal"], 6)
        self.assertEqual(totals["first_divergence"], 0)

    def test_another_pool_is_named_and_the_first_divergence_is_told(self):
        daemon, _, _ = self.record(2)
        daemon.stop()
        code, decisions, totals, differences = self.replay("--verify", "--pool", "dead_leaves:149")
        self.assertEqual(code, 1)
        self.assertTrue(any(text.startswith("pool: recorded with manifest") for text in differences), differences)
        self.assertEqual((decisions[0]["kind"], decisions[0]["verdict"]), ("prepare", "differs"))
        self.assertEqual(totals["first_divergence"], 1)
        code, decisions, _, _ = self.replay("--verify", "--first", "--pool", "dead_leaves:149")
        self.assertEqual((code, len(decisions)), (1, 1))

    def test_what_is_no_session(self):
        done = subprocess.run([os.path.join(BUILD, "evoke"), "replay", __file__, "--verify"], stderr=subprocess.PIPE,
                              text=True, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertEqual(len(done.stderr.splitlines()), 1)
        done = subprocess.run([os.path.join(BUILD, "evoke"), "replay", "--thread"], stderr=subprocess.PIPE, text=True,
                              check=False)
        self.assertEqual(done.returncode, 2)


if __name__ == "__main__":
    unittest.main()
