"""The demo as a newcomer runs it, in small; and that nothing of it is left behind when it is interrupted."""
import json
import os
import pathlib
import signal
import subprocess
import tempfile
import unittest

from harness import BUILD, main, run_evoke, wait_for

QUICK = ["--quick", "--batches", 4, "--batch-size", 24, "--rate", 40, "--builtin", 6]


def processes_in(folder):
    """Processes whose command line or environment-free arguments name the folder."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            if str(folder).encode() in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
        except OSError:
            pass
    return found


class DemoTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="evoked-demo-test-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def test_both_sessions_tables_and_images(self):
        result = run_evoke("demo", *QUICK, "--dir", self.folder / "demo", "--json", timeout_s=240)
        demo = json.loads(result.stdout)
        for arm in ("loop", "random"):
            table = demo[arm]["table"]
            self.assertGreaterEqual(len(table["batches"]), 4)
            self.assertEqual(table["presentations"], 4 * 24)
            self.assertIsNotNone(table["monitor"], "no refit was scored")
            self.assertEqual(demo[arm]["rig"]["refused"], 0)
            self.assertTrue(pathlib.Path(demo[arm]["file"]).is_file())
            self.assertTrue((self.folder / "demo" / f"{arm}.yaml").is_file())
        kinds = {json.loads(line)["kind"] for line in run_evoke("report", demo["random"]["file"], "--table",
                                                                "presentations").stdout.splitlines()}
        self.assertLessEqual(kinds, {"natural", "monitor", "sealed", "blank"})
        self.assertTrue((pathlib.Path(demo["images"]) / "kinds.png").read_bytes().startswith(b"\x89PNG"))
        self.assertEqual(len(list((pathlib.Path(demo["images"]) / "last_batch").glob("*.png"))), 24)
        self.assertTrue(demo["replay_equal"], demo["replay"])
        self.assertEqual(processes_in(self.folder), [])

        again = run_evoke("demo", *QUICK, "--dir", self.folder / "demo", check=False)
        self.assertEqual(again.returncode, 1)
        self.assertIn("holds a session already", again.stderr)

    def interrupt(self, signum):
        demo = subprocess.Popen([str(BUILD / "evoke"), "demo", *map(str, QUICK), "--rate", "5", "--dir",
                                 str(self.folder / "demo")], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        self.addCleanup(demo.kill)
        wait_for(lambda: (self.folder / "demo" / "loop.rig.json").exists(), "the rig of the demo")
        os.kill(demo.pid, signum)
        code = demo.wait(timeout=60)
        wait_for(lambda: not processes_in(self.folder), "the end of the demo's processes")
        return code

    def test_ctrl_c_leaves_no_process(self):
        self.assertEqual(self.interrupt(signal.SIGINT), 1)

    def test_even_a_kill_leaves_no_process(self):
        self.assertEqual(self.interrupt(signal.SIGKILL), -signal.SIGKILL)


if __name__ == "__main__":
    main()
