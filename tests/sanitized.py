#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""System tests with every daemon under the sanitizer its build was configured with: tests/sanitized.py BUILD FOLDER...
Prints each place that a report names once, with how often; exit status 0: nothing was reported. What is reported lies in
BUILD/log/reports/FOLDER. A sanitized node is slow: a test that fails by its time-out only is not of interest here."""
import collections
import glob
import os
import re
import shutil
import subprocess
import sys

TESTS = os.path.dirname(os.path.abspath(__file__))
FOREIGN = ["freeDiameterd", "mosquitto"]  # programs that are not ours, and load what is
# The runtime has to be there first; another allocator would be in its way. What freeDiameter leaves at its end is not looked for.
WRAPPER = """#!/bin/sh
parts=$(echo "$LD_PRELOAD" | tr ': ' '\\n\\n' | grep -v jemalloc | paste -sd: -)
export ASAN_OPTIONS="$ASAN_OPTIONS:detect_leaks=0"
LD_PRELOAD=%s${parts:+:$parts} exec %s "$@"
"""
FRAME = re.compile(r"^\s+#\d+ (?:0x\w+ in )?(.+?) \(?(\S+)\)?.*$", re.M)


def runtime(build):
    """The sanitizer's library that libgba needs."""
    needed = subprocess.run(["ldd", os.path.join(build, "lib", ".libs", "libgba.so")], capture_output=True, text=True, check=True).stdout
    found = re.search(r"=> (\S*lib([at])san\S*)", needed)
    if found is None:
        sys.exit("%s: not configured --with-sanitizer" % build)
    return found.group(1), {"a": "ASAN", "t": "TSAN"}[found.group(2)]


def wrap(folder, library):
    """Programs of the foreign ones' names that start them with the library."""
    os.makedirs(folder, exist_ok=True)
    for name in FOREIGN:
        path = os.path.join(folder, name)
        with open(path, "w", encoding="ascii") as out:
            out.write(WRAPPER % (library, shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin")))
        os.chmod(path, 0o755)


def options(kind, reports):
    """A report of ThreadSanitizer ends no program: the test goes on."""
    common = "log_path=%s:exitcode=0:" % os.path.join(reports, "report")
    if kind == "TSAN":
        return {"TSAN_OPTIONS": common + "halt_on_error=0:second_deadlock_stack=1:history_size=4:suppressions=%s"
                % os.path.join(TESTS, "tsan.supp")}
    return {"ASAN_OPTIONS": common + "verify_asan_link_order=0", "UBSAN_OPTIONS": "print_stacktrace=1"}


def places(reports):
    """(kind of report, its first frames) -> how often, and one file that has it."""
    seen = collections.defaultdict(list)
    for path in glob.glob(os.path.join(reports, "report.*")):
        with open(path, encoding="utf-8", errors="replace") as text:
            for block in re.split(r"^=+\n(?==*\d*=*(?:WARNING|ERROR))|^(?===\d+==ERROR)", text.read(), flags=re.M):
                kind = re.search(r"(?:WARNING|ERROR): \w+Sanitizer: ([^(\n]*)|runtime error: (.*)", block)
                if kind:
                    stacks = [FRAME.findall(part)[:3] for part in re.split(r"\n\s*\n", block)]
                    frames = [" < ".join("%s %s" % frame for frame in stack) for stack in stacks if stack]
                    seen[((kind.group(1) or kind.group(2)).strip(), tuple(sorted(frames[:2])))].append(path)
    return seen


def run(build, folder, library, kind):
    """One folder, in a pytest of its own as in tests/run.py. How many places were reported."""
    reports, wrappers = os.path.join(build, "log", "reports", os.path.basename(folder)), os.path.join(build, "log", "wrappers")
    shutil.rmtree(reports, ignore_errors=True)
    os.makedirs(reports)
    wrap(wrappers, library)
    environment = dict(os.environ, GBA_BUILD=build, PATH=wrappers + ":" + os.environ["PATH"], **options(kind, reports))
    # a test that loads a library of ours into Python itself cannot be run
    subprocess.run(["/usr/bin/python3", "-m", "pytest", "-q", "-p", "no:cacheprovider", "--continue-on-collection-errors", folder],
                   env=environment, check=False)
    seen = places(reports)
    for (what, frames), paths in sorted(seen.items(), key=lambda item: -len(item[1])):
        print("\n%4d %s, as in %s\n     %s" % (len(paths), what, paths[0], "\n     ".join(frames)))
    print("%s: %d places reported" % (os.path.basename(folder), len(seen)), flush=True)
    return len(seen)


def main():
    build = os.path.abspath(sys.argv[1])
    library, kind = runtime(build)
    return 1 if sum([run(build, os.path.abspath(folder), library, kind) for folder in sys.argv[2:]]) else 0


if __name__ == "__main__":
    sys.exit(main())
