#!/usr/bin/env python3
"""The C example rig, built with nothing but protocol/ and support/error, against the real daemon."""
import subprocess
import unittest

from harness import BUILD, FAKE_WORKER, PATIENCE, Daemon, main

N_BATCHES, BATCH_SIZE = 12, 16


class CClientTest(unittest.TestCase):
    def run_rig(self, daemon, meanwhile=None):
        rig = subprocess.Popen([str(BUILD / "protocol/example_rig"), daemon.rig, str(N_BATCHES)], stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=1)
        try:
            if meanwhile:
                meanwhile()
            out, err = rig.communicate(timeout=120 * PATIENCE)
        finally:
            rig.kill()
            rig.wait()
        self.assertEqual((rig.returncode, err), (0, ""))
        self.assertIn(f"{N_BATCHES * BATCH_SIZE} presentations are on disk", out)

    def assert_each_once(self, daemon):
        numbers = [row[0] for row in daemon.rows("SELECT number FROM presentation ORDER BY number")]
        self.assertEqual(numbers, list(range(1, N_BATCHES * BATCH_SIZE + 1)))
        self.assertEqual(daemon.rows("SELECT count(*) FROM refusal"), [(0,)])
        self.assertTrue(daemon.check_file())

    def test_example_rig(self):
        with Daemon({**FAKE_WORKER, "batch.size": BATCH_SIZE}) as daemon:
            self.run_rig(daemon)
            self.assert_each_once(daemon)

    def test_the_daemon_is_killed_and_started_again(self):
        with Daemon({**FAKE_WORKER, "batch.size": BATCH_SIZE}) as daemon:
            daemon.settings["listen.rig"] = daemon.rig  # the same port again

            def kill_in_mid_session():
                seen = 0
                while seen < 3 * BATCH_SIZE:
                    seen = daemon.status()["presentations"]["stored"]
                daemon.kill()
                daemon.start()

            self.run_rig(daemon, kill_in_mid_session)
            self.assert_each_once(daemon)
            self.assertEqual(len(daemon.rows("SELECT DISTINCT run FROM presentation")), 1)


if __name__ == "__main__":
    main()
