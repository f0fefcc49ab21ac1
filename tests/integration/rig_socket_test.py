#!/usr/bin/env python3
"""What the rig's socket promises: once on disk, stored once, one rig at a time, and bad input costs nothing."""
import json
import os
import secrets
import struct
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from daemon_harness import Client, DaemonCase, N_BINS, N_UNITS, open_fields  # noqa: E402
from harness import wait_for  # noqa: E402
from fake_image import png_of  # noqa: E402


class RigSocketTest(DaemonCase):
    def test_resending_is_safe_and_other_content_is_kept_aside(self):
        rig = self.open_rig(self.start())
        batch = rig.next_batch(0)
        rows = rig.block(batch["batch"], range(5))
        first = rig.present(rows)
        self.assertEqual((first["settled_through"], first["conflicts"]), (5, []))
        self.assertEqual(rig.present(rows)["settled_through"], 5)
        changed = [dict(rows[2], trial=77)]
        answer = rig.present(changed)
        self.assertEqual((answer["settled_through"], answer["conflicts"]), (5, [3]))
        self.assertEqual(self.rows("SELECT number, trial FROM presentation ORDER BY number"),
                         [(row["number"], row["trial"]) for row in rows])
        self.assertEqual(self.rows("SELECT number FROM conflict"), [(3,)])

    def test_gaps_never_block(self):
        rig = self.open_rig(self.start())
        batch = rig.next_batch(0)
        rows = rig.block(batch["batch"], range(6))
        answer = rig.present([rows[0], rows[4]])
        self.assertEqual((answer["settled_through"], answer["missing"]), (1, [2, 3, 4]))
        answer = rig.present(rows[1:4])
        self.assertEqual((answer["settled_through"], answer["missing"]), (5, []))

    def test_a_refused_presentation_is_settled_with_its_reason(self):
        rig = self.open_rig(self.start())
        batch = rig.next_batch(0)
        rows = rig.block(batch["batch"], [0, 400, 1])
        answer = rig.present(rows)
        self.assertEqual((answer["settled_through"], len(answer["refused"])), (3, 1))
        self.assertEqual(answer["refused"][0]["number"], 2)
        self.assertIn("slot", answer["refused"][0]["reason"])
        rows = rig.block(9, [0])
        self.assertEqual(rig.present(rows)["refused"][0]["number"], 4)
        self.assertEqual(self.rows("SELECT number FROM refusal ORDER BY number"), [(2,), (4,)])
        self.assertEqual(self.rows("SELECT number FROM presentation ORDER BY number"), [(1,), (3,)])

    def test_a_number_too_far_ahead_is_an_error(self):
        rig = self.open_rig(self.start())
        batch = rig.next_batch(0)
        rows = [dict(rig.block(batch["batch"], [0])[0], number=70000)]
        answer = rig.present(rows)
        self.assertEqual((answer["type"], answer["code"], answer["field"]), ("error", "invalid", "number"))
        self.assertIn("65536", answer["text"])
        self.assertEqual(self.rows("SELECT count(*) FROM presentation"), [(0,)])

    def test_a_second_rig_is_told_who_writes_until_that_one_is_silent(self):
        daemon = self.start()
        rig = self.open_rig(daemon)
        second = self.rig(daemon)
        answer = second.hello()
        self.assertEqual((answer["type"], answer["holder"]), ("busy", rig.run))
        answer = second.ask("next_batch", run=second.run, after=0)
        self.assertEqual((answer["type"], answer["holder"]), ("busy", rig.run))
        self.assertEqual(rig.next_batch(0)["batch"], 1)
        welcome = second.ask_patiently("hello", run=second.run)
        self.assertEqual((welcome["type"], welcome["settled_through"], welcome["next_after"]), ("welcome", 0, 1))
        self.assertEqual(rig.ask("next_batch", run=rig.run, after=0)["type"], "busy")

    def test_a_reconnected_rig_is_the_same_and_a_restarted_one_begins_a_run(self):
        daemon = self.start()
        rig = self.open_rig(daemon)
        batch = rig.next_batch(0)
        rig.present(rig.block(batch["batch"], range(3)))
        again = self.rig(daemon, rig.run)
        again.number = 3
        self.assertEqual(again.present(again.block(batch["batch"], [3]))["settled_through"], 4)
        again.run = secrets.token_hex(16)
        self.assertEqual(again.hello()["settled_through"], 0)
        again.number = 0
        self.assertEqual(again.present(again.block(batch["batch"], [4, 5]))["settled_through"], 2)
        self.assertEqual(self.rows("SELECT run, number FROM presentation ORDER BY run, number"),
                         [(1, 1), (1, 2), (1, 3), (1, 4), (2, 1), (2, 2)])

    def test_before_hello_and_before_open(self):
        daemon = self.start()
        rig = self.rig(daemon)
        self.assertEqual(rig.open()["code"], "state")
        rig.hello()
        self.assertEqual(rig.ask("next_batch", run=rig.run, after=0)["code"], "unknown_session")
        self.assertEqual(rig.ask("close")["code"], "state")

    def test_open_again(self):
        rig = self.open_rig(self.start())
        opened = rig.open()
        self.assertEqual(opened["type"], "opened")
        self.assertEqual(rig.open(**open_fields(n_units=4))["code"], "state")
        self.assertEqual(rig.open()["session"], opened["session"])

    def test_a_configured_name_goes_before_the_rigs(self):
        daemon = self.start(session__name="mine")
        rig = self.open_rig(daemon)
        self.assertEqual(os.listdir(self.folder).count("mine.db"), 1)
        self.assertEqual(rig.open()["type"], "opened")
        self.assertEqual(rig.hello()["session_name"], "mine")
        daemon.stop()
        again = self.rig(self.start(), rig.run)
        again.hello()
        self.assertEqual(again.open()["type"], "opened")

    def test_bad_messages_are_refused_by_name(self):
        daemon = self.start()
        rig = self.open_rig(daemon)
        batch = rig.next_batch(0)
        rig.present(rig.block(batch["batch"], range(2)))
        cases = [([b"not json"], "malformed", ""), ([b"[]"], "malformed", ""), ([b'{"v":1}'], "malformed", "type"),
                 ([b'{"v":99,"type":"hello"}'], "version", "99"), ([b'{"v":1,"type":"dance"}'], "unknown_type", "dance"),
                 ([b'{"v":1,"type":"hello","run":5}'], "malformed", "run"), ([b"x" * (9 << 20)], "too_large", "bytes"),
                 ([b"{}"] * 40, "too_large", "frames"),
                 ([json.dumps({"v": 1, "type": "next_batch", "run": rig.run}).encode()], "malformed", "after")]
        for frames, code, word in cases:
            rig.socket.send_multipart(frames)
            answer, _ = rig.receive()
            self.assertEqual((answer["type"], answer["code"]), ("error", code), answer)
            self.assertIn(word, answer["text"])
        rows = rig.block(batch["batch"], [2])
        wrong = ("responses", "u16", [1, N_UNITS + 1, N_BINS], struct.pack("<%dH" % ((N_UNITS + 1) * N_BINS), *[0] * 8))
        answer = rig.ask("presentations", [wrong], run=rig.run, presentations=rows)
        self.assertEqual((answer["type"], answer["code"]), ("error", "invalid"))
        self.assertIn("unit", answer["text"])
        huge = ("responses", "u16", [1, N_UNITS, N_BINS], struct.pack("<6H", 20000, *[0] * 5))
        answer = rig.ask("presentations", [huge], run=rig.run, presentations=rows)
        self.assertEqual(answer["refused"][0]["number"], rows[0]["number"])
        self.assertIn("10000", answer["refused"][0]["reason"])
        self.assertEqual(self.rows("SELECT count(*) FROM presentation"), [(2,)])
        self.assertEqual(rig.ask("note", text="still there")["type"], "noted")

    def test_a_message_over_the_hard_limit_costs_only_its_sender_the_connection(self):
        daemon = self.start()
        rig = self.open_rig(daemon)
        other = Client(daemon.rig)
        self.addCleanup(other.close)
        other.socket.send(b"x" * (17 << 20))
        self.assertEqual(rig.next_batch(0)["batch"], 1)

    def test_units_come_and_go(self):
        rig = self.open_rig(self.start())
        batch = rig.next_batch(0)
        rig.present(rig.block(batch["batch"], range(2)))
        change = {"from_number": 3, "add": [{"id": 7, "label": "new", "array": 0}], "retire": [0, 1]}
        answer = rig.ask("units", run=rig.run, **change)
        self.assertEqual((answer["type"], answer["n_units"]), ("units_set", N_UNITS + 1))
        self.assertEqual(rig.ask("units", run=rig.run, **change)["type"], "units_set")
        rows = rig.block(batch["batch"], [2])
        two = ("responses", "u16", [1, 2, N_BINS], struct.pack("<4H", 1, 2, 3, 4))
        self.assertEqual(rig.ask("presentations", [two], run=rig.run, presentations=rows)["settled_through"], 3)
        answer = rig.ask("units", run=rig.run, from_number=9, add=[{"id": 0, "label": "again", "array": 0}])
        self.assertEqual((answer["type"], answer["code"]), ("error", "invalid"))
        self.assertEqual(rig.open()["type"], "opened")

    def test_the_rigs_own_image(self):
        rig = self.open_rig(self.start())
        rig.next_batch(0)
        png, name = png_of((10, 200, 30), 32, 32)
        stored = rig.ask("image", [("png", "bytes", [len(png)], png)], run=rig.run, width_px=32, height_px=32)
        self.assertEqual((stored["type"], stored["image"]), ("image_stored", name))
        row = dict(rig.block(0, [0])[0], image=name)
        del row["batch"], row["slot"]
        self.assertEqual(rig.ask("presentations", [rig.counts([row])], run=rig.run, presentations=[row])["settled_through"], 1)
        for bad, word in ((png[:60], "PNG"), (b"GIF89a" + bytes(100), "PNG"), (png_of((1, 2, 3), 16, 16)[0], "16 x 16")):
            answer = rig.ask("image", [("png", "bytes", [len(bad)], bad)], run=rig.run, width_px=32, height_px=32)
            self.assertEqual((answer["type"], answer["field"]), ("error", "png"), answer)
            self.assertIn(word.lower(), answer["text"].lower())
        unknown = dict(row, number=2, image="0" * 64)
        answer = rig.ask("presentations", [rig.counts([unknown])], run=rig.run, presentations=[unknown])
        self.assertEqual(answer["refused"][0]["number"], 2)

    def test_amendments_and_notes(self):
        rig = self.open_rig(self.start())
        batch = rig.next_batch(0)
        rig.present(rig.block(batch["batch"], range(2)))
        answer = rig.ask("amend", run=rig.run, number=2, outcome="artifact", reason="cable")
        self.assertEqual((answer["type"], answer["number"]), ("amended", 2))
        self.assertEqual(rig.ask("amend", run=rig.run, number=99, reason="x")["type"], "error")
        self.assertEqual(rig.ask("amend", run=rig.run, number=2, outcome="odd", reason="x")["field"], "outcome")
        self.assertEqual(rig.ask("note", text="the animal sleeps")["type"], "noted")
        self.assertEqual(self.rows("SELECT number, outcome FROM amendment"), [(2, "artifact")])
        self.assertEqual(self.rows("SELECT text FROM note"), [("the animal sleeps",)])
        self.assertEqual(self.rows("SELECT outcome, outcome_sent FROM presentations WHERE number = 2"),
                         [("artifact", "complete")])

    def test_many_messages_at_once_are_all_answered(self):
        rig = self.open_rig(self.start())
        batch = rig.next_batch(0)
        n = 900  # below ENDPOINT_QUEUE: a client that does not read loses answers beyond it
        for i in range(n):
            rows = rig.block(batch["batch"], [i % 20])
            rig.send("presentations", [rig.counts(rows)], run=rig.run, presentations=rows)
        answered, through = 0, 0
        while answered < n:
            answer, _ = rig.receive()
            self.assertEqual(answer["type"], "settled")
            answered, through = answered + 1, max(through, answer["settled_through"])
        self.assertEqual(through, n)
        wait_for(lambda: self.rows("SELECT count(*) FROM presentation") == [(n,)], "all rows")


if __name__ == "__main__":
    unittest.main(verbosity=2)
