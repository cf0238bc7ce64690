# SPDX-License-Identifier: Apache-2.0
"""gba-ctl subscriber: what it answers, in all three forms; exit statuses; what it imports and refuses, row by row."""
import csv
import io
import json
import os
import pty
import re
import shutil
import sqlite3
import subprocess
import socket
import sys

import pytest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
BUILD = os.environ.get("GBA_BUILD", os.path.join(TOP, "build"))
sys.path[:0] = [os.path.join(TOP, "tests"), os.path.join(TOP, "tools")]

from lab.process import LoopbackBlock, port_open  # noqa: E402
from peers.aes import aes, xor  # noqa: E402
from peers.waiting import PATIENCE, until  # noqa: E402

CTL = os.path.join(BUILD, "tools/gba-ctl/gba-ctl")
MAN = os.path.join(TOP, "tools/gba-ctl/gba-ctl.1")
K, OP = "465b5ce8b199b49faa5f0a2ee238a6bc", "cdc202d5123e20f62b6d676ac72cb318"
OPC = "cd63cb71954a9f4e48a5994e37a02baf"  # TS 35.208 4.3.1
K2, OP2 = "0396eb317b6d1c36f19c1c84cd6ffd16", "ff53bade17df5d4e793073ce9d7579fa"
OPC2 = "53c15671c60a4b731c55b4a441c0bde2"  # TS 35.207 set 2
IMPI = "001010000000001@ims.mnc001.mcc001.3gppnetwork.org"
DONE, NEGATIVE, USAGE, NOT_FOUND, REFUSED, UNREACHABLE, DAMAGED, TRY_LATER = 0, 1, 2, 3, 4, 5, 6, 75


class Ctl:
    def __init__(self, folder):
        self.folder, self.db, self.kek = str(folder), str(folder / "hss.db"), str(folder / "hss.kek")

    def run(self, *words, stdin="", want=DONE):
        out = subprocess.run([CTL, "--db", self.db, "--kek", self.kek, *words], input=stdin, capture_output=True, text=True,
                             timeout=120, check=False)
        assert out.returncode == want, (out.returncode, out.stdout, out.stderr)
        return out

    def add(self, *words, k=K, op=OP, want=DONE):
        return self.run("subscriber", "add", *words, "--k-file", "-", "--op-file", "-", stdin=f"{k}\n{op}\n", want=want)

    def show(self, who, *words):
        return json.loads(self.run("subscriber", "show", who, "--json", *words).stdout)

    def all(self, *words):
        return [json.loads(line) for line in self.run("subscriber", "export", "--json", *words).stdout.splitlines()]

    def load(self, kind, text, *words, want=DONE, name="source"):
        """Import; (summary, rejected rows, standard error)."""
        path = os.path.join(self.folder, name)
        if text is not None:
            with open(path, "w", encoding="utf-8") as out:
                out.write(text)
        out = self.run("subscriber", "import", "--from", kind, path, "--json", *words, want=want)
        rows = [json.loads(line) for line in out.stdout.splitlines()]
        return rows[-1] if rows else None, rows[:-1], out.stderr


@pytest.fixture
def ctl(tmp_path):
    return Ctl(tmp_path)


def test_add_show_set_remove(ctl):
    """REQ: OBF-9.2.2-2, OBF-10.1.2-a1"""
    # REQ: Y3056-7.5-5a
    ctl.add("--imsi", "001010000000001", "--amf", "b9b9", "--sqn", "0x20")
    got = ctl.show("001010000000001")
    assert got["impi"] == IMPI and got["amf"] == "b9b9" and got["sqn"] == 32 and got["state"] == "active"
    assert got["provisioned"] == "op" and got == ctl.show(IMPI.upper().replace("@IMS", "@ims"))
    ctl.run("subscriber", "set", IMPI, "--state", "barred", "--impu", "sip:a@b", "--impu", "tel:+1")
    assert ctl.show(IMPI)["state"] == "barred" and ctl.show(IMPI)["public_identities"] == ["sip:a@b", "tel:+1"]
    ctl.run("subscriber", "set", IMPI, "--impu", "none")
    assert ctl.show(IMPI)["public_identities"] == []
    ctl.run("subscriber", "remove", IMPI, "--dry-run")
    ctl.run("subscriber", "remove", IMPI, want=REFUSED)
    ctl.run("subscriber", "remove", IMPI, "--yes")
    ctl.run("subscriber", "show", IMPI, want=NOT_FOUND)


STATUSES = {
    "no command": ((), USAGE), "unknown command": (("subscriber", "fly"), USAGE),
    "unknown option": (("subscriber", "list", "--fly"), USAGE),
    "option of another command": (("subscriber", "list", "--k", "00"), USAGE),
    "too many words": (("subscriber", "list", "x"), USAGE), "too few": (("subscriber", "show"), USAGE),
    "json and csv": (("subscriber", "list", "--json", "--csv"), USAGE),
    "unknown subscriber": (("subscriber", "show", "x@y.z"), NOT_FOUND),
    "unknown IMSI": (("subscriber", "set", "99999999999", "--state", "active"), NOT_FOUND),
    "exists": (("subscriber", "add", IMPI, "--k", K, "--op", OP), NEGATIVE),
    "no key": (("subscriber", "add", "a@b.c"), USAGE), "no OP": (("subscriber", "add", "a@b.c", "--k", K), USAGE),
    "OP and OPc": (("subscriber", "add", "a@b.c", "--k", K, "--op", OP, "--opc", OP), USAGE),
    "K short": (("subscriber", "add", "a@b.c", "--k", K[2:], "--op", OP), USAGE),
    "K no hex": (("subscriber", "add", "a@b.c", "--k", "z" * 32, "--op", OP), USAGE),
    "K of TUAK for MILENAGE": (("subscriber", "add", "a@b.c", "--k", K * 2, "--op", OP), USAGE),
    "TOP short": (("subscriber", "add", "a@b.c", "--algorithm", "tuak", "--k", K, "--op", OP), USAGE),
    "RES 5 with TUAK": (("subscriber", "add", "a@b.c", "--algorithm", "tuak", "--res-len", "5", "--k", K, "--op", OP * 2), USAGE),
    "RES 9": (("subscriber", "add", "a@b.c", "--res-len", "9", "--k", K, "--op", OP), USAGE),
    "IMPI": (("subscriber", "add", "nobody", "--k", K, "--op", OP), USAGE),
    "IMSI": (("subscriber", "add", "--imsi", "12x", "--k", K, "--op", OP), USAGE),
    "AMF": (("subscriber", "set", IMPI, "--amf", "123"), USAGE), "SQN": (("subscriber", "set", IMPI, "--sqn", "-1"), USAGE),
    "SQN of 49 bits": (("subscriber", "set", IMPI, "--sqn", "0x1000000000000"), USAGE),
    "IND of 9 bits": (("subscriber", "set", IMPI, "--ind-bits", "9"), USAGE),
    "lower SQN": (("subscriber", "set", IMPI, "--sqn", "0"), REFUSED),
    "another algorithm without keys": (("subscriber", "set", IMPI, "--algorithm", "tuak"), USAGE),
    "import of nothing": (("subscriber", "import", "/none", "--from", "csv"), UNREACHABLE),
    "import of what": (("subscriber", "import", "/none"), USAGE),
    "export without form": (("subscriber", "export"), USAGE),
    "key file missing": (("subscriber", "list", "-c", "/none"), USAGE),
}


@pytest.mark.parametrize("name", STATUSES)
def test_exit_status_and_nothing_changed(ctl, name):
    ctl.add(IMPI, "--sqn", "6400")
    before = ctl.all()
    words, want = STATUSES[name]
    out = ctl.run(*words, want=want)
    assert out.stderr.strip() and K not in out.stderr and not out.stdout
    assert ctl.all() == before


def test_no_database_is_unreachable_and_made_by_nobody_who_reads(ctl):
    ctl.run("subscriber", "list", want=UNREACHABLE)
    ctl.load("csv", "imsi,ki,opc\n001010000000001,%s,%s\n" % (K, OPC), "--dry-run")
    assert not os.path.exists(ctl.db) and not os.path.exists(ctl.kek)


def test_files_are_private(ctl):
    ctl.add(IMPI)
    assert os.stat(ctl.db).st_mode & 0o777 == 0o600 and os.stat(ctl.kek).st_mode & 0o777 == 0o600
    ctl.run("subscriber", "export", "--csv", "--reveal", "-o", ctl.folder + "/out.csv")
    assert os.stat(ctl.folder + "/out.csv").st_mode & 0o777 == 0o600
    ctl.run("subscriber", "export", "--csv", "-o", ctl.folder + "/out.csv", want=REFUSED)


def test_keys_only_with_reveal(ctl):
    ctl.add(IMPI)
    for words in (["show", IMPI], ["list"], ["export", "--json"], ["export", "--csv"], ["set", IMPI, "--state", "active"]):
        text = ctl.run("subscriber", *words).stdout
        assert K not in text and OP not in text and OPC not in text
    got = ctl.show(IMPI, "--reveal")
    assert (got["k"], got["op"], got["opc"]) == (K, OP, OPC)
    with open(ctl.db, "rb") as data:
        octets = data.read()
    for secret in (K, OP, OPC):
        assert bytes.fromhex(secret) not in octets and secret.encode() not in octets


def test_reveal_is_for_the_owner_of_the_key_file(ctl):
    ctl.add(IMPI)
    if os.geteuid() != 0:
        pytest.skip("giving a file away needs root")
    os.chown(ctl.kek, 65534, 65534)
    out = ctl.run("subscriber", "show", IMPI, "--reveal", want=REFUSED)
    assert K not in out.stdout + out.stderr
    ctl.run("subscriber", "show", IMPI)


def test_damage_is_its_own_status(ctl):
    ctl.add(IMPI)
    with open(ctl.kek, "w", encoding="ascii") as out:
        out.write("00" * 32 + "\n")
    ctl.run("subscriber", "show", IMPI, "--reveal", want=DAMAGED)
    os.unlink(ctl.kek)
    assert "restore it" in ctl.add("x@y.z", want=UNREACHABLE).stderr
    assert not os.path.exists(ctl.kek)


def test_sealed_keys_do_not_move_to_another_subscriber(ctl):
    ctl.add("a@lab.test")
    ctl.add("b@lab.test", k=K2)
    with sqlite3.connect(ctl.db) as other:
        other.execute("UPDATE subscriber SET sealed = (SELECT sealed FROM subscriber WHERE impi = 'a@lab.test')"
                      " WHERE impi = 'b@lab.test'")
    ctl.run("subscriber", "show", "b@lab.test", "--reveal", want=DAMAGED)


def test_command_line_keys_are_warned_about(ctl):
    assert "process lists" in ctl.run("subscriber", "add", IMPI, "--k", K, "--op", OP).stderr
    assert ctl.show(IMPI, "--reveal")["opc"] == OPC


def test_a_key_alone_is_replaced(ctl):
    """REQ: Y3056-9.2.1-3"""
    ctl.add(IMPI)
    ctl.run("subscriber", "set", IMPI, "--k-file", "-", stdin=K2)
    got = ctl.show(IMPI, "--reveal")
    assert (got["k"], got["op"]) == (K2, OP)
    assert got["opc"] == xor(bytes.fromhex(OP), aes(bytes.fromhex(K2), bytes.fromhex(OP))).hex()
    ctl.run("subscriber", "set", IMPI, "--opc-file", "-", stdin=OPC)
    got = ctl.show(IMPI, "--reveal")
    assert (got["k"], got["opc"], got["op"], got["provisioned"]) == (K2, OPC, None, "opc")
    ctl.run("subscriber", "set", IMPI, "--k-file", "-", stdin=K)
    assert ctl.show(IMPI, "--reveal")["opc"] == OPC


def test_ind_bits_keep_sqn_growing(ctl):
    ctl.add(IMPI, "--sqn", "6400")
    for bits in (4, 6, 0, 8, 5):
        before = ctl.show(IMPI)
        ctl.run("subscriber", "set", IMPI, "--ind-bits", str(bits))
        after = ctl.show(IMPI)
        lowest_next = ((after["sqn"] >> bits) + 1) << bits
        assert after["ind_bits"] == bits and lowest_next > before["sqn"] | (1 << before["ind_bits"]) - 1
    ctl.run("subscriber", "set", IMPI, "--sqn", "64", want=REFUSED)
    ctl.run("subscriber", "set", IMPI, "--sqn", "64", "--force")
    assert ctl.show(IMPI)["sqn"] == 64


GUSS = '<guss id="%s"><bsfInfo><uiccType>GBA_U</uiccType></bsfInfo><ussList/></guss>'


@pytest.mark.parametrize("xml, want", [
    (GUSS % IMPI, DONE), (GUSS % "other@lab.test", USAGE), ("<guss", USAGE), ("", USAGE),
    ('<!DOCTYPE guss [<!ENTITY a "b">]>' + GUSS % IMPI, USAGE), ("<guss id='%s'>%s</guss>" % (IMPI, "x" * 70000), USAGE)])
def test_guss_is_checked(ctl, xml, want):
    ctl.add(IMPI)
    ctl.run("subscriber", "set", IMPI, "--guss", "-", stdin=xml, want=want)
    assert (ctl.show(IMPI)["guss"] == xml) == (want == DONE)
    assert ctl.show(IMPI)["uicc"] == ("GBA_U" if want == DONE else "GBA")


def test_uicc_type_makes_a_guss(ctl):
    ctl.add(IMPI, "--uicc", "GBA_U")
    assert "<uiccType>GBA_U</uiccType>" in ctl.show(IMPI)["guss"]
    ctl.run("subscriber", "set", IMPI, "--uicc", "GBA", want=USAGE)
    ctl.run("subscriber", "set", IMPI, "--guss", "none")
    assert "<uss " not in ctl.show(IMPI)["guss"] and ctl.show(IMPI)["uicc"] == "GBA"


def test_guss_taken_away_is_a_newer_one_without_settings(ctl):
    """Else a BSF that holds the old one would never learn of it."""
    ctl.add(IMPI)
    ctl.run("subscriber", "set", IMPI, "--guss", "none")
    assert ctl.show(IMPI)["guss"] is None
    ctl.run("subscriber", "set", IMPI, "--guss", "-", stdin=GUSS % IMPI)
    before = ctl.show(IMPI)["guss_time"]
    ctl.run("subscriber", "set", IMPI, "--guss", "none")
    assert ctl.show(IMPI)["guss_time"] > before and "GBA_U" not in ctl.show(IMPI)["guss"]


def test_list_pages_and_filters(ctl):
    rows = "".join("00101%010d,%s,%s\n" % (i, K, OPC) for i in range(1200))
    ctl.load("csv", "imsi,ki,opc\n" + rows)
    ctl.run("subscriber", "set", "001010000000700", "--state", "barred")
    lines = [json.loads(line) for line in ctl.run("subscriber", "list", "--json").stdout.splitlines()]
    assert [one["imsi"] for one in lines] == ["00101%010d" % i for i in range(1200)]
    after = [json.loads(line) for line in
             ctl.run("subscriber", "list", "--json", "--after", lines[99]["impi"], "--limit", "3").stdout.splitlines()]
    assert after == lines[100:103]
    barred = list(csv.DictReader(io.StringIO(ctl.run("subscriber", "list", "--csv", "--state", "barred").stdout)))
    assert [one["imsi"] for one in barred] == ["001010000000700"]
    assert len(ctl.run("subscriber", "list").stdout.splitlines()) == 1201


@pytest.mark.parametrize("form", ["json", "csv"])
def test_export_comes_back(ctl, tmp_path, form):
    ctl.add("--imsi", "001010000000001", "--sqn", "3200", "--impu", "sip:a@b", "--impu", "tel:+1")
    ctl.run("subscriber", "set", "001010000000001", "--guss", "-", stdin=GUSS % IMPI + "\n<!-- , \" -->\n")
    ctl.run("subscriber", "add", "t@lab.test", "--algorithm", "tuak", "--res-len", "16", "--tuak-iterations", "3", "--k-file", "-",
            "--opc-file", "-", "--state", "barred", stdin="%s\n%s\n" % (K * 2, OPC * 2))
    text = ctl.run("subscriber", "export", "--" + form, "--reveal").stdout
    summary, rejected, _ = ctl.load(form, text, "--margin", "0")
    assert (summary["same"], summary["changed"], rejected) == (2, 0, [])
    other = Ctl(tmp_path / "other")
    os.mkdir(other.folder)
    summary, rejected, _ = other.load(form, text, "--margin", "0")
    assert (summary["new"], rejected) == (2, [])

    def without_times(rows):
        return [{k: v for k, v in one.items() if k not in ("created", "changed", "guss_time")} for one in rows]
    assert without_times(other.all("--reveal")) == without_times(ctl.all("--reveal"))


# Import ---------------------------------------------------------------------------------------------------------------
CSV_ROWS = [  # line, reason or None
    ("001010000000001,%s,%s,,0,8000" % (K, OPC), None),
    ("00101000000000x,%s,%s,,0," % (K, OPC), "IMSI is not 6 to 15 digits"),
    (",%s,%s,,0," % (K, OPC), "neither IMPI nor IMSI"),
    ("001010000000002,%s,%s,,0," % (K[1:], OPC), "K is not 32 hex digits"),
    ("001010000000003,%s,,,0," % K, "neither OP nor OPc is given"),
    ("001010000000004,%s,%s,,0," % (K, OPC[:30]), "OP or OPc is not 32 hex digits"),
    ("001010000000005,%s,,%s,640," % (K2, OP2), None),
    ("001010000000006,%s,%s,,281474976710656," % (K, OPC), "SQN is not a number of 48 bits"),
    ("001010000000007,%s,%s,,281474976710655," % (K, OPC), "no SQN is left above the imported one and the margin"),
    ("001010000000008,%s,%s,,0,80000" % (K, OPC), "AMF is not four hex digits"),
    ("001010000000009,%s,%s" % (K, OPC), "number of fields differs from the heading"),
    ("001010000000001,%s,%s,,0," % (K, OPC), "the subscriber stands in line 2 already"),
    ('"001010000000010","%s","%s","","32","0000"' % (K, OPC), None),
]


@pytest.mark.parametrize("dry", [True, False])
def test_csv_row_by_row(ctl, dry):
    text = "\ufeffIMSI,Ki,OPc,OP,SQN,AMF\r\n" + "\r\n".join(row for row, _ in CSV_ROWS) + "\r\n"
    summary, rejected, _ = ctl.load("csv", text, *(["--dry-run"] if dry else []), want=NEGATIVE)
    assert [(one["line"], one["reason"]) for one in rejected] == [(n + 2, why) for n, (_, why) in enumerate(CSV_ROWS) if why]
    assert (summary["new"], summary["rejected"]) == (3, len(rejected))
    if dry:
        assert not os.path.exists(ctl.db)
        return
    got = {one["imsi"]: one for one in ctl.all("--reveal")}
    assert sorted(got) == ["001010000000001", "001010000000005", "001010000000010"]
    assert got["001010000000001"]["amf"] == "8000"  # a CSV says what it means
    assert got["001010000000005"]["opc"] == OPC2 and got["001010000000005"]["sqn"] == 640 + 1000 * 32


def test_import_again_changes_only_what_differs(ctl):
    head, row = "imsi;ki;opc;sqn\n", "00101000000000%d;%s;%s;%d\n"
    ctl.load("csv", head + "".join(row % (i, K, OPC, 64) for i in range(5)))
    ctl.run("subscriber", "set", "001010000000003", "--state", "barred", "--sqn", "9600000")
    summary, _, _ = ctl.load("csv", head + row % (1, K, OPC, 64) + row % (2, K2, OPC, 64) + row % (3, K, OPC, 96) +
                             row % (4, K, OPC, 6400) + row % (6, K, OPC, 0))
    assert (summary["new"], summary["same"], summary["changed"]) == (1, 2, 2)
    got = {one["imsi"][-1]: one for one in ctl.all("--reveal")}
    assert got["2"]["k"] == K2 and got["3"]["state"] == "barred"
    assert got["3"]["sqn"] == 9600000 and got["4"]["sqn"] == 6400 + 1000 * 32  # never down, up by the margin


def test_identities_by_options(ctl):
    ctl.load("csv", "imsi,ki,opc\n310410123456789,%s,%s\n" % (K, OPC), "--mnc-length", "3", name="a")
    ctl.load("csv", "imsi,ki\n310410123456788,%s\n" % K, "--realm", "iot.example", "--op", OP, name="b")
    assert [one["impi"] for one in ctl.all()] == ["310410123456788@iot.example",
                                                  "310410123456789@ims.mnc410.mcc310.3gppnetwork.org"]
    assert ctl.show("310410123456788", "--reveal")["opc"] == OPC


def grouped(key):
    return " ".join(key[i:i + 8].upper() for i in range(0, 32, 8))


def open5gs(imsi, sqn, **security):
    return {"_id": {"$oid": "5f"}, "imsi": imsi, "msisdn": ["15550100"], "slice": [{"sst": 1}], "schema_version": 1,
            "security": dict({"k": grouped(K), "amf": "8000", "op": None, "opc": grouped(OPC), "sqn": sqn}, **security)}


@pytest.mark.parametrize("form", ["array", "lines"])
def test_open5gs(ctl, form):
    """REQ: TEC-A4-rot-10"""
    docs = [open5gs("001010000000001", {"$numberLong": "513"}), open5gs("001010000000002", 64, op=grouped(OP), opc=None),
            open5gs("00101", 0), open5gs("001010000000003", 0, k="bad")]
    text = json.dumps(docs, indent=1) if form == "array" else "\n".join(json.dumps(one) for one in docs)
    summary, rejected, said = ctl.load("open5gs", text, want=NEGATIVE)
    assert (summary["new"], len(rejected)) == (2, 2)
    if form == "lines":
        assert [one["line"] for one in rejected] == [3, 4]
    one, two = ctl.all("--reveal")
    assert (one["k"], one["opc"], one["amf"], one["sqn"]) == (K, OPC, "0000", (513 >> 5) + 1000 << 5)
    assert one["public_identities"] == ["tel:+15550100"] and two["opc"] == OPC and two["provisioned"] == "op"
    assert "separation bit cleared in 2 rows" in said
    assert "IND 0, 1" in said and "2 is free" in said and "shred" in said


def test_pyhss(ctl):
    auc = [{"auc_id": 1, "ki": K, "opc": OPC, "amf": "8000", "sqn": 320, "imsi": "001010000000001", "algo": "3", "iccid": "x"},
           {"auc_id": 2, "ki": K2, "opc": OPC2, "amf": "8000", "sqn": 0}]
    summary, _, _ = ctl.load("pyhss", json.dumps({"auc": auc, "subscriber": [
        {"subscriber_id": 9, "imsi": "001010000000002", "auc_id": 2, "msisdn": "15550102"}]}))
    assert summary["new"] == 2
    one, two = ctl.all("--reveal")
    assert (one["k"], one["opc"], one["sqn"]) == (K, OPC, (10 + 1000) << 5)
    assert (two["imsi"], two["k"], two["public_identities"]) == ("001010000000002", K2, ["tel:+15550102"])
    summary, _, _ = ctl.load("pyhss", json.dumps(auc[:1]), name="again")
    assert summary["same"] == 1


def test_csv_of_spreadsheets(ctl):
    """Lines that end in CR alone; a number with its plus; what two readers would take otherwise is refused."""
    text = "imsi,ki,opc,msisdn\r001010000000001,%s,%s,+15550101\r001010000000002,%s,\"%s\",15550102\r" % (K, OPC, K, OPC)
    summary, rejected, _ = ctl.load("csv", text)
    assert (summary["new"], rejected) == (2, [])
    assert [one["public_identities"] for one in ctl.all()] == [["tel:+15550101"], ["tel:+15550102"]]
    text = "imsi,ki,opc\n001010000000003,%s,%s\n001010000000004,%s,\"%s\n001010000000005,%s,%s\n" % (K, OPC, K, OPC, K, OPC)
    summary, rejected, _ = ctl.load("csv", text, want=NEGATIVE, name="quote")
    assert [(one["line"], one["reason"]) for one in rejected] == [(3, "a quote begins here that does not end")]
    assert summary["new"] == 1
    for heading in ("imsi,imsi,ki,opc", "imsi,ki,opc,k"):
        _, _, said = ctl.load("csv", heading + "\n1,2,3,4\n", want=USAGE, name="twice")
        assert "say the same" in said


SQNS = [(97, 97), ("97", 97), (97.0, 97), ({"$numberInt": "97"}, 97), ({"$numberDouble": "97.0"}, 97), (1e3, 1000), (None, 0),
        (97.5, None), (-1, None), (True, None), ([97], None), ({"a": 97}, None), ({"$numberDouble": "97.5"}, None),
        ({"$numberDouble": "NaN"}, None)]


@pytest.mark.parametrize("written,sqn", SQNS, ids=[json.dumps(row[0]) for row in SQNS])
def test_numbers_of_mongo(ctl, written, sqn):
    """A number is taken however it was written, or its row is refused: never taken without it."""
    summary, rejected, _ = ctl.load("open5gs", json.dumps(open5gs("001010000000001", written)), want=0 if sqn is not None else NEGATIVE)
    assert (summary["new"], len(rejected)) == ((1, 0) if sqn is not None else (0, 1))
    if sqn is not None:
        assert ctl.all()[0]["sqn"] == (sqn >> 5) + 1000 << 5


def test_who_is_barred_there_is_barred_here(ctl):
    docs = [dict(open5gs("00101000000000%d" % i, 0), subscriber_status=status) for i, status in enumerate([0, 1, {"$numberInt": "1"}])]
    ctl.load("open5gs", json.dumps(docs), name="o")
    auc = [{"auc_id": i, "ki": K, "opc": OPC, "amf": "8000", "sqn": 0, "imsi": "00101000000010%d" % i} for i in (1, 2)]
    ctl.load("pyhss", json.dumps({"auc": auc, "subscriber": [{"auc_id": 1, "enabled": True}, {"auc_id": 2, "enabled": False}]}), name="p")
    assert [one["state"] for one in ctl.all()] == ["active", "barred", "barred", "active", "barred"]


def test_pages_after_one_another(ctl):
    """What an API gave page by page, put into one file; the first with a byte order mark, as some editors leave it."""
    auc = [{"auc_id": i, "ki": K, "opc": OPC, "amf": "8000", "sqn": 0, "imsi": "00101000000000%d" % i} for i in range(4)]
    summary, rejected, _ = ctl.load("pyhss", "\ufeff" + json.dumps(auc[:2]) + "\n" + json.dumps(auc[2:], indent=1) + "\n[]\n")
    assert (summary["new"], rejected) == (4, [])


@pytest.mark.parametrize("text", ["[] x", "[{}]]", "{", "[{]", "[{}", "nonsense", '{"imsi": 1}}', "[[1]]"])
def test_broken_json_ends_with_a_line(ctl, text):
    ctl.add(IMPI)
    before = ctl.all()
    out = subprocess.run([CTL, "--db", ctl.db, "--kek", ctl.kek, "subscriber", "import", "--from", "open5gs", "/dev/stdin"],
                         input=text, capture_output=True, text=True, check=False)
    assert out.returncode in (NEGATIVE, USAGE) and "/dev/stdin:1" in out.stderr
    assert ctl.all() == before


HLR_CONF = "line vty\n bind %(ip)s\nctrl\n bind %(ip)s\nhlr\n gsup\n  bind ip %(ip)s\n"
VTY_PORT = 4258


def vty_says(vty):
    """Everything up to the next prompt."""
    said = b""
    while not said.rstrip().endswith((b">", b"#")):
        got = vty.recv(65536)
        assert got, said
        said += got
    return said


def hlr_database(folder):
    """A database made by osmo-hlr itself, filled over its VTY."""
    if shutil.which("osmo-hlr") is None:
        pytest.skip("osmo-hlr is not installed")
    block = LoopbackBlock()
    address = block.address(2)
    (folder / "hlr.cfg").write_text(HLR_CONF % {"ip": address})
    hlr = subprocess.Popen(["osmo-hlr", "-c", str(folder / "hlr.cfg"), "-l", str(folder / "hlr.db")], stdin=subprocess.DEVNULL,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=str(folder))
    try:
        assert until(lambda: port_open(address, VTY_PORT))
        vty = socket.create_connection((address, VTY_PORT), PATIENCE)
        vty_says(vty)
        for command in ["enable", "subscriber imsi 001010000000001 create",
                        "subscriber imsi 001010000000001 update msisdn 15550101",
                        f"subscriber imsi 001010000000001 update aud3g milenage k {K} opc {OPC} ind-bitlen 5",
                        "subscriber imsi 001010000000002 create",
                        f"subscriber imsi 001010000000002 update aud3g milenage k {K2} op {OP2}",
                        "subscriber imsi 001010000000003 create",
                        f"subscriber imsi 001010000000003 update aud3g xor k {K2}", "subscriber imsi 001010000000004 create"]:
            vty.sendall(command.encode() + b"\r\n")
            vty_says(vty)
        vty.close()
    finally:
        hlr.terminate()
        hlr.wait(PATIENCE)
        block.release()
    with sqlite3.connect(folder / "hlr.db") as other:  # what serving a VLR leaves behind
        other.execute("UPDATE auc_3g SET sqn = 1029 WHERE subscriber_id = 1")
        other.execute("INSERT INTO ind (ind, vlr) VALUES (0, 'MSC-1')")


def test_osmo_hlr(ctl, tmp_path):
    hlr_database(tmp_path)
    summary, rejected, said = ctl.load("osmo-hlr", None, want=NEGATIVE, name="hlr.db")
    assert (summary["new"], [one["id"] for one in rejected]) == (2, ["001010000000003"])
    one, two = ctl.all("--reveal")
    assert (one["k"], one["opc"], one["sqn"], one["public_identities"]) == (K, OPC, (1029 >> 5) + 1000 << 5, ["tel:+15550101"])
    assert (two["opc"], two["provisioned"]) == (OPC2, "op")
    assert "IND 0, 5" in said and "1 is free" in said


def test_osmo_hlr_users_without_umts_keys_are_told(ctl, tmp_path):
    with sqlite3.connect(tmp_path / "hlr.db") as other:
        other.execute("CREATE TABLE subscriber (id INTEGER PRIMARY KEY, imsi TEXT, msisdn TEXT)")
        other.execute("CREATE TABLE auc_3g (subscriber_id INTEGER PRIMARY KEY, algo_id_3g INTEGER, k TEXT, op TEXT, opc TEXT,"
                      " sqn INTEGER, ind_bitlen INTEGER)")
        other.execute("INSERT INTO subscriber VALUES (1, '001010000000001', NULL), (2, '001010000000002', NULL)")
        other.execute("INSERT INTO auc_3g VALUES (1, 5, ?, NULL, ?, 0, 5)", (K, OPC))
    summary, _, said = ctl.load("osmo-hlr", None, name="hlr.db")
    assert summary["new"] == 1 and "1 subscribers left out: they have no UMTS keys" in said


def test_a_foreign_sqlite_file_is_not_a_database_of_ours(ctl, tmp_path):
    with sqlite3.connect(tmp_path / "hss.db") as other:
        other.execute("CREATE TABLE subscriber (id INTEGER)")
    ctl.run("subscriber", "list", want=UNREACHABLE)


def test_interrupted_import_goes_on(ctl):
    rows = "".join("00101%010d,%s,%s\n" % (i, K, OPC) for i in range(100000))
    path = os.path.join(ctl.folder, "many.csv")
    with open(path, "w", encoding="ascii") as out:
        out.write("imsi,ki,opc\n" + rows)
    job = subprocess.Popen([CTL, "--db", ctl.db, "--kek", ctl.kek, "subscriber", "import", "--from", "csv", path],
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    def written():
        return sum(entry.stat().st_size for entry in os.scandir(ctl.folder) if entry.name.startswith("hss.db"))

    assert until(lambda: job.poll() is not None or written() > 1 << 20)
    job.kill()
    job.wait()
    summary, rejected, _ = ctl.load("csv", None, name="many.csv")
    assert summary["new"] + summary["same"] == 100000 and summary["changed"] == 0 and rejected == []


def test_progress_only_on_a_terminal(ctl):
    rows = "".join("00101%010d,%s,%s\n" % (i, K, OPC) for i in range(60000))
    path = os.path.join(ctl.folder, "many.csv")
    with open(path, "w", encoding="ascii") as out:
        out.write("imsi,ki,opc\n" + rows)
    words = [CTL, "--db", ctl.db, "--kek", ctl.kek, "subscriber", "import", "--from", "csv", path]
    main, terminal = pty.openpty()
    job = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=terminal, env=dict(os.environ, TERM="xterm"))
    os.close(terminal)
    shown = b""
    while True:
        try:
            octets = os.read(main, 4096)
        except OSError:
            break
        if not octets:
            break
        shown += octets
    os.close(main)
    assert job.wait() == 0
    assert re.search(rb"\[#*\.+\] +\d+ %  \d+ rows  \d+/s  \d+:\d\d left", shown)
    quiet = subprocess.run(words, capture_output=True, check=False)
    assert b"\r" not in quiet.stderr and b"left" not in quiet.stderr


# Documentation and the arithmetic beside it ---------------------------------------------------------------------------
def test_manual_has_every_option_and_command():
    with open(MAN, encoding="ascii") as page:
        manual = page.read()
    shown = subprocess.run([CTL, "--help"], capture_output=True, text=True, check=True).stdout
    verbs = re.findall(r"^  subscriber ([a-z]+)", shown, re.M)
    for verb in verbs:
        shown += subprocess.run([CTL, "subscriber", verb, "--help"], capture_output=True, text=True, check=True).stdout
    options = re.findall(r"^ .*--([a-z-]+)", shown, re.M)
    assert len(set(options)) > 30 and len(verbs) == 8
    for option in set(options):
        assert re.search(r"(Fl|,) -%s\b" % option, manual), option
    for verb in verbs:
        assert ".It Cm subscriber %s" % verb in manual


def test_completion_of_bash():
    def complete(*words):
        script = ("source <('%s' completion); COMP_WORDS=(gba-ctl %s); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _gba_ctl;"
                  "printf '%%s\\n' \"${COMPREPLY[@]}\"" % (CTL, " ".join("'%s'" % w for w in words)))
        return subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True).stdout.split()
    assert complete("su") == ["subscriber"]
    assert complete("subscriber", "re") == ["remove"]
    assert complete("subscriber", "remove", "--d") == ["--db", "--dry-run"]
    assert complete("subscriber", "list", "--k") == ["--kek"]


def test_manual_is_clean():
    if shutil.which("mandoc") is None:
        pytest.skip("mandoc is not installed")
    out = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", MAN], capture_output=True, text=True, check=False)
    assert out.stdout + out.stderr == ""


def test_opc_of_the_python_aes():
    """The expected OPc values above, from FIPS 197 and TS 35.206 4.1."""
    for k, op, opc in ((K, OP, OPC), (K2, OP2, OPC2)):
        assert xor(bytes.fromhex(op), aes(bytes.fromhex(k), bytes.fromhex(op))).hex() == opc
