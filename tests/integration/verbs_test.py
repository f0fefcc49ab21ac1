"""The verbs for people and scripts, each against the real daemon: what they print, what they change, how they fail."""
import fcntl
import json
import os
import pathlib
import pty
import select
import signal
import struct
import subprocess
import termios
import time
import unittest

from harness import BUILD, Daemon, main, run_evoke

# What is tested here needs no numerics.
QUICK_WORKER = {"images.pool": "fake:fit_seconds=0.3",
                "worker.program": pathlib.Path(__file__).resolve().parent / "fake_worker.py"}

def show_some(daemon, n=40):
    run_evoke("rig", "--connect", daemon.rig, "--builtin", 4, "--rate", 200, "--presentations", n, "--json")


class VerbsTest(unittest.TestCase):
    def test_help_of_every_verb(self):
        listed = [line.split()[0] for line in run_evoke("--help").stdout.splitlines() if line.startswith("  ")]
        self.assertIn("rig", listed)
        for verb in listed:
            text = run_evoke(verb, "--help").stdout
            self.assertIn(f"Usage: evoke {verb}", text)
            self.assertIn("Example:", text)
            self.assertIn("Exit codes:", text)

    def test_wrong_usage(self):
        for arguments in ([], ["fly"], ["rig", "--rate", "-1"], ["rig", "--rat", "1"], ["report"], ["control", "fly"],
                          ["control", "exclude"], ["rig", "--builtin", "3", "--dataset", "x", "--session", "y"]):
            result = run_evoke(*arguments, check=False)
            self.assertEqual(result.returncode, 2, arguments)
            self.assertTrue(result.stderr)

    def test_nobody_answers(self):
        for arguments in (["status"], ["watch"], ["control", "pause"]):
            result = run_evoke(*arguments, "--control", "tcp://127.0.0.1:1", check=False)
            self.assertEqual(result.returncode, 1)
            self.assertEqual(result.stderr.strip(), f"evoke {arguments[0]}: no daemon answers at tcp://127.0.0.1:1 "
                                                    "(waited 2.0 s)")

    def test_status_and_control(self):
        with Daemon(QUICK_WORKER) as daemon:
            self.assertIn("none open", run_evoke("status", "--control", daemon.control).stdout)
            show_some(daemon)
            text = run_evoke("status", "--control", daemon.control).stdout
            self.assertIn("40 presentations stored", text)
            snapshot = json.loads(run_evoke("status", "--json", "--control", daemon.control).stdout)
            self.assertEqual(snapshot["presentations"]["stored"], 40)

            def control(*words, **more):
                return run_evoke("control", *words, "--control", daemon.control, **more)

            self.assertIn("paused", control("pause", "for", "a", "break").stdout)
            self.assertEqual(daemon.status()["state"], "paused")
            self.assertIn("paused by the operator", run_evoke("status", "--control", daemon.control).stdout)
            self.assertIn("running", control("resume").stdout)
            control("exclude", "2", "drifts")
            self.assertEqual(daemon.status()["session"]["n_excluded"], 1)
            control("include", "2")
            self.assertEqual(daemon.status()["session"]["n_excluded"], 0)
            control("natural", "on")
            self.assertTrue(daemon.status()["loop"]["natural_only"])
            control("note", "the", "animal", "sleeps")
            self.assertEqual(daemon.rows("SELECT text FROM note"), [("the animal sleeps",)])
            refused = control("exclude", "99", check=False)
            self.assertEqual(refused.returncode, 1)
            self.assertIn("99", refused.stderr)
            control("stop")
            self.assertEqual(daemon.process.wait(timeout=30), 0)
            daemon.process = None

    def test_follow_prints_what_happens(self):
        with Daemon(QUICK_WORKER) as daemon:
            follow = subprocess.Popen([str(BUILD / "evoke"), "status", "--follow", "--json", "--control",
                                       daemon.control], stdout=subprocess.PIPE, text=True)
            self.addCleanup(follow.kill)
            sequences = [json.loads(follow.stdout.readline())["sequence"] for _ in range(3)]
            self.assertEqual(sequences, sorted(set(sequences)))
            follow.terminate()
            self.assertEqual(follow.wait(timeout=10), 0)
            follow.stdout.close()

    def watch(self, daemon, seconds):
        """What `evoke watch` writes to a terminal of 80 columns and 24 lines, until Ctrl-C; and its exit code."""
        parent, child = pty.openpty()
        fcntl.ioctl(child, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        watch = subprocess.Popen([str(BUILD / "evoke"), "watch", "--control", daemon.control], stdin=child,
                                 stdout=child, stderr=child, env={**os.environ, "TERM": "xterm"})
        self.addCleanup(watch.kill)
        os.close(child)
        text, end = b"", time.monotonic() + seconds
        while time.monotonic() < end:
            if select.select([parent], [], [], 0.1)[0]:
                text += os.read(parent, 65536)
        watch.send_signal(signal.SIGINT)
        code = watch.wait(timeout=10)
        os.close(parent)
        return text.decode(), code

    def test_watch_fits_the_screen(self):
        with Daemon(QUICK_WORKER) as daemon:
            show_some(daemon, 48)
            text, code = self.watch(daemon, 2)
            self.assertEqual(code, 0)
            screens = text.split("\033[H")[1:]
            self.assertGreater(len(screens), 1)
            for screen in screens[:-1]:
                self.assertLessEqual(screen.count("\n"), 23)
            self.assertIn("48 presentations stored", screens[0])
            self.assertIn("R² on the monitor set", screens[0])

    def test_report(self):
        with Daemon(QUICK_WORKER) as daemon:
            show_some(daemon, 48)
            path = daemon.session_file()
            text = run_evoke("report", path).stdout
            self.assertIn("48 presentations", text)
            report = json.loads(run_evoke("report", path, "--json").stdout)
            self.assertEqual(report["presentations"], 48)
            self.assertEqual([row["batch"] for row in report["batches"]], [1, 2, 3])
            rows = run_evoke("report", path, "--table", "presentations").stdout.splitlines()
            self.assertEqual(len(rows), 48)
            self.assertEqual(json.loads(rows[0])["number"], 1)
            wrong = run_evoke("report", path, "--table", "things", check=False)
            self.assertEqual(wrong.returncode, 1)
            self.assertIn("presentations", wrong.stderr)
        missing = run_evoke("report", "/nowhere/x.db", check=False)
        self.assertEqual(missing.returncode, 1)
        self.assertIn("/nowhere/x.db", missing.stderr)


if __name__ == "__main__":
    main()
