"""The rules of the code that a compiler does not check.

  layers     who may include whom (README.md, "Folders")
  owners     each third-party header has one owner
  programs   evoked links neither OpenBLAS nor HDF5 nor libzip (with --build DIR)
  quiet      no exit(), no printing, no logging below daemon/
  switches   no `default:` in a switch over one of our enums
  sizes      files up to 500 lines, functions up to 80
  headers    a purpose in the first line, a guard named after the path
  tests      each source file has a test of its own, or is named below with the test that covers it
  format     clang-format, where it is installed

Prints `file:line: rule: what` for each finding; exit code 1 if there is one.
"""
import argparse
import pathlib
import re
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDERS = ["support", "protocol", "models", "stimuli", "daemon"]

# A folder may include itself and these.
LAYERS = {
    "support": [],
    "protocol": ["support"],
    "models": ["support"],
    "stimuli": ["models", "support"],
    "daemon": ["protocol", "stimuli", "models", "support"],
}
# Of daemon/, only the worker, the command line and the names of image kinds reach into the numerics: the daemon itself has none.
NUMERICS_ALLOWED = ["daemon/worker/", "daemon/cli/"]
NUMERICS_FREE = ["stimuli/kind.h", "stimuli/png_codec.h", "models/defaults.h"]

OWNERS = {
    "sqlite3.h": ["daemon/store/"],
    "png.h": ["stimuli/png_codec.c"],
    "jpeglib.h": ["stimuli/jpeg_codec.c"],
    "cblas.h": ["models/gemm.c"],
    "lapacke.h": ["models/lapack.c"],
    "zip.h": ["support/archive.c"],
    "hdf5.h": ["models/converter/"],
    "sodium.h": ["support/hash.c", "daemon/"],
    "Random123/": ["support/rng.c"],
    "yaml.h": ["daemon/config"],
    "zmq.h": ["daemon/", "protocol/client_socket.c"],
    "uv.h": ["daemon/"],
    "microhttpd.h": ["daemon/dashboard/"],
}

MAX_LINES, MAX_FUNCTION = 500, 80


class Findings:
    def __init__(self):
        self.lines = []

    def add(self, path, line, rule, text):
        self.lines.append(f"{path.relative_to(ROOT)}:{line}: {rule}: {text}")


def sources(suffixes=(".c", ".h")):
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in suffixes:
                yield path


def strip_comments(text):
    """Comments and strings blanked, line breaks kept."""

    def blank(match):
        return re.sub(r"[^\n]", " ", match.group(0))

    return re.sub(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', blank, text, flags=re.S)


def check_includes(path, text, findings):
    name = str(path.relative_to(ROOT))
    folder = name.split("/")[0]
    for number, line in enumerate(text.splitlines(), 1):
        match = re.match(r'\s*#\s*include\s+[<"]([^>"]+)[>"]', line)
        if not match:
            continue
        header = match.group(1)
        target = header.split("/")[0]
        if target in FOLDERS and target != folder and target not in LAYERS[folder]:
            findings.add(path, number, "layers", f"{folder}/ may not include {header}")
        if folder == "daemon" and target in ("models", "stimuli") and header not in NUMERICS_FREE:
            if not any(name.startswith(a) for a in NUMERICS_ALLOWED):
                findings.add(path, number, "layers", f"the daemon itself has no numerics: {header}")
        for owned, owners in OWNERS.items():
            if header == owned or (owned.endswith("/") and header.startswith(owned)):
                if not any(name.startswith(o) for o in owners):
                    findings.add(path, number, "owners", f"{header} belongs to {', '.join(owners)}")


def check_quiet(path, code, findings):
    if str(path.relative_to(ROOT)).startswith(("daemon/", "models/converter/", "protocol/example_rig.c")):
        return
    for number, line in enumerate(code.splitlines(), 1):
        if re.search(r"(?<![\w.>])(exit|abort|printf|puts|perror|syslog)\s*\(", line):
            findings.add(path, number, "quiet", line.strip())
        if re.search(r"fprintf\s*\(\s*std(err|out)", line):
            findings.add(path, number, "quiet", line.strip())


def our_enumerators():
    names = set()
    for path in sources((".h", ".c")):
        for body in re.findall(r"\benum\s+\w+\s*\{(.*?)\}", strip_comments(path.read_text()), flags=re.S):
            names.update(re.findall(r"\b([A-Z][A-Z0-9_]+)\b", body))
    return names


def check_switches(path, code, enumerators, findings):
    for match in re.finditer(r"\bswitch\s*\(", code):
        start = code.find("{", match.end())
        depth, end = 0, start
        for end in range(start, len(code)):
            depth += {"{": 1, "}": -1}.get(code[end], 0)
            if depth == 0:
                break
        body = code[start:end]
        cases = re.findall(r"\bcase\s+(\w+)", body)
        if cases and cases[0] in enumerators and re.search(r"\bdefault\s*:", body):
            findings.add(path, code.count("\n", 0, match.start()) + 1, "switches", "default: over our own enum")


def check_sizes(path, text, code, findings):
    lines = text.count("\n")
    if lines > MAX_LINES:
        findings.add(path, 1, "sizes", f"{lines} lines, at most {MAX_LINES}")
    start = None
    for number, line in enumerate(code.splitlines(), 1):
        if line.startswith("{"):
            start = number
        elif line.startswith("}") and start:
            if number - start > MAX_FUNCTION:
                findings.add(path, start, "sizes", f"function of {number - start} lines, at most {MAX_FUNCTION}")
            start = None


def check_header(path, text, findings):
    if not text.startswith("/* ") or len(text.splitlines()[0]) < 20:
        findings.add(path, 1, "headers", "no purpose in the first line")
    if path.suffix == ".h":
        guard = "EVOKED_" + re.sub(r"[^A-Z0-9]", "_", str(path.relative_to(ROOT)).upper())
        if f"#ifndef {guard}\n" not in text:
            findings.add(path, 1, "headers", f"guard {guard} expected")


def covered_elsewhere():
    """tests/lint/covered.txt: `source  test` lines, for files whose test has another name."""
    table = {}
    for line in (ROOT / "tests/lint/covered.txt").read_text().splitlines():
        if line.strip() and not line.startswith("#"):
            source, test = line.split()
            table[source] = test
    return table


def check_tests(findings):
    table = covered_elsewhere()
    for path in sources((".c",)):
        name = str(path.relative_to(ROOT))
        own = ROOT / "tests/unit" / (name[:-2] + "_test.c")
        test = ROOT / table[name] if name in table else own
        if not test.exists():
            findings.add(path, 1, "tests", f"no test: {test.relative_to(ROOT)}")
    for source in table:
        if not (ROOT / source).exists():
            findings.add(ROOT / "tests/lint/covered.txt", 1, "tests", f"{source} is gone")


def check_programs(build, findings):
    program = build / "evoked"
    needed = subprocess.run(["readelf", "-d", str(program)], capture_output=True, text=True, check=True).stdout
    for library in ("blas", "hdf5", "libzip"):
        if re.search(rf"NEEDED.*{library}", needed):
            findings.add(ROOT / "daemon/meson.build", 1, "programs", f"evoked links {library}")


def check_format(findings):
    program = shutil.which("clang-format-14") or shutil.which("clang-format")
    version = subprocess.run([program, "--version"], capture_output=True, text=True).stdout if program else ""
    if "version 14." not in version:
        return "clang-format 14 is not installed: formatting not checked"  # other versions format otherwise
    files = [str(p) for p in sources()] + [str(p) for p in sorted((ROOT / "tests").rglob("*.[ch]"))]
    result = subprocess.run([program, "--dry-run", *files], capture_output=True, text=True, cwd=ROOT)
    first = {}
    for match in re.finditer(r"^(.+?):(\d+):\d+: warning: code should be clang-formatted", result.stderr, flags=re.M):
        first.setdefault(match.group(1), match.group(2))
    for name, line in first.items():
        findings.add(pathlib.Path(name), line, "format", "not as clang-format has it")
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, help="build folder whose programs are checked too")
    args = parser.parse_args()
    findings = Findings()
    enumerators = our_enumerators()
    for path in sources():
        text = path.read_text()
        code = strip_comments(text)
        check_includes(path, text, findings)
        check_quiet(path, code, findings)
        check_switches(path, code, enumerators, findings)
        check_sizes(path, text, code, findings)
        check_header(path, text, findings)
    check_tests(findings)
    if args.build:
        check_programs(args.build, findings)
    note = check_format(findings)
    if note:
        print(f"lint: {note}")
    for line in findings.lines:
        print(line)
    print(f"lint: {len(findings.lines)} findings")
    return 1 if findings.lines else 0


if __name__ == "__main__":
    sys.exit(main())
