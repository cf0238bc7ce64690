# SPDX-License-Identifier: Apache-2.0
"""gba-lab as a user runs it: every scenario, N devices, JSON, and nothing left behind.

REQ: Y3056-10.4-1a, Y3056-10.4-1b, Y3056-10.4-1c, Y3056-10.4-2a
"""
import json
import os
import re
import signal
import subprocess

import pytest

from peers.waiting import until

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
LAB = [os.path.join(TOP, "tools", "gba-lab")]


def processes_of(folder):
    """Living processes whose command line names the lab's state folder."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/cmdline" % pid, "rb") as line:
                if folder.encode() in line.read() and int(pid) != os.getpid():
                    found.append(int(pid))
        except OSError:
            pass
    return found


def test_every_scenario_and_more_devices(tmp_path):
    done = subprocess.run(LAB + ["--json", "--devices", "3", "--state", str(tmp_path / "s")], capture_output=True, text=True,
                          timeout=300)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0, done.stdout + done.stderr
    assert rows[-1]["good"] and rows[-1]["scenarios"] == 11
    assert all(row["good"] for row in rows[:-1])
    assert rows[-2]["seen"] == "3 of 3 devices bootstrapped"
    page = (tmp_path / "s" / "ladder.html").read_text()
    assert page.count("<svg") == 11 and "Y.3056 10.4-1a" in page
    assert not re.search(r'(src|href)="http', page), "the page must need nothing from elsewhere"
    assert until(lambda: processes_of(str(tmp_path / "s")) == [])


def test_logs_traces_and_page_hold_no_key(tmp_path):
    """K, OPc, CK, IK of TS 35.208 set 1 and the hex and base64 of what follows from K in no log, trace, page or answer."""
    folder = tmp_path / "s"
    done = subprocess.run(LAB + ["--state", str(folder)], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    secret = ["465b5ce8b199b49faa5f0a2ee238a6bc", "cd63cb71954a9f4e48a5994e37a02baf", "RltSVqL", "Rltc6LGZtJ+qXwou4jimvA"]
    texts = [done.stdout] + [path.read_text(errors="replace") for path in folder.rglob("*")
                             if path.suffix in (".log", ".out", ".jsonl", ".html", ".conf")]
    assert len(texts) > 8
    for text in texts:
        assert not any(needle.lower() in text.lower() for needle in secret)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_leaves_nothing_behind(tmp_path, number):
    folder = str(tmp_path / "s")
    lab = subprocess.Popen(LAB + ["--keep", "--state", folder], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        for line in lab.stdout:
            if "stays up" in line:
                break
        assert len(processes_of(folder)) >= 5
        lab.send_signal(number)
        assert lab.wait(120) == 130
    finally:
        lab.kill()
    assert until(lambda: processes_of(folder) == [])


def test_kill_9_of_the_lab_takes_the_nodes_along(tmp_path):
    folder = str(tmp_path / "s")
    lab = subprocess.Popen(LAB + ["--keep", "--state", folder], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    for line in lab.stdout:
        if "stays up" in line:
            break
    nodes = processes_of(folder)
    assert len(nodes) >= 5
    lab.kill()
    lab.wait()
    assert until(lambda: processes_of(folder) == [])


def test_wrong_use():
    done = subprocess.run(LAB + ["--devices", "many"], capture_output=True, text=True, timeout=120)
    assert done.returncode == 2 and "usage:" in done.stderr
