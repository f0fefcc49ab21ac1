#!/usr/bin/env python3
"""evoke replay on sessions that the daemon recorded with the real worker: equal, cut short, killed, and another pool."""
import json
import os
import signal
import struct
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from daemon_harness import N_BINS, DaemonCase  # noqa: E402
from harness import BUILD, run_evoke  # noqa: E402

SMALL = {"worker__program": BUILD / "evoked-worker", "images__pool": "dead_leaves:150", "batch__size": 16,
         "fit__n_members": 2, "fit__n_steps": 30, "fit__mixing_channels": 8, "fit__n_bootstrap": 10, "selection__n_candidates": 40,
         "synthesis__n_steps": 5, "worker__threads": 2}


class ReplayTest(DaemonCase):
    def replay(self, *arguments):
        """(exit code, decisions, totals, differences)"""
        done = run_evoke("replay", self.file, "--json", *arguments, check=False)
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
        daemon.kill()
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

    def test_units_added_amendments_exclusions_and_slots_shown_again(self):
        daemon, rig, operator = self.record(2)
        batch = rig.next_batch(2)
        slots = [slot["slot"] for slot in batch["slots"]]
        rig.present(rig.block(3, slots[:8]))
        rig.present(rig.block(3, slots[8:], outcome="broken_fixation"))
        self.assertEqual(rig.ask("amend", run=rig.run, number=3, outcome="artifact", reason="noise")["type"], "amended")
        self.assertEqual(operator.ask("exclude", unit=1, reason="unstable")["type"], "done")
        self.wait_for_next(operator)
        answer = rig.ask("units", run=rig.run, from_number=rig.number + 1, retire=[0],
                         add=[{"id": 7, "label": "new", "array": 0}, {"id": 8, "label": "newer", "array": 0}])
        self.assertEqual(answer["type"], "units_set")
        for after in (3, 4, 5):
            batch = rig.next_batch(after)
            rows = rig.block(batch["batch"], [slot["slot"] for slot in batch["slots"]])
            values = [(row["number"] + i) % 5 for row in rows for i in range(4 * N_BINS)]
            counts = ("responses", "u16", [len(rows), 4, N_BINS], struct.pack("<%dH" % len(values), *values))
            answer = rig.ask_patiently("presentations", [counts], run=rig.run, presentations=rows)
            self.assertEqual((answer["type"], answer["refused"]), ("settled", []))
            self.wait_for_next(operator)
        daemon.stop()
        fits = self.rows("SELECT json_extract(spec, '$.n_units') FROM decision WHERE kind = 'fit' ORDER BY decision")
        self.assertEqual((fits[0][0], fits[-1][0]), (3, 5))
        self.assertTrue(self.rows("SELECT 1 FROM decision WHERE json_array_length(spec, '$.requeue') > 0"))
        self.assertEqual(self.rows("SELECT json_extract(spec, '$.exclude') FROM decision WHERE kind = 'batch' "
                                   "ORDER BY decision DESC LIMIT 1"), [("[1,0]",)])
        code, decisions, totals, _ = self.replay("--verify")
        self.assertEqual(code, 0, [d for d in decisions if d["verdict"] != "equal"])
        self.assertEqual(totals["equal"], len(decisions))

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

    def test_another_build_is_named(self):
        daemon, _, _ = self.record(1)
        daemon.stop()
        other = os.path.join(self.folder, "other-worker")
        with open(BUILD / "evoked-worker", "rb") as program, open(other, "wb") as copy:
            copy.write(program.read() + b"\0")
        os.chmod(other, 0o755)
        code, _, _, differences = self.replay("--verify", "--worker", other)
        self.assertEqual((code, len(differences)), (0, 1), differences)
        self.assertTrue(differences[0].startswith("build: recorded with "), differences)

    def test_what_is_no_session(self):
        done = run_evoke("replay", __file__, "--verify", check=False)
        self.assertEqual((done.returncode, len(done.stderr.splitlines())), (1, 1))
        self.assertEqual(run_evoke("replay", "--threads", "-1", self.file, check=False).returncode, 2)


if __name__ == "__main__":
    unittest.main(verbosity=2)
