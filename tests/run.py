# SPDX-License-Identifier: Apache-2.0
"""Everything ./run-tests does after the packages are there: build, unit tests, sanitizer builds, system tests, fuzzing.
Prints a line per stage as it ends and, last, `N passed, N failed`.

System tests wait most of their time: two folders run at once, and beside them, with the lower priority, all that only needs the
processor (sanitizer builds with their unit tests, then fuzzing)."""
import argparse
import concurrent.futures
import glob
import os
import re
import subprocess
import sys
import threading
import time
import xml.etree.ElementTree as ElementTree

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.environ.get("GBA_BUILD", os.path.join(TOP, "build"))


class Tally:
    def __init__(self):
        self.passed, self.failed, self.failures = 0, 0, []
        self.lock = threading.Lock()

    def add(self, stage, passed, failed, started, notes=()):
        with self.lock:
            self.passed += passed
            self.failed += failed
            self.failures += ["%s: %s" % (stage, note) for note in notes]
            print("%-28s %5d passed %4d failed  %5.0f s" % (stage, passed, failed, time.monotonic() - started), flush=True)


class Standstill(threading.Thread):
    """Notes how long the machine stood still at most: a thread that wakes ten times a second sees how late it does, and the kernel
    counts what a hypervisor has taken. A test that fails only then is judged otherwise."""
    STEP, LONG = 0.1, 0.5  # [s]

    def __init__(self):
        super().__init__(daemon=True)
        self.longest, self.times, self.before = 0.0, 0, self.ticks()
        self.start()

    @staticmethod
    def ticks():
        """(stolen, all) ticks of the processors since the start of the machine (proc(5))."""
        with open("/proc/stat", encoding="ascii") as stat:
            fields = [int(field) for field in stat.readline().split()[1:9]]  # guests' are in user and nice already
        return fields[7], sum(fields)

    def run(self):
        while True:
            began = time.monotonic()
            time.sleep(self.STEP)
            late = time.monotonic() - began - self.STEP
            self.longest = max(self.longest, late)
            self.times += late > self.LONG

    def __str__(self):
        stolen, ticks = (now - before for now, before in zip(self.ticks(), self.before))
        return "the machine stood still for at most %.1f s, %d times above %.1f s; %.0f %% stolen" % (
            self.longest, self.times, self.LONG, 100 * stolen / max(1, ticks))


def shell(script, log, nice=0, **env):
    """Run a script of prepare.sh's functions; its output goes to log."""
    os.makedirs(os.path.dirname(log), exist_ok=True)
    with open(log, "wb") as out:
        return subprocess.run(["nice", "-n", str(nice), "bash", "-c", 'set -euo pipefail; top=$1; build=$2; . "$top/tools/prepare.sh"; ' + script, "run",
                               TOP, BUILD], stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
                              env=dict(os.environ, **env)).returncode


def tail(path, lines=15):
    with open(path, encoding="utf-8", errors="replace") as text:
        return "".join(text.readlines()[-lines:])


def build(tally, stage, folder, options, more="", nice=0):
    started = time.monotonic()
    log = os.path.join(BUILD, "log", stage.replace(" ", "-") + ".log")
    # one target after the other: `all` is a make of its own and must not build beside another one
    code = shell('configure_tree "%s" %s; build_tree "%s"%s' % (folder, options, folder,
                                                                '; build_tree "%s" %s' % (folder, more) if more else ""), log, nice)
    tally.add(stage, int(code == 0), int(code != 0), started, ["see %s\n%s" % (log, tail(log))] if code else ())
    return code == 0


def count_unit(folder):
    """Sum of Check's own counts in the logs of `make check`, one each for programs without such a line."""
    passed, failed, notes = 0, 0, []
    for log in sorted(glob.glob(os.path.join(folder, "tests", "**", "*.log"), recursive=True)):
        result = log[:-4] + ".trs"
        if not os.path.exists(result):
            continue
        text = tail(log, 100000)
        ok = ":test-result: PASS" in tail(result, 20)
        counts = re.findall(r"Checks: (\d+), Failures: (\d+), Errors: (\d+)", text)
        bad = sum(int(f) + int(e) for _, f, e in counts)
        passed += sum(int(c) for c, _, _ in counts) - bad if counts else int(ok)
        failed += bad if counts else int(not ok)
        if not ok:
            failed += int(bool(counts) and bad == 0)  # died outside a test: a sanitizer's report, for one
            notes.append("%s\n%s" % (os.path.relpath(log, folder), tail(log)))
    return passed, failed, notes


def unit(tally, stage, folder, nice=0):
    started = time.monotonic()
    log = os.path.join(BUILD, "log", stage.replace(" ", "-") + ".log")
    for old in glob.glob(os.path.join(folder, "tests", "**", "*.trs"), recursive=True):
        os.unlink(old)
    # twice as many programs as processors: some write to disk, some wait; Check's time limits are for a machine of one's own
    code = shell('make -C "%s" -k -j"$((2 * $(nproc)))" check' % folder, log, nice, CK_TIMEOUT_MULTIPLIER="5")
    passed, failed, notes = count_unit(folder)
    if code != 0 and failed == 0:
        failed, notes = 1, ["make check ended with %d, see %s\n%s" % (code, log, tail(log))]
    tally.add(stage, passed, failed, started, notes)


def system(tally, options):
    """A pytest run of its own for each interface: their helpers may then have the same names. The largest folders first."""
    folders = glob.glob(os.path.join(TOP, "tests", "system", "*", ""))
    sizes = {folder: sum(map(os.path.getsize, glob.glob(os.path.join(folder, "test_*.py")))) for folder in folders}
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for _ in pool.map(lambda folder: system_folder(tally, options, folder), sorted(filter(sizes.get, folders), key=sizes.get,
                                                                                      reverse=True)):
            pass


def system_folder(tally, options, folder):
    started = time.monotonic()
    name = os.path.basename(os.path.dirname(folder))
    report = os.path.join(BUILD, "log", "system-%s.xml" % name)
    log = os.path.join(BUILD, "log", "system-%s.log" % name)
    command = ["/usr/bin/python3", "-m", "pytest", "-q", "-p", "no:cacheprovider", "--junitxml", report,
               folder] + (["-k", options.filter] if options.filter else [])
    os.makedirs(os.path.dirname(log), exist_ok=True)
    if os.path.exists(report):
        os.unlink(report)
    with open(log, "wb") as out:
        code = subprocess.run(command, cwd=TOP, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
                              env=dict(os.environ, GBA_BUILD=BUILD, PYTHONDONTWRITEBYTECODE="1")).returncode
    if code == 5 and options.filter:
        return  # nothing here has such a name
    if not os.path.exists(report):
        tally.add("system tests, %s" % name, 0, 1, started, ["pytest ended with %d, see %s\n%s" % (code, log, tail(log, 40))])
        return
    passed, failed, notes = count_pytest(report)
    tally.add("system tests, %s" % name, passed, failed, started, notes)


def count_pytest(report):
    passed, failed, notes = 0, 0, []
    for case in ElementTree.parse(report).getroot().iter("testcase"):
        bad = case.find("failure") if case.find("failure") is not None else case.find("error")
        if case.find("skipped") is not None:
            bad = case.find("skipped")  # a test that did not run did not pass
        passed, failed = passed + (bad is None), failed + (bad is not None)
        if bad is not None:
            notes.append("%s.%s: %s" % (case.get("classname"), case.get("name"), (bad.get("message") or "")[:600]))
    return passed, failed, notes


def sanitized(tally, options, werror):
    """What needs the processor and nothing else."""
    for name, sanitizer in (("address", "address,undefined"), ("thread", "thread")):
        folder = os.path.join(BUILD, name)
        if build(tally, "build with %s sanitizer" % name, folder, '%s --with-sanitizer=%s CFLAGS="-g -O1"' % (werror, sanitizer), nice=10):
            unit(tally, "unit tests, %s" % name, folder, nice=10)
    fuzz(tally, options.fuzz_seconds)


def fuzz(tally, seconds):
    folder = os.path.join(BUILD, "fuzz")
    if not build(tally, "build for fuzzing", folder, "CC=clang --enable-fuzz --with-sanitizer=address,undefined",
                 "fuzz-programs", nice=10):
        return
    programs = [program for program in sorted(glob.glob(os.path.join(folder, "tests", "fuzz", "fuzz_*")))
                if os.access(program, os.X_OK) and not os.path.isdir(program) and "." not in os.path.basename(program)]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for _ in pool.map(lambda program: fuzz_one(tally, folder, program, seconds), programs):
            pass


def fuzz_one(tally, folder, program, seconds):
    started = time.monotonic()
    name = os.path.basename(program)
    log = os.path.join(BUILD, "log", name + ".log")
    found = os.path.join(folder, "corpus", name)
    os.makedirs(found, exist_ok=True)
    code = shell('cd "%s"; GBA_COREDUMP=1 ASAN_OPTIONS=detect_leaks=1 "%s" -max_total_time=%d -timeout=10 -rss_limit_mb=1024 '
                 '-artifact_prefix="%s/" -verbosity=0 -print_final_stats=1 "%s" "$top/tests/fuzz/corpus/%s"'
                 % (folder, program, seconds, found, found, name[len("fuzz_"):]), log, nice=10)
    tally.add(name, int(code == 0), int(code != 0), started, ["see %s\n%s" % (log, tail(log, 30))] if code else ())


def main():
    parser = argparse.ArgumentParser(prog="run-tests", description="Build and run every test. Exit status 0: all passed.")
    parser.add_argument("--werror", action="store_true", help="warnings are errors (CI)")
    parser.add_argument("--quick", action="store_true", help="unit and system tests of the plain build only")
    parser.add_argument("--filter", metavar="EXPRESSION", help="system tests whose name matches (pytest -k)")
    parser.add_argument("--fuzz-seconds", type=int, default=8, metavar="N", help="time for each fuzz target (default 8)")
    options = parser.parse_args()
    tally = Tally()
    werror = "--enable-werror" if options.werror else "--disable-werror"
    started, standstill = time.monotonic(), Standstill()
    if build(tally, "build", BUILD, werror):
        unit(tally, "unit tests", BUILD)
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            beside = None if options.quick or options.filter else pool.submit(sanitized, tally, options, werror)
            system(tally, options)
            if beside is not None:
                beside.result()
    for failure in tally.failures:
        print("FAILED " + failure)
    print("in %.0f s; %s" % (time.monotonic() - started, standstill))
    print("%d passed, %d failed" % (tally.passed, tally.failed))
    return 0 if tally.failed == 0 and tally.passed > 0 else 1


if __name__ == "__main__":
    sys.exit(main())
