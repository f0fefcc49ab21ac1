"""A scripted rig and operator for tests of the daemon, which runs with a worker without numerics (fake_worker.py)."""
import json
import os
import secrets
import struct
import tempfile
import time
import unittest

import zmq

from harness import FAKE_WORKER, Daemon, rows_of, wait_for

N_UNITS, N_BINS = 3, 2
DEADLINE_S = 30.0  # of anything that a test waits for; only a failure takes so long
SETTINGS = {**FAKE_WORKER, "session.seed": 7, "images.width_px": 32, "images.height_px": 32, "images.n_monitor": 4,
            "images.n_sealed": 4, "batch.size": 20}


class Client:
    """One DEALER socket: questions with an id, their answers."""

    def __init__(self, address):
        self.socket = zmq.Context.instance().socket(zmq.DEALER)
        self.socket.setsockopt(zmq.LINGER, 0)
        self.socket.connect(address)
        self.last_id = 0

    def send(self, type_, raw=(), **fields):
        self.last_id += 1
        header = {"v": 1, "type": type_, "id": self.last_id, **fields}
        if raw:
            header["frames"] = [{"name": n, "dtype": d, "shape": s} for n, d, s, _ in raw]
        self.socket.send_multipart([json.dumps(header).encode()] + [a[3] for a in raw])
        return self.last_id

    def receive(self, seconds=DEADLINE_S):
        """(header, raw frames) of the next answer; fails when none comes."""
        if not self.socket.poll(int(seconds * 1000)):
            raise TimeoutError("no answer from the daemon")
        frames = self.socket.recv_multipart()
        return json.loads(frames[0]), frames[1:]

    def ask(self, type_, raw=(), **fields):
        question = self.send(type_, raw, **fields)
        while True:
            header, frames = self.receive()
            if header.get("id") == question:
                header["raw"] = frames
                return header

    def ask_patiently(self, type_, raw=(), **fields):
        """Asks again as long as the daemon is busy."""
        end = time.monotonic() + DEADLINE_S
        while time.monotonic() < end:
            answer = self.ask(type_, raw, **fields)
            if answer["type"] != "busy":
                return answer
            time.sleep(answer["retry_ms"] / 1000)
        raise TimeoutError("the daemon stayed busy: %s" % answer)

    def close(self):
        self.socket.close()


def open_fields(name="test", n_units=N_UNITS):
    return {"name": name, "response_type": "counts",
            "arrays": [{"name": "a", "area": "V4", "rf": None}],
            "units": [{"id": i, "label": "u%d" % i, "array": 0} for i in range(n_units)],
            "bins": [{"start_ms": 50.0 * i, "end_ms": 50.0 * (i + 1)} for i in range(N_BINS)],
            "target": {"first_bin": 0, "n_bins": N_BINS},
            "display": {"size_deg": 3.0, "x_deg": 0.0, "y_deg": 0.0, "pixels_per_deg": 37.0, "refresh_hz": 60.0,
                        "background": [128, 128, 128]}}


class Rig(Client):
    """A scripted rig: numbers its presentations, keeps what was not acknowledged."""

    def __init__(self, address, run=None):
        super().__init__(address)
        self.run = run or secrets.token_hex(16)
        self.number = 0
        self.settled = {}  # what was acknowledged: number -> (batch, slot)

    def hello(self):
        return self.ask("hello", run=self.run)

    def open(self, **fields):
        return self.ask("open", **{**open_fields(), **fields})

    def next_batch(self, after):
        return self.ask_patiently("next_batch", run=self.run, after=after)

    def block(self, batch, slots, outcome="complete"):
        """Presentations of these slots, with new numbers, and their counts."""
        rows = []
        for slot in slots:
            self.number += 1
            rows.append({"number": self.number, "trial": self.number // 8, "position": self.number % 8, "batch": batch,
                         "slot": slot, "commanded_us": 1000 * self.number, "onset_us": 1000 * self.number + 30,
                         "onset_source": "photodiode", "outcome": outcome})
        return rows

    def counts(self, rows):
        values = [(row["number"] * 7 + i) % 5 for row in rows for i in range(N_UNITS * N_BINS)]
        return ("responses", "u16", [len(rows), N_UNITS, N_BINS], struct.pack("<%dH" % len(values), *values))

    def present(self, rows):
        answer = self.ask_patiently("presentations", [self.counts(rows)], run=self.run, presentations=rows)
        if answer["type"] == "settled":
            self.settled.update({row["number"]: (row["batch"], row["slot"]) for row in rows
                                 if row["number"] not in [r["number"] for r in answer["refused"]]})
        return answer

    def show(self, batch, outcome="complete"):
        """A whole batch, five presentations a message."""
        slots = [slot["slot"] for slot in batch["slots"]]
        for first in range(0, len(slots), 5):
            answer = self.present(self.block(batch["batch"], slots[first:first + 5], outcome))
        return answer


class DaemonCase(unittest.TestCase):
    """A folder of its own; daemons, rigs and operators that are gone when the test ends."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="evoked-test-")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.file = os.path.join(self.folder, "test.db")

    def make_daemon(self, *arguments, **keys):
        """One that is not started; keys of the configuration as `images__pool="..."`."""
        settings = {**SETTINGS, "session.dir": self.folder, **{key.replace("__", "."): v for key, v in keys.items()}}
        return Daemon(settings, small=False, folder=self.folder, arguments=arguments)

    def start(self, *arguments, **keys):
        daemon = self.make_daemon(*arguments, **keys)
        self.addCleanup(self.end, daemon)
        daemon.start()
        return daemon

    def end(self, daemon):
        """Ends it as a person would, so that a sanitizer has its say about what was left."""
        daemon.stop()
        reports = [line for line in daemon.log_lines if "Sanitizer" in line or "runtime error" in line]
        self.assertEqual(reports, [], daemon.log())

    def rig(self, daemon, run=None):
        rig = Rig(daemon.rig, run)
        self.addCleanup(rig.close)
        return rig

    def operator(self, daemon):
        operator = Client(daemon.control)
        self.addCleanup(operator.close)
        return operator

    def open_rig(self, daemon):
        """A rig with an open session."""
        rig = self.rig(daemon)
        self.assertEqual(rig.hello()["type"], "welcome")
        self.assertEqual(rig.open()["type"], "opened")
        return rig

    def wait_for_next(self, operator, origin="chosen"):
        wait_for(lambda: operator.ask("status")["loop"]["next"] == origin, "the next batch (%s)" % origin)

    def rows(self, query, *values):
        return rows_of(self.file, query, values)
