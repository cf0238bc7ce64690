# SPDX-License-Identifier: Apache-2.0
"""gba-lab --operators 2 as a user runs it: the ladder has the steps of Y.3056 10.6.1 and 10.6.2 in their order."""
import json
import os
import subprocess

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))


def test_two_operators(tmp_path):
    """REQ: Y3056-10.6.2-1, Y3056-10.6.2-2, Y3056-10.6.2-3, Y3056-10.6.2-4, Y3056-10.6.2-4n, Y3056-10.6.2-5, Y3056-10.6.2-6,
    Y3056-10.6-1, Y3056-10.6.1-1, Y3056-10.6.1-2, Y3056-10.6.1-3, Y3056-10.6.1-4, Y3056-10.6.1-5, Y3056-10.6.1-6,
    Y3056-9-1"""
    done = subprocess.run([os.path.join(TOP, "tools", "gba-lab"), "--operators", "2", "--json", "--state", str(tmp_path / "s")],
                          capture_output=True, text=True, timeout=300)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0 and rows[-1]["good"], done.stdout + done.stderr
    for kind, steps in (("10.6.1-", "1 2 3 4 5 6"), ("10.6.2-", "1 2 3 4 4n 5 6")):
        clauses = [clause.split(kind)[1] for row in rows[:-1] for clause in row["clauses"] if kind in clause]
        firsts = [clauses.index(step) for step in steps.split()]
        assert firsts == sorted(firsts), clauses
    page = (tmp_path / "s" / "ladder.html").read_text(encoding="utf-8")
    assert all("Y.3056 10.6.1-" + step in page for step in "123456")
