#!/usr/bin/env python3
"""Ends and new beginnings: killed in mid-batch, stopped, a full disk, a port in use."""
import os
import resource
import signal
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from daemon_harness import DaemonCase  # noqa: E402
from harness import BUILD, wait_for  # noqa: E402


class RestartTest(DaemonCase):
    def test_daemon_killed_in_mid_batch(self):
        daemon = self.start()
        rig = self.open_rig(daemon)
        operator = self.operator(daemon)
        for after in range(3):
            batch = rig.next_batch(after)
            if after < 2:
                rig.show(batch)
                self.wait_for_next(operator)
        acknowledged = rig.block(batch["batch"], range(7))
        rig.present(acknowledged)
        unanswered = rig.block(batch["batch"], range(7, 12))
        rig.send("presentations", [rig.counts(unanswered)], run=rig.run, presentations=unanswered)
        daemon.kill()

        daemon = self.start()
        self.assertEqual(daemon.session, self.file)
        again = self.rig(daemon, rig.run)
        again.number = rig.number
        welcome = again.hello()
        self.assertEqual((welcome["state"], welcome["next_after"]), ("running", 3))
        self.assertIn(welcome["settled_through"], (47, 52))
        same = again.next_batch(2)
        for key in ("batch", "origin", "slots", "images", "raw"):
            self.assertEqual(same[key], batch[key])
        for rows in (acknowledged, unanswered):
            answer = again.present(rows)
        self.assertEqual((answer["settled_through"], answer["conflicts"]), (52, []))
        again.present(again.block(batch["batch"], range(12, 20)))
        self.assertEqual(self.rows("SELECT count(*), count(DISTINCT number), max(number) FROM presentation"),
                         [(60, 60, 60)])
        operator = self.operator(daemon)
        self.wait_for_next(operator)
        self.assertEqual(operator.ask("status")["loop"]["n_shown"], 20)
        self.assertEqual(again.next_batch(3)["origin"], "chosen")
        decisions = [row[0] for row in self.rows("SELECT decision FROM decision ORDER BY decision")]
        self.assertEqual(decisions, list(range(1, len(decisions) + 1)))
        self.assertEqual(self.rows("PRAGMA integrity_check"), [("ok",)])

    def test_killed_again_and_again_nothing_acknowledged_is_lost(self):
        daemon = self.start()
        rig = self.open_rig(daemon)
        batch, settled = rig.next_batch(0), {}
        for round_ in range(4):
            rows = rig.block(batch["batch"], range(4 * round_, 4 * round_ + 4))
            rig.present(rows[:3])
            settled.update(rig.settled)
            daemon.kill()
            daemon = self.start()
            again = self.rig(daemon, rig.run)
            again.number = rig.number
            self.assertEqual(again.hello()["settled_through"], rows[2]["number"])
            again.present(rows)
            rig = again
        stored = dict(self.rows("SELECT number, slot FROM presentation"))
        self.assertEqual(sorted(stored), list(range(1, 17)))
        self.assertEqual({number: slot for number, (_, slot) in settled.items()},
                         {number: stored[number] for number in settled})

    def test_a_rig_that_noticed_nothing_goes_on_without_hello(self):
        daemon = self.start()
        rig = self.open_rig(daemon)
        batch = rig.next_batch(0)
        rows = rig.block(batch["batch"], range(5))
        rig.present(rows)
        daemon.kill()
        daemon = self.start()
        stranger = self.rig(daemon)
        self.assertEqual(stranger.ask("next_batch", run=stranger.run, after=1)["code"], "state")
        again = self.rig(daemon, rig.run)
        again.number = rig.number
        self.assertEqual(again.present(rows)["settled_through"], 5)
        self.assertEqual(again.present(again.block(batch["batch"], [5]))["settled_through"], 6)
        self.assertEqual(stranger.hello()["holder"], rig.run)

    def test_stopped_by_sigterm_and_gone_on_with_by_name(self):
        daemon = self.start()
        rig = self.open_rig(daemon)
        rig.show(rig.next_batch(0))
        operator = self.operator(daemon)
        operator.ask("exclude", unit=1, reason="noise")
        operator.ask("natural", on=True, reason="test")
        operator.ask("pause")
        self.assertEqual(daemon.stop(), 0)
        self.assertFalse(os.path.exists(self.file + "-wal"))
        daemon = self.start("--session", self.file)
        wait_for(lambda: any("going on with session" in line for line in daemon.log_lines), "the line that says so")
        status = self.operator(daemon).ask("status")
        self.assertEqual((status["state"], status["loop"]["natural_only"], status["session"]["n_excluded"]),
                         ("paused", True, 1))
        self.assertEqual(status["presentations"]["stored"], 20)

    def test_gone_on_with_when_the_pool_is_gone_the_rig_still_gets_batches(self):
        gone = os.path.join(self.folder, "gone")
        daemon = self.start(images__pool="fake:gone=" + gone, batch__stock=1)
        rig = self.open_rig(daemon)
        rig.show(rig.next_batch(0))
        self.wait_for_next(self.operator(daemon))
        daemon.stop()
        with open(gone, "w", encoding="ascii"):
            pass
        daemon = self.start()
        again = self.rig(daemon, rig.run)
        again.number = rig.number
        again.hello()
        for after in range(1, 5):
            batch = again.next_batch(after)
            self.assertEqual((batch["type"], batch["batch"], len(batch["slots"])), ("batch", after + 1, 20))
            again.show(batch)
        operator = self.operator(daemon)
        wait_for(lambda: "is not there" in (operator.ask("status")["loop"]["failure"] or ""), "the failure")
        self.assertEqual(again.next_batch(5)["type"], "batch")

    def test_a_closed_session_is_not_gone_on_with(self):
        daemon = self.start()
        rig = self.open_rig(daemon)
        self.assertEqual(rig.ask("close")["type"], "closed")
        daemon.stop()
        daemon = self.start()
        self.assertEqual(daemon.session, "-")
        rig = self.open_rig(daemon)
        files = [name for name in os.listdir(self.folder) if name.endswith(".db")]
        self.assertEqual(len(files), 2)
        daemon.stop()
        self.assertEqual(self.make_daemon("--session", self.file).run_refused().returncode, 1)

    def test_a_full_disk_stalls_and_loses_nothing(self):
        daemon = self.start()
        rig = self.open_rig(daemon)
        operator = self.operator(daemon)
        batch = rig.next_batch(0)
        self.wait_for_next(operator)
        rows = rig.block(batch["batch"], range(10))
        rig.present(rows[:5])
        pid = daemon.process.pid
        size = max(os.path.getsize(self.file), os.path.getsize(self.file + "-wal"))
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (size - 1, resource.RLIM_INFINITY))
        answer = rig.ask("presentations", [rig.counts(rows[5:])], run=rig.run, presentations=rows[5:])
        self.assertEqual(answer["type"], "busy")
        self.assertEqual(operator.ask("status")["state"], "storage_stalled")
        self.assertEqual(rig.ask("next_batch", run=rig.run, after=1)["type"], "busy")
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        wait_for(lambda: operator.ask("status")["state"] == "running", "the session to run again")
        self.assertEqual(rig.present(rows)["settled_through"], 10)
        self.assertEqual(rig.next_batch(1)["batch"], 2)
        self.assertEqual(self.rows("SELECT count(*) FROM presentation"), [(10,)])

    def test_a_port_in_use_is_one_line(self):
        daemon = self.start()
        second = subprocess.run([os.path.join(BUILD, "evoked"), "--set", "listen.rig=" + daemon.rig], capture_output=True,
                                text=True, timeout=30)
        self.assertEqual((second.returncode, second.stdout), (1, ""))
        self.assertEqual(second.stderr.count("\n"), 1)
        self.assertIn(daemon.rig, second.stderr)
        self.assertIn("in use", second.stderr)

    def test_wrong_arguments_and_configuration(self):
        config = os.path.join(self.folder, "bad.yaml")
        with open(config, "w", encoding="ascii") as file:
            file.write("batch:\n  size: 0\n")
        for arguments, word in ((["--config", config], "bad.yaml:2"), (["--set", "batch.size=x"], "batch.size"),
                                (["--odd"], "--help"), (["odd"], "odd"), (["--set", "batch.size=900"], "batch.size")):
            done = subprocess.run([os.path.join(BUILD, "evoked"), *arguments], capture_output=True, text=True, timeout=30)
            self.assertEqual((done.returncode, done.stdout), (2, ""), done)
            self.assertIn(word, done.stderr)
        done = subprocess.run([os.path.join(BUILD, "evoked"), "--version"], capture_output=True, text=True, timeout=30)
        self.assertEqual(done.returncode, 0)

    def test_an_open_that_fails_says_why_and_leaves_the_daemon_idle(self):
        for keys, word in (({"session__dir": os.path.join(self.folder, "nowhere")}, "nowhere"),
                           ({"worker__program": os.path.join(self.folder, "no-worker")}, "no-worker")):
            daemon = self.start(**keys)
            rig = self.rig(daemon)
            rig.hello()
            answer = rig.open()
            self.assertEqual((answer["type"], answer["code"]), ("error", "storage"), answer)
            self.assertIn(word, answer["text"])
            self.assertEqual(daemon.status()["state"], "idle")
            self.assertEqual(rig.open()["type"], "error")
            self.assertEqual(os.listdir(self.folder), [])
            self.assertEqual(daemon.stop(), 0)

    def test_two_daemons_never_write_one_file(self):
        daemon = self.start()
        self.open_rig(daemon)
        second = self.make_daemon("--session", self.file).run_refused()
        self.assertEqual(second.returncode, 1)
        self.assertIn(self.file, second.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
