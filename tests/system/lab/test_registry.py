# SPDX-License-Identifier: Apache-2.0
"""gba-lab --registry: a device is known to three registries, by messages between running nodes.

REQ: Y3059-7-iv-f"""
import json
import os
import re
import signal
import subprocess

import pytest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
STEPS = {"Register": ["7-iv-a", "7-iv-b", "7-iv-d"], "Report: that": ["7-iv-c", "7-iv-d"], "Report: the mended": ["7-iv-c", "7-iv-d"]}


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    folder = tmp_path_factory.mktemp("registries") / "s"
    done = subprocess.run([os.path.join(TOP, "tools", "gba-lab"), "--registry", "--json", "--state", str(folder)], capture_output=True,
                          text=True, timeout=300, check=False)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0, done.stdout + done.stderr
    sections = (folder / "ladder.html").read_text().split("<section><h2>")[1:]
    return rows, {part.split("</h2>")[0]: re.findall(r"Y\.3059 (7-[0-9a-z-]+)", part) for part in sections}


def test_everybody_learns_it(shown):
    rows, _ = shown
    assert rows[-1]["good"] and len(rows) == 6 and all(row["good"] for row in rows)
    said = [row["seen"] for row in rows[:-1]]
    assert "whitelisted by S13 at IN2" in said[0] and "blacklisted by S13 at IN2" in said[2] and "whitelisted by S13 at IN2" in said[4]


@pytest.mark.parametrize("title", STEPS)
def test_messages_come_in_order(shown, title):
    clauses, at = next(c for t, c in shown[1].items() if t.startswith(title)), 0
    for step in STEPS[title]:
        assert step in clauses[at:], clauses
        at = clauses.index(step, at)


def test_the_commands_it_names_work(tmp_path):
    lab = subprocess.Popen([os.path.join(TOP, "tools", "gba-lab"), "--registry", "--quiet", "--keep", "--state", str(tmp_path / "s")],
                           stdout=subprocess.PIPE, text=True)
    try:
        named = []
        for line in lab.stdout:
            named += [line.strip()] if line.startswith(("  curl ", "  env ")) else []
            if line.startswith("  tail "):  # the last one
                break
        told = {words: subprocess.run(words, shell=True, capture_output=True, text=True, timeout=60, check=False) for words in named}
        lab.send_signal(signal.SIGINT)
        assert lab.wait(120) == 130
    finally:
        lab.kill()
    assert len(told) == 3 and all(done.returncode == 0 for done in told.values()), told
    assert [json.loads(done.stdout)["reg_id"] for words, done in told.items() if "well-known" in words] == ["IN1"]
