# SPDX-License-Identifier: Apache-2.0
"""gba-ctl registry: the registry's records from a terminal, on either database; bulk imports and what an interruption leaves."""
import json
import os
import signal
import subprocess

import pytest
from peers.waiting import until

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
BUILD = os.environ.get("GBA_BUILD", os.path.join(TOP, "build"))
CTL = os.path.join(BUILD, "tools/gba-ctl/gba-ctl")
MAN = os.path.join(TOP, "tools/gba-ctl/gba-ctl.1")
DONE, NEGATIVE, USAGE, NOT_FOUND, REFUSED = 0, 1, 2, 3, 4
ROWS = 6000  # long enough to be interrupted after a batch and before the last


def imei(n):
    """15 digits with Luhn's check digit (TS 23.003 6.2.1)."""
    digits = "35%012d" % n
    total = sum(sum(divmod(int(d) * (2 - i % 2), 10)) for i, d in enumerate(reversed(digits)))
    return digits + str(-total % 10)


class Registry:
    def __init__(self, folder, database):
        self.folder = str(folder)
        self.file("registry.conf", 'reg-id = "IN1";\ndatabase = "%s";\nkek-file = "%s/r.kek";\nkey-file = "%s/r.key";\n'
                  'audit-log = "%s/r.audit";\n' % (database, self.folder, self.folder, self.folder))

    def file(self, name, text):
        with open(os.path.join(self.folder, name), "w", encoding="utf-8") as out:
            out.write(text)

    def words(self, *words):
        return [CTL, "--config", "registry.conf", "registry", *words]

    def run(self, *words, want=DONE):
        out = subprocess.run(self.words(*words), cwd=self.folder, capture_output=True, text=True, timeout=120, check=False)
        assert out.returncode == want, (words, out.returncode, out.stdout, out.stderr)
        return out

    def rows(self, *words):
        return [json.loads(line) for line in self.run(*words, "--json").stdout.splitlines()]

    def devices(self):
        rows = self.rows("history", "list", "device")
        assert all(row["act"] == "add" for row in rows)
        return len({row["record"] for row in rows}), len(rows)


@pytest.fixture(params=["sqlite", "postgresql"])
def registry(tmp_path, request):
    if request.param == "sqlite":
        yield Registry(tmp_path, tmp_path / "registry.db")
    else:
        yield Registry(tmp_path, request.getfixturevalue("postgres").url("reg%s" % os.path.basename(tmp_path).replace("-", "")))


def test_records_are_kept_by_role(registry):
    registry.run("custodian", "add", "--account", "asha", "--state", "verified", "--verifier", "post office", "--name", "Asha R")
    assert "name" not in registry.rows("custodian", "show", "asha")[0]
    assert registry.rows("custodian", "show", "asha", "--role", "privacy")[0]["name"] == "Asha R"
    registry.run("custodian", "show", "asha", "--role", "device", want=USAGE)
    device = registry.rows("device", "add", "--scheme", "imei", "--identity", imei(1), "--make", "Acme", "--model", "One",
                           "--custodian", "asha")[0]
    assert device["custodian"] == 1 and device["status"] == "grey" and device["state"] == "announced"
    for name in (device["regdevid"], "imei:" + imei(1), "1"):
        assert registry.rows("device", "show", name) == [device]
    registry.run("device", "show", "IN1-IMEI-000000000000000-00", want=NOT_FOUND)
    registry.run("device", "add", "--scheme", "imei", "--identity", imei(1)[:-1] + "x", "--make", "A", "--model", "B", want=USAGE)
    assert registry.rows("device", "retire", "1")[0]["state"] == "retired"
    assert [row["act"] for row in registry.rows("history", "list", "device", "1")] == ["add", "retire"]


def test_an_import_tells_each_bad_row_and_keeps_the_good(registry):
    registry.file("d.csv", "scheme,identity,make,model\n" + "imei,%s,Acme,One\n" % imei(1) + "imei,123,Acme,One\nimei,%s,Acme\n" % imei(2) +
                  "imei,%s,,One\n" % imei(3) + "imei,%s,Acme,Two\n" % imei(4))
    out = registry.run("device", "import", "--from", "csv", "d.csv", want=NEGATIVE)
    assert "new: 2\n" in out.stdout and "rejected: 3\n" in out.stdout
    assert [line.split(": ")[0] for line in out.stderr.splitlines()] == ["d.csv:%d" % n for n in (3, 4, 5)]
    registry.file("d.json", json.dumps({"scheme": "imei", "identity": imei(4), "make": "Acme", "model": "Three"}) + "\n" +
                  json.dumps({"scheme": "imei", "identity": imei(5), "make": "Acme", "model": "Two"}) + "\n")
    out = registry.run("device", "import", "--from", "json", "d.json")
    assert "new: 1\n" in out.stdout and "changed: 1\n" in out.stdout
    registry.file("c.csv", "account,state,verifier,name\nasha,verified,post office,Asha R\nben,unverified,,\n")
    assert "new: 2\n" in registry.run("custodian", "import", "--from", "csv", "c.csv").stdout


def test_an_import_that_was_killed_goes_on_where_it_stopped(registry):
    registry.file("d.csv", "scheme,identity,make,model\n" + "".join("imei,%s,Acme,One\n" % imei(n) for n in range(ROWS)))
    registry.run("maker", "add", "--name", "Acme")
    first = subprocess.Popen(registry.words("device", "import", "--from", "csv", "d.csv"), cwd=registry.folder,
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until(lambda: registry.rows("device", "list", "--limit", "1") or first.poll() is not None)
    first.send_signal(signal.SIGKILL)
    killed = first.wait() != 0
    out = registry.run("device", "import", "--from", "csv", "d.csv")
    if killed:  # else it was done before it could be
        assert "were done before an interruption" in out.stderr
        assert "new: %d\n" % ROWS in out.stdout and "same: 0\n" in out.stdout
    assert registry.devices() == (ROWS, ROWS)
    again = registry.run("device", "import", "--from", "csv", "d.csv")
    assert "interruption" not in again.stderr and "same: %d\n" % ROWS in again.stdout


def test_the_manual_and_completion_know_every_noun():
    shown = subprocess.run([CTL, "--help"], capture_output=True, text=True, check=True).stdout
    nouns = {line.split()[1] for line in shown.splitlines() if line.startswith("  registry ")}
    assert {"custodian", "maker", "model", "device", "device-identity", "application", "history"} <= nouns
    with open(MAN, encoding="ascii") as page:
        manual = page.read()
    assert not [noun for noun in nouns if "\n.It Cm registry %s" % noun not in manual]
    script = ("source <('%s' completion); COMP_WORDS=(gba-ctl registry device im); COMP_CWORD=3; _gba_ctl;"
              "printf '%%s\\n' \"${COMPREPLY[@]}\"" % CTL)
    assert subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True).stdout.split() == ["import"]
