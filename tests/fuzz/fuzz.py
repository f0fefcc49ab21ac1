"""Runs each fuzz target of a build folder (meson -Dfuzz=true) for a while, from its corpus; new inputs stay in the build
folder. Ends with `N passed, N failed`; an input that breaks a target is named."""
import argparse
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    args = parser.parse_args()
    folder = (args.build / "tests" / "fuzz").resolve()
    failed = passed = 0
    for target in sorted(folder.glob("*_fuzz")):
        name = target.name[: -len("_fuzz")]
        found = folder / "found" / name
        found.mkdir(parents=True, exist_ok=True)
        command = [target, f"-max_total_time={args.seconds}", "-max_len=65536", "-timeout=10", "-rss_limit_mb=2048",
                   f"-artifact_prefix={found}-", "-print_final_stats=1", found, HERE / "corpus" / name]
        ok = subprocess.run([str(word) for word in command]).returncode == 0
        passed, failed = passed + ok, failed + (not ok)
        print(f"{name}: {'passed' if ok else f'FAILED, see {found}-*'}")
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed or not passed else 0)


if __name__ == "__main__":
    main()
