#!/usr/bin/env python3
"""What operators see and can do: the snapshot, published and asked for, and the commands."""
import json
import os
import sys
import unittest

import zmq

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from daemon_harness import DaemonCase  # noqa: E402
from harness import wait_for  # noqa: E402


class ControlSocketTest(DaemonCase):
    def listen(self, daemon):
        socket = zmq.Context.instance().socket(zmq.SUB)
        socket.setsockopt(zmq.LINGER, 0)
        socket.setsockopt(zmq.SUBSCRIBE, b"")
        socket.connect(daemon.endpoints["status"])
        self.addCleanup(socket.close)
        return socket

    def test_the_snapshot_is_published_in_sequence_and_the_same_as_asked_for(self):
        daemon = self.start()
        listener = self.listen(daemon)
        rig = self.open_rig(daemon)
        rig.show(rig.next_batch(0))
        snapshots = []
        while len(snapshots) < 5:
            self.assertTrue(listener.poll(5000))
            frames = listener.recv_multipart()
            self.assertEqual(len(frames), 1)
            snapshots.append(json.loads(frames[0]))
        numbers = [snapshot["sequence"] for snapshot in snapshots]
        self.assertEqual(numbers, list(range(numbers[0], numbers[0] + 5)))
        asked = self.operator(daemon).ask("status")
        self.assertEqual(set(snapshots[-1]) - {"sequence"}, set(asked) - {"id", "raw"})
        self.assertEqual(asked["session"]["file"], self.file)
        self.assertEqual(asked["presentations"]["stored"], 20)
        self.assertLess(asked["lateness"]["p50_us"], 5000)
        self.assertEqual(asked["rig"]["run"], rig.run)

    def test_pause_holds_batches_and_takes_presentations(self):
        daemon = self.start()
        rig = self.open_rig(daemon)
        operator = self.operator(daemon)
        batch = rig.next_batch(0)
        self.assertEqual(operator.ask("pause", reason="the animal sleeps")["state"], "paused")
        self.assertEqual(rig.present(rig.block(batch["batch"], range(5)))["settled_through"], 5)
        answer = rig.ask("next_batch", run=rig.run, after=1)
        self.assertEqual((answer["type"], answer["reason"]), ("busy", "paused"))
        self.assertEqual(rig.ask("next_batch", run=rig.run, after=0)["type"], "batch")
        self.assertEqual(operator.ask("pause")["code"], "state")
        self.assertEqual(operator.ask("resume")["state"], "running")
        self.assertEqual(rig.next_batch(1)["batch"], 2)
        self.assertEqual(self.rows("SELECT name, detail FROM command"), [("pause", "the animal sleeps"), ("resume", None)])

    def test_natural_images_from_the_next_batch_on(self):
        daemon = self.start(images__pool="fake:fit_seconds=20")
        rig = self.open_rig(daemon)
        operator = self.operator(daemon)
        rig.show(rig.next_batch(0))
        rig.show(rig.next_batch(1))
        wait_for(lambda: (operator.ask("status")["worker"]["job"] or {}).get("kind") == "fit", "a refit")
        self.assertEqual(operator.ask("natural", on=True, reason="control")["type"], "done")
        for after in (2, 3):
            batch = rig.next_batch(after)
            self.assertLessEqual({slot["kind"] for slot in batch["slots"]}, {"natural", "monitor", "sealed", "blank"})
            rig.show(batch)
        self.assertEqual(self.rows("SELECT cause FROM decision WHERE kind = 'fit'"), [("operator",)])
        self.assertEqual(operator.ask("natural", on="yes")["code"], "malformed")
        self.assertEqual(operator.ask("natural", on=False)["type"], "done")
        rig.next_batch(4)
        wait_for(lambda: (operator.ask("status")["worker"]["job"] or {}).get("kind") == "fit", "refits go on")

    def test_an_excluded_unit_is_in_the_next_specification(self):
        daemon = self.start()
        rig = self.open_rig(daemon)
        operator = self.operator(daemon)
        self.assertEqual(operator.ask("exclude", unit=2, reason="noise")["type"], "done")
        self.assertEqual(operator.ask("exclude", unit=0, reason="noise")["type"], "done")
        self.assertEqual(operator.ask("include", unit=0, reason="better")["type"], "done")
        answer = operator.ask("exclude", unit=9, reason="?")
        self.assertEqual((answer["code"], answer["field"]), ("unknown_unit", "unit"))
        rig.show(rig.next_batch(0))
        rig.show(rig.next_batch(1))
        self.wait_for_next(operator)
        self.assertEqual(self.rows("SELECT json_extract(spec, '$.exclude') FROM decision WHERE kind = 'batch'"), [("[2]",)])

    def test_images_notes_and_stop(self):
        daemon = self.start()
        rig = self.open_rig(daemon)
        operator = self.operator(daemon)
        batch = rig.next_batch(0)
        image = batch["images"][3]
        answer = operator.ask("get_image", image=image["image"])
        self.assertEqual(answer["raw"][0], batch["raw"][0][image["offset"]:image["offset"] + image["size"]])
        self.assertEqual(operator.ask("get_image", image="0" * 64)["code"], "unknown_image")
        self.assertEqual(operator.ask("note", text="lamp changed")["type"], "done")
        self.assertEqual(operator.ask("dance")["code"], "unknown_type")
        rig.present(rig.block(batch["batch"], range(5)))
        self.assertEqual(operator.ask("stop")["type"], "done")
        self.assertEqual(daemon.process.wait(30), 0)
        self.assertEqual(self.rows("SELECT count(*) FROM presentation"), [(5,)])
        self.assertEqual(self.rows("SELECT state FROM state ORDER BY seq DESC LIMIT 1"), [("open",)])

    def test_an_operator_that_does_not_read_loses_answers_alone(self):
        daemon = self.start()
        rig = self.open_rig(daemon)
        batch = rig.next_batch(0)
        deaf = self.operator(daemon)
        deaf.socket.setsockopt(zmq.RCVHWM, 10)
        for slot in range(20):
            for _ in range(300):
                deaf.send("status")
            self.assertEqual(rig.present(rig.block(batch["batch"], [slot]))["settled_through"], slot + 1)
        operator = self.operator(daemon)
        wait_for(lambda: operator.ask("status")["clients"]["n_dropped"] > 0, "answers that nobody reads to be dropped")
        self.assertEqual(rig.next_batch(1)["batch"], 2)

    def test_without_a_session(self):
        operator = self.operator(self.start())
        self.assertEqual(operator.ask("pause")["code"], "unknown_session")
        status = operator.ask("status")
        self.assertEqual((status["state"], status["session"], status["loop"], status["batches"]), ("idle", None, None, []))


if __name__ == "__main__":
    unittest.main(verbosity=2)
