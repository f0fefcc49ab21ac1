#!/usr/bin/env python3
"""The whole loop through the real sockets, with a scripted rig and a worker that makes flat images."""
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from daemon_harness import Client, Daemon, Rig, rows_of, temporary_folder, wait_for  # noqa: E402


class LoopTest(unittest.TestCase):
    def setUp(self):
        self.folder = temporary_folder()
        self.addCleanup(self.folder.cleanup)

    def start(self, *arguments, **keys):
        daemon = Daemon(self.folder.name, *arguments, **keys)
        self.addCleanup(daemon.__exit__)
        return daemon

    def rig(self, daemon, **more):
        rig = Rig(daemon.rig, **more)
        self.addCleanup(rig.close)
        return rig

    def test_batches_follow_each_other_and_learn(self):
        daemon = self.start()
        rig = self.rig(daemon)
        welcome = rig.hello()
        self.assertEqual((welcome["type"], welcome["state"], welcome["session"]), ("welcome", "idle", None))
        opened = rig.open()
        self.assertEqual(opened["type"], "opened")
        self.assertEqual(opened["seed"], "%016x" % 7)
        shown = []
        for after in range(4):
            batch = rig.next_batch(after)
            self.assertEqual(batch["type"], "batch")
            self.assertEqual((batch["batch"], len(batch["slots"])), (after + 1, 20))
            for image in batch["images"]:
                png = batch["raw"][0][image["offset"]:image["offset"] + image["size"]]
                self.assertTrue(png.startswith(b"\x89PNG"))
            answer = rig.show(batch)
            self.assertEqual((answer["settled_through"], answer["missing"], answer["conflicts"]), (rig.number, [], []))
            shown.append(batch)
            control = Client(daemon.control)
            wait_for(lambda: control.ask("status")["loop"]["next"] == "chosen", "the next batch")
            control.close()
        self.assertEqual([batch["origin"] for batch in shown], ["chosen"] * 4)
        path = rows_of_session(self.folder.name)
        self.assertEqual(rows_of(path, "SELECT count(*) FROM presentation"), [(80,)])
        kinds = [row[0] for row in rows_of(path, "SELECT kind FROM decision ORDER BY decision")]
        self.assertEqual(kinds[:3], ["prepare", "draw", "draw"])
        self.assertIn("fit", kinds)
        self.assertEqual(rows_of(path, "SELECT DISTINCT cause FROM decision"), [("planned",)])
        closed = rig.ask("close")
        self.assertEqual((closed["type"], closed["session"]), ("closed", opened["session"]))
        self.assertEqual(rows_of(path, "SELECT kind FROM decision ORDER BY decision DESC LIMIT 1"), [("evaluate",)])
        self.assertEqual(rows_of(path, "SELECT state FROM state ORDER BY seq DESC LIMIT 1"), [("closed",)])
        self.assertEqual(daemon.stop(), 0)


def rows_of_session(folder):
    return os.path.join(folder, "test.db")


if __name__ == "__main__":
    unittest.main(verbosity=2)
