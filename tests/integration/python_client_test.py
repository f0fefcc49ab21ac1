"""The Python client: against a small daemon of the test's own that loses, refuses, is busy and restarts; and, with the
example rig, against the real one."""
import json
import subprocess
import sys
import threading
import time
import unittest
import warnings

import numpy as np
import zmq

from harness import FAKE_WORKER, PATIENCE, ROOT, Daemon, main
from evoked import Busy, Control, NoAnswer, OutboxFull, Refused, Rig

RESEND_S, SOON_S = 60, 0.1  # nothing is sent again by time alone, but where a test wants it
IMAGE = "ab" * 32


class MockDaemon:
    """Answers as README.md says. Its memory survives stop() and start(); knobs are attributes."""

    def __init__(self):
        self.port = None
        self.stored = {}  # number: how often it came
        self.shapes = []
        self.questions = []
        self.n_busy = self.n_swallow = 0
        self.refused = self.conflicts = self.missing = ()
        self.errors = {}  # type: [codes still to be given]
        self.start()

    def start(self):
        self.context = zmq.Context()
        self.socket = self.context.socket(zmq.ROUTER)
        self.socket.linger = 0
        if self.port:
            self.socket.bind(f"tcp://127.0.0.1:{self.port}")
        else:
            self.port = self.socket.bind_to_random_port("tcp://127.0.0.1")
        self.endpoint = f"tcp://127.0.0.1:{self.port}"
        self.stopping = False
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def stop(self):
        self.stopping = True
        self.thread.join()
        self.socket.close()
        self.context.term()

    def _run(self):
        while not self.stopping:
            if not self.socket.poll(10):
                continue
            peer, header, *frames = self.socket.recv_multipart()
            header = json.loads(header)
            self.questions.append(header["type"])
            answer, arrays = self._answer(header, frames)
            if answer is not None:
                self.socket.send_multipart([peer, json.dumps({"v": 1, "id": header["id"], **answer}).encode(), *arrays])

    def _settled_through(self):
        n = 0
        while n + 1 in self.stored:
            n += 1
        return n

    def _answer(self, header, frames):
        kind = header["type"]
        if kind in ("hello", "presentations", "next_batch") and self.n_busy > 0:
            self.n_busy -= 1
            return {"type": "busy", "retry_ms": 5, "reason": "another rig writes", "holder": "rig 7"}, []
        if self.errors.get(kind):
            return {"type": "error", "code": self.errors[kind].pop(), "field": "some.field", "text": "the reason why"}, []
        if kind == "hello":
            return {"type": "welcome", "server": "mock", "state": "running", "session": None, "session_name": None,
                    "settled_through": self._settled_through(), "next_after": 0,
                    "image": {"width_px": 112, "height_px": 112}}, []
        if kind == "open":
            return {"type": "opened", "session": "00", "seed": "00", "image": {"width_px": 112, "height_px": 112}}, []
        if kind == "presentations":
            return self._settle(header, frames)
        if kind == "next_batch":
            png = b"..first.second"
            slots = [{"slot": 0, "image": IMAGE, "kind": "natural", "repeat": 0},
                     {"slot": 1, "image": "cd" * 32, "kind": "gaudy", "repeat": 2}]
            images = [{"image": IMAGE, "offset": 2, "size": 5}, {"image": "cd" * 32, "offset": 8, "size": 6}]
            return {"type": "batch", "batch": header["after"] + 1, "origin": "chosen", "slots": slots, "images": images,
                    "frames": [{"name": "png", "dtype": "bytes", "shape": [len(png)]}]}, [png]
        answers = {"image": {"type": "image_stored", "image": IMAGE}, "note": {"type": "noted"},
                   "units": {"type": "units_set", "n_units": 3}, "amend": {"type": "amended"},
                   "close": {"type": "closed", "session": "00"}}
        return answers[kind], []

    def _settle(self, header, frames):
        missing = []
        self.shapes.append([entry["shape"] for entry in header["frames"]])
        for entry in header["presentations"]:
            if entry["number"] in self.missing:
                self.missing = [n for n in self.missing if n != entry["number"]]
                missing.append(entry["number"])
            else:
                self.stored[entry["number"]] = self.stored.get(entry["number"], 0) + 1
        assert len(frames) == len(header["frames"])
        if self.n_swallow > 0:
            self.n_swallow -= 1
            return None, []
        numbers = [entry["number"] for entry in header["presentations"]]
        return {"type": "settled", "run": header["run"], "settled_through": self._settled_through(),
                "refused": [{"number": n, "reason": "because"} for n in numbers if n in self.refused],
                "conflicts": [n for n in numbers if n in self.conflicts], "missing": missing}, []


class AgainstMock(unittest.TestCase):
    def setUp(self):
        self.daemon = MockDaemon()
        self.settled = []
        self.rig = Rig(self.daemon.endpoint, resend_s=RESEND_S, on_settled=self.settled.append)

    def tearDown(self):
        self.rig.close(flush_s=0)
        if not self.daemon.stopping:
            self.daemon.stop()

    def open(self):
        self.rig.open("s", n_units=2, bins_ms=[(0, 50), (50, 150)])

    def push(self, n):
        for _ in range(n):
            self.rig.push(IMAGE, [[1, 2], [3, 4]], trial=1, onset_us=5)

    def assert_all_settled(self, n):
        self.rig.flush(20)
        self.assertEqual(sorted(self.settled), list(range(1, n + 1)))
        self.assertEqual(sorted(self.daemon.stored), list(range(1, n + 1)))

    def test_a_session(self):
        self.open()
        self.assertEqual(self.rig.welcome["server"], "mock")
        batch = self.rig.next_batch()
        self.assertEqual((batch.number, batch.origin), (1, "chosen"))
        self.assertEqual([slot.png for slot in batch], [b"first", b"second"])
        self.assertEqual(batch[1].kind, "gaudy")
        self.assertEqual(self.rig.next_batch().number, 2)
        for slot in batch:
            self.rig.push(slot, np.array([[1, 2], [3, 4]]), trial=1)
        self.push(300)
        self.assert_all_settled(302)
        self.rig.note("hello")
        self.rig.amend(1, "drift", outcome="artifact")
        self.assertEqual(self.rig.add_image(b"png", 112, 112), IMAGE)
        self.assertEqual(self.rig.end_session()["session"], "00")
        self.assertEqual(self.rig.n_resent, 0)

    def test_busy_is_waited_out(self):
        self.daemon.n_busy = 5
        self.open()
        self.push(200)
        self.assert_all_settled(200)

    def test_lost_answers(self):
        self.rig.resend_s = SOON_S
        self.daemon.n_swallow = 8  # as many messages as are sent without an answer
        self.open()
        self.push(100)
        self.assert_all_settled(100)
        self.assertGreater(self.daemon.questions.count("hello"), 1)

    def test_missing_ones_go_again(self):
        self.daemon.missing = [7, 9]
        self.open()
        self.push(20)
        self.assert_all_settled(20)

    def test_restarts(self):
        self.open()
        for _ in range(2):
            self.push(50)
            self.daemon.stop()
            self.push(50)
            self.daemon.start()
            self.rig.flush(20)
        self.assert_all_settled(200)
        self.assertEqual(self.rig.next_batch().number, 1)

    def test_a_call_survives_a_restart(self):
        self.open()
        self.daemon.stop()
        again = threading.Timer(0.2, self.daemon.start)
        again.start()
        self.assertEqual(self.rig.next_batch().number, 1)
        again.join()

    def test_the_outbox_is_bounded(self):
        self.open()
        self.daemon.stop()
        self.rig.outbox_max = 10
        self.push(10)
        with self.assertRaises(OutboxFull):
            self.push(1)
        with self.assertRaises(NoAnswer):
            self.rig.flush(0.05)
        self.daemon.start()
        self.assert_all_settled(10)
        self.push(1)

    def test_refusals_and_conflicts_are_told(self):
        told = []
        self.daemon.refused, self.daemon.conflicts = [2], [3]
        self.rig.on_refused = lambda number, reason: told.append((number, reason))
        self.rig.on_conflict = lambda number: told.append(number)
        self.open()
        self.push(5)
        self.assert_all_settled(5)
        self.assertIn((2, "because"), told)
        self.assertIn(3, told)
        self.rig.on_refused = None
        self.daemon.refused = [6]
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            self.push(1)
            self.rig.flush()
        self.assertIn("presentation 6 was refused: because", [str(w.message) for w in caught])

    def test_a_refused_message_and_one_that_may_be_taken_later(self):
        told = []
        self.rig.on_refused = lambda number, reason: told.append((number, reason))
        self.daemon.errors = {"presentations": ["invalid"]}
        self.open()
        self.push(1)
        self.rig.flush()
        self.assertEqual(told, [(1, "the reason why")])
        self.daemon.errors = {"presentations": ["state"]}
        self.push(1)
        self.rig.flush()
        self.assertEqual(len(told), 1)
        self.assertEqual(self.daemon.stored, {2: 1})

    def test_errors_carry_the_sentence(self):
        self.rig.resend_s = SOON_S  # after which a refused greeting is tried again
        self.daemon.errors = {"open": ["invalid"], "hello": ["version"]}
        with self.assertRaises(Refused) as caught:
            self.open()
        self.assertEqual((str(caught.exception), caught.exception.code), ("the reason why", "version"))
        with self.assertRaises(Refused) as caught:
            self.open()
        self.assertEqual((caught.exception.code, caught.exception.field), ("invalid", "some.field"))
        self.daemon.n_busy = 10**6
        with self.assertRaisesRegex(Busy, "another rig writes, held by rig 7"):
            self.rig.hello(0.1)

    def test_nobody_there(self):
        rig = Rig("tcp://127.0.0.1:1")
        with self.assertRaises(NoAnswer):
            rig.hello(0.1)
        rig.close()

    def test_units_change(self):
        self.open()
        self.push(3)
        self.rig.set_units(add=[{"id": 5, "label": "new", "array": 0}])
        self.rig.push(IMAGE, np.ones((3, 2)), trial=1)
        self.rig.flush()
        self.assertEqual(self.daemon.shapes[-1], [[1, 3, 2]])

    def test_wrong_use_is_told_at_once(self):
        self.open()
        for bad in ([[1, 2]], [[1, -1], [0, 0]], [[1, 0.5], [0, 0]], [[1, np.nan], [0, 0]], [[1, 70000], [0, 0]]):
            with self.assertRaises(ValueError):
                self.rig.push(IMAGE, bad, trial=1)
        with self.assertRaises(ValueError):
            self.rig.push(IMAGE, [[1, 2], [3, 4]], trial=1, outcome="fine")
        self.rig.push(IMAGE, [[1, np.nan], [3, 4]], trial=1, mask=[[0, 1], [0, 0]])
        self.rig.push(IMAGE, None, trial=1, outcome="not_shown")
        self.push(1)
        self.assert_all_settled(3)
        self.assertEqual(self.daemon.shapes[0][0][1:], [2, 2])


class AgainstDaemon(unittest.TestCase):
    def test_the_example_rig(self):
        with Daemon(FAKE_WORKER) as daemon:
            result = subprocess.run([sys.executable, str(ROOT / "protocol/python/example_rig.py"), daemon.rig],
                                    capture_output=True, text=True, timeout=120 * PATIENCE)
            self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
            self.assertIn("all 80 presentations are on disk", result.stdout)
            self.assertEqual(daemon.status()["presentations"]["complete"], 80)

    def test_a_rig_and_an_operator(self):
        with Daemon(FAKE_WORKER) as daemon, Rig(daemon.rig) as rig, Control(daemon.control) as control:
            self.assertEqual(control.status()["state"], "idle")
            rig.open("two", n_units=3, bins_ms=[(0, 50), (50, 150)], target=(1, 1))
            with self.assertRaises(Refused) as caught:
                rig.open("other", n_units=3)
            self.assertEqual(caught.exception.code, "state")
            batch = rig.next_batch()
            for i, slot in enumerate(batch):
                rig.push(slot, np.full((3, 2), i), trial=i // 8, position=i % 8, onset_us=1000 * i, onset_source="ttl")
            rig.flush()
            self.assertEqual(control.status()["presentations"]["stored"], len(batch))
            self.assertTrue(batch[0].png.startswith(b"\x89PNG"))
            self.assertEqual(control.get_image(batch[0].image), batch[0].png)
            control.exclude(2, "silent")
            self.assertEqual(control.status()["session"]["n_excluded"], 1)
            with self.assertRaises(Refused) as caught:
                control.exclude(99, "none such")
            self.assertEqual(caught.exception.code, "unknown_unit")
            control.pause("break")
            self.assertEqual(control.status()["state"], "paused")
            control.resume()
            control.natural(True, "the animal is bored")
            control.note("all is well")
            rig.note("from the rig")
            rig.amend(1, "eye tracker off", outcome="artifact")
            for snapshot in control.follow(timeout_s=10 * PATIENCE):
                if snapshot["presentations"]["stored"] == len(batch):
                    break

    def test_a_restart_of_the_daemon(self):
        with Daemon(FAKE_WORKER) as daemon:
            daemon.settings["listen.rig"] = "tcp://127.0.0.1:*"
            with Rig(daemon.rig, resend_s=0.5) as rig:
                rig.open("restarted", n_units=2)
                batch = rig.next_batch()
                for slot in batch[:8]:
                    rig.push(slot, [1, 2], trial=1)
                rig.flush()
                daemon.settings["listen.rig"] = daemon.rig  # the same port again
                daemon.kill()
                for slot in batch[8:]:
                    rig.push(slot, [3, 4], trial=2)
                daemon.start()
                rig.flush(60 * PATIENCE)
                self.assertEqual(rig.welcome["session_name"], "restarted")
                self.assertEqual(daemon.status()["presentations"]["stored"], len(batch))
                self.assertEqual(rig.next_batch().number, batch.number + 1)


if __name__ == "__main__":
    main()
