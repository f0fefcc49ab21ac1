"""The simulated rig against the real daemon: whatever goes wrong in a trial, each presentation is in the file once."""
import collections
import json
import pathlib
import signal
import unittest

from harness import Daemon, main, run_evoke, start_rig

# What is tested here needs no numerics.
QUICK_WORKER = {"images.pool": "fake:fit_seconds=0.3",
                "worker.program": pathlib.Path(__file__).resolve().parent / "fake_worker.py"}
FAULTS = ["--p-break", 0.3, "--p-drop", 0.05]


def run_rig(daemon, *arguments, timeout_s=120.0):
    """Runs the rig to its end; its report, and its exit code."""
    result = run_evoke("rig", "--connect", daemon.rig, "--builtin", 4, "--json", *arguments, timeout_s=timeout_s,
                       check=False)
    if not result.stdout:
        raise AssertionError(f"no report of the rig: {result.stderr}")
    return json.loads(result.stdout), result


class RigTest(unittest.TestCase):
    def assert_in_file_once(self, daemon, report):
        """Every number of every run once, with the outcomes that the rig reports."""
        rows = daemon.rows("SELECT r.run, p.number, p.outcome FROM presentation AS p JOIN run AS r ON r.run = p.run")
        self.assertEqual(len(rows), report["acknowledged"])
        self.assertEqual(len({row[:2] for row in rows}), len(rows))
        outcomes = collections.Counter(row[2] for row in rows)
        self.assertEqual({k: v for k, v in report["outcomes"].items() if v}, dict(outcomes))
        numbers = collections.defaultdict(list)
        for run, number, _ in rows:
            numbers[run].append(number)
        for of_run in numbers.values():
            self.assertEqual(sorted(of_run), list(range(1, len(of_run) + 1)))

    def test_faults_and_a_restart(self):
        with Daemon(QUICK_WORKER) as daemon:
            report, result = run_rig(daemon, "--rate", 100, "--batches", 5, "--restart-after", 40, *FAULTS)
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertEqual((report["refused"], report["conflicts"], report["unsettled"]), (0, 0, 0))
            self.assertEqual(report["runs"], 2)
            self.assertGreater(report["outcomes"]["not_shown"], 0)
            self.assertGreater(report["outcomes"]["broken_fixation"], 0)
            self.assert_in_file_once(daemon, report)
            self.assertTrue(daemon.check_file())

    def test_as_fast_as_possible(self):
        with Daemon(QUICK_WORKER) as daemon:
            report, result = run_rig(daemon, "--rate", 0, "--presentations", 200)
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertEqual(report["shown"], 200)
            self.assert_in_file_once(daemon, report)

    def test_the_daemon_is_killed_in_between(self):
        with Daemon(QUICK_WORKER) as daemon:
            ports = {name: endpoint for name, endpoint in daemon.endpoints.items() if name != "session"}
            rig = start_rig(daemon, "--builtin", 4, "--rate", 40, "--presentations", 120, "--json", *FAULTS)
            self.addCleanup(rig.kill)
            while not daemon.session_file() or daemon.status()["presentations"]["stored"] < 30:
                self.assertIsNone(rig.poll(), "the rig ended too early")
            daemon.kill()
            daemon.settings.update({f"listen.{name}": endpoint for name, endpoint in ports.items()})
            daemon.start()
            text = rig.communicate(timeout=120)[0]
            self.assertEqual(rig.returncode, 0, text)
            report = json.loads(text[text.index("{"):])
            self.assertEqual(report["shown"], 120)
            self.assert_in_file_once(daemon, report)
            self.assertTrue(daemon.check_file())

    def test_ctrl_c_settles_what_was_shown(self):
        with Daemon(QUICK_WORKER) as daemon:
            rig = start_rig(daemon, "--builtin", 4, "--rate", 50, "--json")
            self.addCleanup(rig.kill)
            while not daemon.session_file() or daemon.status()["presentations"]["stored"] < 20:
                self.assertIsNone(rig.poll(), "the rig ended too early")
            rig.send_signal(signal.SIGINT)
            text = rig.communicate(timeout=60)[0]
            self.assertEqual(rig.returncode, 0, text)
            self.assert_in_file_once(daemon, json.loads(text[text.index("{"):]))

    def test_the_same_seed_answers_the_same(self):
        responses = []
        for _ in range(2):
            with Daemon({**QUICK_WORKER, "batch.mix.natural": 1}) as daemon:
                run_rig(daemon, "--rate", 200, "--presentations", 30, "--seed", 3)
                responses.append(daemon.rows("SELECT i.image, p.responses FROM presentation AS p "
                                             "JOIN image AS i ON i.seq = p.image WHERE batch = 1 ORDER BY number"))
        self.assertEqual(responses[0], responses[1])
        self.assertGreater(len(responses[0]), 10)

    def test_no_daemon_is_one_sentence(self):
        result = run_evoke("rig", "--connect", "tcp://127.0.0.1:1", "--timeout", 1, check=False)
        self.assertEqual(result.returncode, 1)
        self.assertIn("tcp://127.0.0.1:1", result.stderr)
        self.assertEqual(len(result.stderr.strip().splitlines()), 1)


if __name__ == "__main__":
    main()
