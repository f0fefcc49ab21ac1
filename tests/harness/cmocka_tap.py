"""Runs a test program; what a cmocka program prints becomes TAP that meson understands. Other programs run as they are.

cmocka 1.1 says "not ok 3 # SKIP name" of a skipped case, which TAP readers count as failed; and lines that the tested code
printed are not TAP: they become comments.
"""
import os
import re
import subprocess
import sys

TAP = re.compile(r"(ok|not ok) |1\.\.\d+|#|TAP version")


def main():
    command = sys.argv[1:]
    if not command[0].endswith("_test"):
        os.execvp(command[0], command)
    environment = {**os.environ, "CMOCKA_MESSAGE_OUTPUT": "TAP"}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True, errors="replace") as process:
        for line in process.stdout:
            if line.startswith("not ok") and "# SKIP" in line:
                line = line[len("not "):]
            sys.stdout.write(line if TAP.match(line) else "# " + line)
    sys.exit(process.returncode if process.returncode >= 0 else 128 - process.returncode)


main()
