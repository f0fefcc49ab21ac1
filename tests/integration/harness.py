"""Starts the real programs in a folder of their own, for tests and measurements.

    from harness import Daemon, main

    class MyTest(unittest.TestCase):
        def test_something(self):
            with Daemon({"batch.size": 8}) as daemon:          # small and quick unless told otherwise
                rig = daemon.ask_rig({"type": "hello", "run": "00" * 16})
                daemon.kill()                                   # SIGKILL, as a crash
                daemon.start()                                  # goes on with the session in its folder
                rows = daemon.rows("SELECT number FROM presentation")

    main()

The programs are those of the build folder in EVOKED_BUILD (default: build/ of the source tree). Ports are chosen by the
system. A daemon that is still there when the block ends is stopped, and its log is shown when the test failed.
"""
import json
import os
import pathlib
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import unittest

import zmq

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("EVOKED_BUILD", ROOT / "build")).resolve()
sys.path.insert(0, str(ROOT / "protocol" / "python"))

# Enough to close the loop within a second or two.
SMALL = {
    "images.pool": "dead_leaves:120",
    "images.width_px": 32,
    "images.height_px": 32,
    "images.n_monitor": 4,
    "images.n_sealed": 4,
    "batch.size": 16,
    "fit.n_members": 0,
    "fit.n_bootstrap": 20,
    "selection.n_candidates": 40,
    "synthesis.n_steps": 5,
    "worker.threads": 1,
    "session.seed": 1,
}
# A worker without numerics: for tests of the daemon alone, at once and without the load.
FAKE_WORKER = {"worker.program": pathlib.Path(__file__).with_name("fake_worker.py"), "images.pool": "fake:"}
# A sanitizer makes everything slower; the build of ./dev test --sanitize says so in its name.
PATIENCE = 4 if "asan" in BUILD.name else 1

context = zmq.Context.instance()


def ask_raw(endpoint, frames, timeout_s=10.0):
    """Sends frames from a new socket; the answer as (header, arrays by name), or None when none comes in time."""
    socket = context.socket(zmq.DEALER)
    socket.linger = 0
    socket.connect(endpoint)
    try:
        socket.send_multipart(frames)
        return receive(socket, timeout_s)
    finally:
        socket.close()


def receive(socket, timeout_s=10.0):
    """One answer from a socket, as ask_raw() gives it."""
    if not socket.poll(int(1000 * timeout_s * PATIENCE)):
        return None
    frames = socket.recv_multipart()
    header = json.loads(frames[0])
    arrays = {entry["name"]: frame for entry, frame in zip(header.get("frames", []), frames[1:])}
    return header, arrays


def ask(endpoint, header, timeout_s=10.0, arrays=()):
    """Asks one question; `arrays`: (name, dtype, shape, bytes). Returns the answer's header; fails when there is none."""
    header = {"v": 1, "id": 1, **header}
    if arrays:
        header["frames"] = [{"name": n, "dtype": d, "shape": list(s)} for n, d, s, _ in arrays]
    answer = ask_raw(endpoint, [json.dumps(header).encode()] + [a[3] for a in arrays], timeout_s)
    if answer is None:
        raise AssertionError(f"no answer to {header['type']} in {timeout_s * PATIENCE:g} s")
    return answer[0]


def wait_for(condition, what, timeout_s=30.0):
    """Looks again and again until condition() is true, and returns what it gave."""
    end = time.monotonic() + timeout_s * PATIENCE
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"waited {timeout_s * PATIENCE:g} s for {what}")
        time.sleep(0.02)


def rows_of(path, query, parameters=()):
    """Reads a session file as any SQLite tool would, while the daemon may be writing."""
    database = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)
    try:
        return database.execute(query, parameters).fetchall()
    finally:
        database.close()


class Daemon:
    """evoked in a temporary folder (or in `folder`, which stays)."""

    def __init__(self, settings=None, small=True, config=None, folder=None, arguments=()):
        self.folder = pathlib.Path(folder or tempfile.mkdtemp(prefix="evoked-test-"))
        self.owns_folder = folder is None
        self.settings = {**(SMALL if small else {}), "session.dir": self.folder, **(settings or {})}
        self.config = config
        self.arguments = list(arguments)
        self.process = None
        self.log_lines = []
        self.endpoints = {}

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, kind, value, trace):
        try:
            self.stop()
        finally:
            if kind:
                print("".join(["--- log of evoked\n", *self.log_lines[-200:], "---"]), file=sys.stderr)
            if self.owns_folder:
                shutil.rmtree(self.folder, ignore_errors=True)

    def command(self):
        command = [str(BUILD / "evoked")]
        if self.config:
            command += ["--config", str(self.config)]
        listen = {f"listen.{name}": "tcp://127.0.0.1:*" for name in ("rig", "status", "control")}
        for key, value in {**listen, **self.settings}.items():
            command += ["--set", f"{key}={value}"]
        return command + self.arguments

    def start(self, timeout_s=20.0):
        """Starts it (again), and returns when it listens and answers."""
        assert self.process is None, "it runs already"
        self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True)
        threading.Thread(target=self._collect, args=(self.process.stderr,), daemon=True).start()
        line = self.process.stdout.readline()
        if not line.startswith("evoked: listening "):
            code = self.process.wait()
            self.process.stdout.close()
            self.process = None
            raise AssertionError(f"evoked did not start (exit code {code}): {line}{''.join(self.log_lines[-20:])}")
        self.endpoints = dict(re.findall(r"(\w+)=(\S+)", line))
        threading.Thread(target=self._collect, args=(self.process.stdout,), daemon=True).start()
        self.status(timeout_s)

    def run_refused(self):
        """For a start that must fail: the CompletedProcess."""
        return subprocess.run(self.command(), stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=30 * PATIENCE)

    def _collect(self, stream):
        with stream:
            for line in stream:
                self.log_lines.append(line)

    @property
    def rig(self):
        return self.endpoints["rig"]

    @property
    def control(self):
        return self.endpoints["control"]

    @property
    def session(self):
        """The session file that it opened at its start; "-": none."""
        return self.endpoints["session"]

    @property
    def pid(self):
        return self.process.pid

    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def log(self):
        return "".join(self.log_lines)

    def ask_rig(self, header, timeout_s=10.0, arrays=()):
        return ask(self.rig, header, timeout_s, arrays)

    def ask_control(self, header, timeout_s=10.0):
        return ask(self.control, header, timeout_s)

    def status(self, timeout_s=10.0):
        """The snapshot."""
        return self.ask_control({"type": "status"}, timeout_s)

    def kill(self, signum=signal.SIGKILL):
        """As a crash: nothing is flushed."""
        self.process.send_signal(signum)
        code = self.process.wait(timeout=30 * PATIENCE)
        self.process = None
        return code

    def stop(self):
        """SIGTERM, as the service manager does it; returns the exit code."""
        if self.process is None:
            return None
        code = self.process.poll()
        if code is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                code = self.process.wait(timeout=30 * PATIENCE)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise AssertionError("evoked did not end within 30 s of SIGTERM")
        self.process = None
        return code

    def restart(self):
        self.stop()
        self.start()

    def session_file(self):
        """The newest session file."""
        files = sorted(self.folder.glob("*.db"), key=lambda p: p.stat().st_mtime)
        return files[-1] if files else None

    def rows(self, query, parameters=()):
        """Rows of the session file as it is on disk now, read while the daemon writes."""
        return rows_of(self.session_file(), query, parameters)

    def check_file(self):
        """The file's own word on its health."""
        return self.rows("PRAGMA integrity_check") == [("ok",)] and self.rows("PRAGMA foreign_key_check") == []


def run_evoke(*arguments, timeout_s=120.0, check=True):
    """Runs a verb of `evoke` to its end; returns the CompletedProcess."""
    result = subprocess.run([str(BUILD / "evoke"), *map(str, arguments)], stdin=subprocess.DEVNULL, capture_output=True,
                            text=True, timeout=timeout_s * PATIENCE)
    if check and result.returncode:
        raise AssertionError(f"evoke {' '.join(map(str, arguments))}: exit code {result.returncode}\n"
                             f"{result.stdout}{result.stderr}")
    return result


def start_rig(daemon, *arguments):
    """The simulated rig beside a daemon, as a Popen."""
    return subprocess.Popen([str(BUILD / "evoke"), "rig", "--connect", daemon.rig, *map(str, arguments)],
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def main():
    """Runs the tests of the calling file; unittest says which failed."""
    unittest.main(verbosity=2, module="__main__")
