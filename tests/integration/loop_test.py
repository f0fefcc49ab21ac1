#!/usr/bin/env python3
"""The schedule through the real sockets: a scripted rig, and a worker that makes flat images and fails when asked to."""
import os
import signal
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from daemon_harness import DaemonCase  # noqa: E402
from harness import wait_for  # noqa: E402


class LoopTest(DaemonCase):
    def test_batches_follow_each_other_and_learn(self):
        daemon = self.start()
        rig = self.rig(daemon)
        welcome = rig.hello()
        self.assertEqual((welcome["type"], welcome["state"], welcome["session"]), ("welcome", "idle", None))
        opened = rig.open()
        self.assertEqual((opened["type"], opened["seed"]), ("opened", "%016x" % 7))
        operator = self.operator(daemon)
        for after in range(4):
            batch = rig.next_batch(after)
            self.assertEqual((batch["batch"], batch["origin"], len(batch["slots"])), (after + 1, "chosen", 20))
            for image in batch["images"]:
                png = batch["raw"][0][image["offset"]:image["offset"] + image["size"]]
                self.assertTrue(png.startswith(b"\x89PNG"))
            answer = rig.show(batch)
            self.assertEqual((answer["settled_through"], answer["missing"], answer["conflicts"]), (rig.number, [], []))
            self.wait_for_next(operator)
        self.assertEqual(self.rows("SELECT count(*) FROM presentation"), [(80,)])
        kinds = [row[0] for row in self.rows("SELECT kind FROM decision ORDER BY decision")]
        self.assertEqual(kinds[:3], ["prepare", "draw", "draw"])
        self.assertGreaterEqual(kinds.count("fit"), 2)
        self.assertEqual(kinds.count("fit"), kinds.count("batch"))
        self.assertEqual(self.rows("SELECT DISTINCT cause FROM decision"), [("planned",)])
        status = operator.ask("status")
        rows = status["batches"]
        self.assertEqual([row["batch"] for row in rows], [1, 2, 3, 4])
        self.assertEqual([row["lag"] for row in rows][:2], [None, None])
        for row in rows[2:]:  # planned when the batch before was handed over, or a little later when a draw was at work
            self.assertTrue(0 < row["lag"] <= 20, row)
        self.assertEqual(status["loop"]["lag"], rows[-1]["lag"])
        self.assertIsInstance(status["loop"]["lag"], int)
        self.assertEqual([row["r2"] for row in rows], [None, None, 0.5, 0.5])
        self.assertEqual(status["loop"]["fallback_share"], 0)
        self.assertEqual(status["acknowledgement"]["during_refits"]["n"] + status["acknowledgement"]["between"]["n"], 16)
        closed = rig.ask("close")
        self.assertEqual((closed["type"], closed["session"]), ("closed", opened["session"]))
        self.assertEqual(self.rows("SELECT kind FROM decision ORDER BY decision DESC LIMIT 1"), [("evaluate",)])
        self.assertEqual(self.rows("SELECT state FROM state ORDER BY seq DESC LIMIT 1"), [("closed",)])
        self.assertEqual(rig.ask("close")["session"], opened["session"])
        self.assertEqual(rig.open(name="second")["type"], "opened")
        self.assertEqual(rig.next_batch(0)["batch"], 1)
        self.assertEqual(daemon.stop(), 0)

    def test_the_same_question_gives_the_same_bytes(self):
        daemon = self.start()
        rig = self.open_rig(daemon)
        first = rig.next_batch(0)
        again = rig.next_batch(0)
        for key in ("batch", "origin", "slots", "images", "raw"):
            self.assertEqual(first[key], again[key])
        rig.show(first)
        second = rig.next_batch(1)
        self.assertEqual(second["raw"], rig.next_batch(1)["raw"])
        self.assertEqual(len({image["image"] for image in second["images"]} & {image["image"] for image in first["images"]}),
                         len({s["image"] for s in first["slots"] if s["kind"] in ("monitor", "sealed", "blank")}))
        for after in (0, 3):
            answer = rig.ask("next_batch", run=rig.run, after=after)
            self.assertEqual((answer["type"], answer["code"], answer["field"]), ("error", "invalid", "after"))

    def test_a_late_result_is_the_batch_after_and_the_budget_is_halved(self):
        daemon = self.start(images__pool="fake:fit_seconds=0.6", fit__n_steps=400)
        rig = self.open_rig(daemon)
        operator = self.operator(daemon)
        for after in (0, 1):
            rig.show(rig.next_batch(after))
        late = rig.next_batch(2)
        self.assertEqual(late["origin"], "fallback")
        rig.show(late)
        self.wait_for_next(operator)
        self.assertEqual(rig.next_batch(3)["origin"], "chosen")
        self.assertEqual(rig.next_batch(4)["origin"], "fallback")
        self.assertEqual(self.rows("SELECT count(*) FROM command"), [(0,)])
        self.assertEqual(rig.next_batch(5)["origin"], "fallback")
        wait_for(lambda: self.rows("SELECT fields FROM command WHERE name = 'budget_halved'") == [('{"budget":0.5}',)],
                 "the halved budget in the file")
        self.wait_for_next(operator)
        rig.next_batch(6)
        wait_for(lambda: self.rows("SELECT json_extract(spec, '$.settings.n_steps') FROM decision WHERE kind = 'fit' "
                                   "ORDER BY decision DESC LIMIT 1") == [(200,)], "a fit with half of the steps")
        causes = self.rows("SELECT DISTINCT cause FROM decision WHERE kind = 'batch' ORDER BY 1")
        self.assertIn(("deadline",), causes)
        status = operator.ask("status")
        self.assertEqual([row["origin"] for row in status["batches"]][2:6],
                         ["fallback", "chosen", "fallback", "fallback"])
        self.assertEqual(status["batches"][2]["cause"], "deadline")
        self.assertEqual(status["loop"]["budget"], 0.5)

    def test_worker_killed_in_mid_refit(self):
        daemon = self.start(images__pool="fake:fit_seconds=1.5")
        rig = self.open_rig(daemon)
        operator = self.operator(daemon)
        rig.show(rig.next_batch(0))
        batch = rig.next_batch(1)
        fit = wait_for(lambda: (operator.ask("status")["worker"]["job"] or {}).get("kind") == "fit", "a refit")
        self.assertTrue(fit)
        os.kill(operator.ask("status")["worker"]["pid"], signal.SIGKILL)
        rig.show(batch)
        self.wait_for_next(operator)
        self.assertEqual(rig.next_batch(2)["origin"], "chosen")
        self.assertEqual(operator.ask("status")["worker"]["n_lost"], 1)
        self.assertEqual(self.rows("SELECT count(*), count(DISTINCT number) FROM presentation"), [(40, 40)])
        self.assertEqual(self.rows("SELECT count(*) FROM event WHERE kind = 'worker_lost'"), [(1,)])
        seen = self.rows("SELECT json_extract(outcome, '$.rows_seen') FROM decision WHERE kind = 'fit'")
        expected = self.rows("SELECT count(*) FROM log WHERE kind IN ('image', 'presentation') AND seq <= "
                             "(SELECT saw_seq FROM decision WHERE kind = 'fit')")
        self.assertEqual(seen, expected)

    def test_a_job_that_kills_every_worker_is_given_up(self):
        daemon = self.start(images__pool="fake:crash=fit")
        rig = self.open_rig(daemon)
        operator = self.operator(daemon)
        rig.show(rig.next_batch(0))
        rig.show(rig.next_batch(1))
        wait_for(lambda: operator.ask("status")["worker"]["n_abandoned"] == 1, "the job to be given up")
        batch = rig.next_batch(2)
        self.assertEqual(batch["origin"], "fallback")
        rig.show(batch)
        self.assertEqual(self.rows("SELECT cause, outcome_hash FROM decision WHERE kind = 'fit'"), [("worker_lost", None)])
        row = operator.ask("status")["batches"][-1]
        self.assertEqual((row["origin"], row["cause"]), ("fallback", "worker_lost"))

    def test_old_model_files_are_taken_away(self):
        daemon = self.start(images__pool="fake:files=1")
        rig = self.open_rig(daemon)
        operator = self.operator(daemon)
        for after in range(8):
            rig.show(rig.next_batch(after))
            self.wait_for_next(operator)
        models = [row[0] + ".safetensors" for row in self.rows("SELECT model FROM model ORDER BY seq")]
        self.assertGreaterEqual(len(models), 5)
        kept = {models[0], models[-2], models[-1]}
        wait_for(lambda: set(os.listdir(os.path.join(self.folder, "test.models"))) == kept, "the old ones to go")

    def test_a_refused_fit_leaves_natural_images_and_is_asked_again(self):
        daemon = self.start(images__pool="fake:refuse=fit")
        rig = self.open_rig(daemon)
        operator = self.operator(daemon)
        for after in range(4):
            batch = rig.next_batch(after)
            rig.show(batch)
            wait_for(lambda: operator.ask("status")["loop"]["next"], "the next batch")
        self.assertEqual(batch["origin"], "fallback")
        refused = self.rows("SELECT json_extract(outcome, '$.text') FROM decision WHERE kind = 'fit'")
        self.assertGreaterEqual(len(refused), 2)
        self.assertIn("refused, as the test asked", refused[0][0])

    def test_without_a_worker_the_oldest_batch_is_shown_again(self):
        daemon = self.start(images__pool="fake:crash_after=2", batch__stock=1)
        rig = self.open_rig(daemon)
        first = rig.next_batch(0)
        rig.show(first)
        rig.show(rig.next_batch(1))
        operator = self.operator(daemon)
        wait_for(lambda: operator.ask("status")["worker"]["n_abandoned"] >= 1, "the draw to be given up")
        for after in (2, 3):
            batch = rig.next_batch(after)
            self.assertEqual([s["image"] for s in batch["slots"]], [s["image"] for s in first["slots"]])
            self.assertEqual(batch["origin"], "fallback")
            rig.show(batch)
        self.assertEqual(self.rows("SELECT count(*) FROM presentation"), [(80,)])

    def test_slots_that_were_not_shown_come_again_a_bounded_number_of_times(self):
        daemon = self.start(batch__max_requeue=1)
        rig = self.open_rig(daemon)
        operator = self.operator(daemon)
        rig.show(rig.next_batch(0))
        batch = rig.next_batch(1)
        broken = [slot for slot in batch["slots"] if slot["kind"] == "natural"][:4]
        rig.present(rig.block(2, [slot["slot"] for slot in broken], "broken_fixation"))
        rig.present(rig.block(2, [slot["slot"] for slot in batch["slots"] if slot not in broken]))
        self.wait_for_next(operator)
        rig.show(rig.next_batch(2))
        self.wait_for_next(operator)
        batch = rig.next_batch(3)
        images = [slot["image"] for slot in batch["slots"]]
        self.assertEqual(len(images), 20)
        for slot in broken:
            self.assertIn(slot["image"], images)
        again = [slot["slot"] for slot in batch["slots"] if slot["image"] in [s["image"] for s in broken]]
        rig.present(rig.block(4, again, "artifact"))
        rig.present(rig.block(4, [s["slot"] for s in batch["slots"] if s["slot"] not in again]))
        for after in (4, 5):
            self.wait_for_next(operator)
            batch = rig.next_batch(after)
            rig.show(batch)
            self.assertFalse({slot["image"] for slot in broken} & {slot["image"] for slot in batch["slots"]})

    def test_a_pool_that_is_not_there_is_said(self):
        daemon = self.start(images__pool="none")
        rig = self.open_rig(daemon)
        operator = self.operator(daemon)
        wait_for(lambda: operator.ask("status")["loop"]["failure"], "the failure")
        answer = rig.next_batch(0)
        self.assertEqual((answer["type"], answer["code"]), ("error", "state"))
        self.assertIn("images.pool: none is not there", answer["text"])
        self.assertEqual(rig.ask("close")["type"], "closed")

    def test_a_broken_image_of_the_pool_is_named(self):
        daemon = self.start(images__pool="fake:skip=2")
        self.open_rig(daemon)
        wait_for(lambda: self.rows("SELECT detail FROM event WHERE kind = 'image_skipped'") ==
                 [("broken0.jpg: truncated",), ("broken1.jpg: truncated",)], "the names in the file")


if __name__ == "__main__":
    unittest.main(verbosity=2)
