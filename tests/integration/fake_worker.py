#!/usr/bin/env python3
"""A worker for tests of the daemon: speaks the pipe (daemon/worker/README.md), makes flat images, learns nothing.

What it does beside that stands in the pool's name, so that a test sets it with the configuration:
    fake:fit_seconds=1;crash=fit;refuse=prepare;skip=2
crash and refuse name a kind of job; `crash` ends the process when the job comes, `crash_after=N` when there
have been N draws; `gone=FILE`: the pool is not there when FILE is; `files=1`: fits leave
(empty) model files.
"""
import hashlib
import json
import os
import socket
import struct
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from fake_image import png_of  # noqa: E402

HELLO, SETUP, DATA, JOB, PROGRESS, CANCEL, RESULT, ERROR = range(1, 9)
TYPES = [None, "hello", "setup", "data", "job", "progress", "cancel", "result", "error"]
DTYPES = {"u8": 1, "u32": 4, "i64": 8, "f64": 8, "bytes": 1}

pipe = socket.socket(fileno=3)
setup, behaviour = {}, {}
n_natural = 0  # images that this session has, beside the held-out ones
n_rows = 0


def read_exactly(size):
    data = bytearray()
    while len(data) < size:
        piece = pipe.recv(size - len(data))
        if not piece:
            sys.exit(0)
        data += piece
    return bytes(data)


def receive():
    magic, version, kind, job, header_bytes, n_arrays = struct.unpack("<4sHHQII", read_exactly(24))
    assert magic == b"EVKW" and version == 1
    sizes = struct.unpack("<%dQ" % n_arrays, read_exactly(8 * n_arrays))
    header = json.loads(read_exactly(header_bytes))
    return kind, job, header, [read_exactly(size) for size in sizes]


def send(kind, job, fields, arrays=()):
    header = {"v": 1, "type": TYPES[kind], **fields}
    header["frames"] = [{"name": name, "dtype": dtype, "shape": shape} for name, dtype, shape, _ in arrays]
    text = json.dumps(header).encode()
    pipe.sendall(struct.pack("<4sHHQII", b"EVKW", 1, kind, job, len(text), len(arrays)) +
                 struct.pack("<%dQ" % len(arrays), *(len(a[3]) for a in arrays)) + text + b"".join(a[3] for a in arrays))


def flat(rgb):
    return png_of(rgb, setup["width_px"], setup["height_px"])


def color(family, index):
    return (family, index >> 8 & 255, index & 255)


class Images:
    """The new images of one result."""

    def __init__(self):
        self.described, self.bytes = [], b""

    def add(self, kind, role, rgb):
        png, name = flat(rgb)
        self.described.append({"image": name, "kind": kind, "role": role, "offset": len(self.bytes), "size": len(png),
                               "provenance": {"made_by": "fake_worker"}})
        self.bytes += png
        return name


def compose(job, images):
    """Slots of a batch: repeated monitor and sealed images, one blank, new images for every other kind."""
    global n_natural
    slots = []
    for kind, count in job["recipe"].items():
        for i in range(count):
            if kind in ("monitor", "sealed"):
                n = job["n_" + kind]
                slots.append((kind, flat(color(1 if kind == "monitor" else 2, i % n))[1], 0))
            elif kind == "blank":
                slots.append((kind, images.add("blank", "", (128, 128, 128)), 0))
            else:
                slots.append((kind, images.add(kind, "", color(3, n_natural)), 0))
                n_natural += 1
    slots += [(entry["kind"], entry["image"], entry["requeued"]) for entry in job.get("requeue", [])]
    return [{"image": image, "kind": kind, "repeat": 0, "requeued": requeued} for kind, image, requeued in slots]


def work_for(job_id, seconds):
    """Takes its time in steps; true when it was cancelled."""
    steps = max(1, int(seconds / 0.05))
    for step in range(steps):
        send(PROGRESS, job_id, {"units_done": step, "units_planned": steps, "what": "fit"})
        pipe.settimeout(0.05)
        try:
            kind, job, _, _ = receive()
            if kind == CANCEL and job == job_id:
                return True
        except TimeoutError:
            pass
        finally:
            pipe.settimeout(None)
    return False


def scores(tiers, n_units):
    row = struct.pack("<9d", 0.5, 0.4, 0.6, 0.7, 0.3, 0.9, 0.45, 4, 40)
    return ("scores", "f64", [tiers, 1 + n_units, 9], row * (tiers * (1 + n_units)))


def run(job_id, job):
    kind = job["kind"]
    images = Images()
    if behaviour.get("crash") == kind:
        os.abort()
    if kind != "prepare" and n_natural >= 13 * int(behaviour.get("crash_after", 1000)):
        os.abort()
    if behaviour.get("refuse") == kind:
        send(ERROR, job_id, {"code": "invalid", "text": "%s: refused, as the test asked" % kind})
        return
    done = {"outcome": {}, "units_done": 1, "units_planned": 1, "images": [], "slots": []}
    arrays = []
    if kind == "prepare":
        for role, family in (("monitor", 1), ("sealed", 2)):
            for i in range(job["n_" + role]):
                images.add(role, role, color(family, i))
        done["outcome"] = {"pool": hashlib.sha256(b"pool").hexdigest()}
    elif kind in ("draw", "batch"):
        done["slots"] = compose(job, images)
    elif kind in ("fit", "evaluate"):
        if kind == "fit":
            work_for(job_id, float(behaviour.get("fit_seconds", 0)))
            model = done["outcome"]["model"] = hashlib.sha256(json.dumps(job).encode()).hexdigest()
            if behaviour.get("files"):
                with open(os.path.join(setup["model_dir"], model + ".safetensors"), "wb"):
                    pass
        done["outcome"].update(best="ridge", tiers=["ridge", "ensemble"], unit_ids=list(range(job["n_units"])),
                               set=job.get("set", "monitor"), rows_seen=n_rows)
        arrays.append(scores(2, job["n_units"]))
    done["images"] = images.described
    arrays.append(("png", "bytes", [len(images.bytes)], images.bytes))
    done["outcome_hash"] = hashlib.sha256(json.dumps([done["outcome"], done["slots"]]).encode()).hexdigest()
    send(RESULT, job_id, done, arrays)


def take_rows(header, arrays):
    """Counts what this session has already, so that a worker that was started again goes on with new images."""
    global n_natural, n_rows
    columns = {frame["name"]: data for frame, data in zip(header["frames"], arrays)}
    kinds, roles = columns.get("row", b""), columns.get("role", b"")
    n_rows += len(kinds)
    n_natural += sum(1 for row, role in zip(kinds, roles) if row == 0 and role == 0)


def main():
    global setup, behaviour
    send(HELLO, 0, {"pid": os.getpid(), "version": "0", "cpu_kernel": "none", "libraries": {}})
    while True:
        kind, job_id, header, arrays = receive()
        if kind == SETUP:
            setup = header
            behaviour = dict(pair.split("=") for pair in header["pool"].partition(":")[2].split(";") if "=" in pair)
            if header["pool"] == "none" or os.path.exists(behaviour.get("gone", "")):
                send(ERROR, 0, {"code": "invalid", "text": "images.pool: %s is not there" % header["pool"]})
                continue
            skipped = ["broken%d.jpg: truncated" % i for i in range(int(behaviour.get("skip", 0)))]
            send(RESULT, 0, {"outcome": {"pool": hashlib.sha256(b"pool").hexdigest(), "n_images": 1000,
                                         "n_skipped": len(skipped), "skipped": skipped},
                             "outcome_hash": "", "units_done": 1, "units_planned": 1})
        elif kind == DATA:
            take_rows(header, arrays)
        elif kind == JOB:
            run(job_id, header)


main()
