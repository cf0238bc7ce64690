# SPDX-License-Identifier: Apache-2.0
"""The table that `make conformance` writes: which requirement is shown by which test."""
import collections
import os
import re
import subprocess

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))


def rows():
    done = subprocess.run([os.path.join(TOP, "tools", "conformance")], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr  # tests that claim what is no requirement
    found = [re.match(r"\| (\S+) \| (\S+) (\S+) \| (\w+) \| (\S+) \| (.*) \|$", line) for line in done.stdout.splitlines()]
    return [dict(zip(("id", "source", "clause", "level", "component", "shown"), row.groups())) for row in found if row]


def test_nothing_that_must_be_is_open():
    """Every node supports the functions and workflows that concern it: the table has a test for each row that Y.3056 and the framework
    it stands on require, and for each step of their flows. REQ: OBF-9.1-2"""
    table = [row for row in rows() if row["source"] in ("Y.3056", "Y.OBF")]
    must = [row for row in table if row["level"] in ("required", "flow")]
    assert len(table) > 250 and len(must) > 150
    assert [row["id"] for row in must if row["shown"] == "open"] == []
    nodes = collections.Counter(row["component"] for row in must)
    assert {"bsf", "hss-stub", "naf-adapter", "ue"} <= set(nodes) and min(nodes[n] for n in ("bsf", "hss-stub", "naf-adapter", "ue")) > 10
    for row in table:
        for path in [] if row["shown"] == "open" else row["shown"].split(", "):
            assert os.path.exists(os.path.join(TOP, path)), row


def stands(named):
    """Is every test there that a page names?"""
    for path, name in (one.split("::") for one in named):
        with open(os.path.join(TOP, path), encoding="utf-8") as test:
            assert re.search(r"^def %s\(" % name, test.read(), re.M), (path, name)


def cells(heads):
    """Lines of the tables of threats that begin with one of these."""
    with open(os.path.join(TOP, "doc", "threats.md"), encoding="utf-8") as page:
        lines = [[cell.strip() for cell in line.strip("|\n").split("|")] for line in page if line.startswith("| ")]
    found = [line for line in lines if line[0] in heads]
    assert all(all(line) for line in found)
    return found


def test_every_threat_to_a_registry_is_tried():
    """A line for each property of Y.3059 clause 10 at each interface of a registry, and each line a test that stands. REQ: Y3059-10-3"""
    properties = {"confidentiality", "integrity", "authenticity", "non-repudiation", "availability", "traceability"}
    places = {"device", "registry", "enquirer"}
    lines = cells(places | {"core network (S13)"})
    assert {(line[0], line[1]) for line in lines if line[0] in places} == {(place, one) for place in places for one in properties}
    assert len(lines) > len(places) * len(properties) and all(len(line) == 5 and line[1] in properties for line in lines)
    stands(line[4] for line in lines)


def test_the_four_heads_are_covered():
    """Device trust, data trust, trusted operation, application parameters: each with tests that stand. REQ: TEC-2.2-2"""
    heads = {"device trust", "data trust", "trusted operation", "application parameters"}
    lines = cells(heads)
    assert {line[0] for line in lines} == heads and all(sum(line[0] == head for line in lines) >= 2 for head in heads)
    stands(line[2] for line in lines)


DIMENSIONS = {"access control", "authentication", "non-repudiation", "data confidentiality", "communication security", "data integrity",
              "availability", "privacy"}


def test_every_threat_is_tried():
    """The table of threats has a line for each security dimension of ITU-T Y.2701 7.3 at each reference point, and each line a test that
    stands. REQ: Y3056-11-2"""
    with open(os.path.join(TOP, "doc", "threats.md"), encoding="utf-8") as page:
        text = page.read()
    lines = [[cell.strip() for cell in line.strip("|\n").split("|")] for line in text.splitlines() if line.startswith("| RP")]
    assert all(len(line) == 5 and all(line) for line in lines)
    assert {(line[0][:3], line[1]) for line in lines} == {(point, one) for point in ("RPA", "RPB", "RPC", "RPD") for one in DIMENSIONS}
    named = [line[4] for line in lines] + re.findall(r"`(tests/[^`]*::[^`]*)`", text)
    for path, name in (one.split("::") for one in named):
        with open(os.path.join(TOP, path), encoding="utf-8") as test:
            assert re.search(r"^def %s\(" % name, test.read(), re.M), (path, name)
