# SPDX-License-Identifier: Apache-2.0
"""gba-lab --flows: every step of the clauses is carried out by a running node, in the order of the clause.

REQ: Y3056-10.1-1, Y3056-10.1-2, Y3056-10.1-3a, Y3056-10.1-3b, Y3056-10.1-4, Y3056-10.2-1a, Y3056-10.2-1b, Y3056-10.2-1c,
Y3056-10.2-2a, Y3056-10.2-2b, Y3056-10.2-2c, Y3056-10.3-1, Y3056-10.3-2, Y3056-10.3-3, Y3056-10.3-4, Y3056-10.3-5,
Y3056-10.3-6, Y3056-10.4-1a, Y3056-10.4-1b, Y3056-10.4-1c, Y3056-10.4-2a, Y3056-10.4-2b, Y3056-10.4-2c, Y3056-10.4-3c,
Y3056-10.4-3a, Y3056-10.4-3b, Y3056-10.4-4d, Y3056-10.5-1b, Y3056-10.5-1c, Y3056-10.5-1d,
Y3056-10.5-2b, Y3056-10.5-2c, Y3056-10.5-3, Y3056-10.4-5"""
import json
import os
import re
import subprocess

import pytest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
STEPS = {
    "10.1": ["10.1-2", "10.1-3a", "10.1-4"],
    "10.2": ["10.2-1a", "10.2-1b", "10.2-1c", "10.2-2a", "10.2-2b", "10.2-2c"],
    "10.3": ["10.3-1", "10.3-2", "10.3-3", "10.3-4", "10.3-5", "10.3-6"],
    "10.4 ": ["10.4-1a", "10.4-1b", "10.4-3a", "10.4-1c", "10.4-3b", "10.4-2a", "10.4-2b", "10.4-2c", "10.4-3c", "10.4-4d", "10.4-4e"],
    "10.4-5": ["10.4-1a", "10.4-1b", "10.4-3a", "10.4-1c", "10.4-3b", "10.4-3c", "10.4-4d", "10.4-4e"],
    "10.4-3c": ["10.4-1a", "10.4-2c", "10.4-3c"],
    "10.5": ["10.5-1b", "10.5-1c", "10.5-1d", "10.5-2b", "10.5-2c", "10.5-3"],
    "1-3. ": ["10.6.1-1", "10.6.1-2", "10.6.1-3", "10.6.1-4"],
    "4-6. ": ["10.6.1-4", "10.6.1-5", "10.6.1-6"],
    "By certificate: ": ["10.4-1a", "10.4-1b", "10.4-1c", "10.4-4b", "10.4-4a"],
    "By certificate, 1-3": ["10.6.2-1", "10.6.2-2", "10.6.2-3"],
    "By certificate, 3-6": ["10.6.2-4", "10.6.2-4n", "10.6.2-5", "10.6.2-6"],
}


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    """Results by title, and the chapters of the page: title -> clauses in order."""
    folder = tmp_path_factory.mktemp("flows") / "s"
    done = subprocess.run([os.path.join(TOP, "tools", "gba-lab"), "--flows", "--json", "--state", str(folder)], capture_output=True,
                          text=True, timeout=300, check=False)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0, done.stdout + done.stderr
    page = (folder / "ladder.html").read_text()
    chapters = {}
    for section in page.split("<section><h2>")[1:]:
        chapters[section.split("</h2>")[0]] = re.findall(r"Y\.3056 (10\.[0-9.]+-[0-9a-z]+)", section)
    return rows, chapters


def test_every_flow_is_as_it_should_be(shown):
    rows, _ = shown
    assert any("Y.3056 10.1-3b" in row.get("clauses", ()) for row in rows)  # the agent's configuration, before or after the letter
    assert rows[-1]["good"] and all(row["good"] for row in rows[:-1])


def test_a_pushed_token_needs_no_question(shown):
    """REQ: Y3056-10.4-4e"""
    rows, _ = shown
    service = next(row for row in rows if row.get("scenario", "").startswith("10.5"))
    assert service["seen"].startswith("200") and not [c for c in service["clauses"] if c.startswith("Y.3056 10.4")]


@pytest.mark.parametrize("flow", STEPS)
def test_steps_come_in_order(shown, flow):
    _, chapters = shown
    title = next(title for title in chapters if title.startswith(flow))
    at = 0
    for step in STEPS[flow]:
        assert step in chapters[title][at:], (title, step, chapters[title])
        at = chapters[title].index(step, at)


@pytest.mark.parametrize("flow", ["10.4 ", "10.4-5"])
def test_the_device_is_told_beside_the_application(shown, flow):
    """Two messages of the bsf to two nodes, sent once the token is made: which is first is a matter of chance."""
    _, chapters = shown
    clauses = chapters[next(title for title in chapters if title.startswith(flow))]
    assert "10.4-4b" in clauses[clauses.index("10.4-3c"):]


@pytest.mark.parametrize("flow", ["10.4 ", "10.4-5", "By certificate: "])
def test_the_device_has_the_token_too(shown, flow):
    """Whether before or after the application's element is a matter of chance. REQ: Y3056-10.4-4a"""
    _, chapters = shown
    title = next(title for title in chapters if title.startswith(flow))
    assert "10.4-4a" in chapters[title]


def test_by_certificate_the_application_notices_nothing(shown):
    """REQ: Y3056-10.4-5, Y3056-10.4-4e"""
    rows, _ = shown
    flow = next(row for row in rows if row.get("scenario", "").startswith("10.4-5"))
    assert flow["good"] and "; 200 by" in flow["seen"] and "Y.3056 10.5-3" in flow["clauses"]
