# SPDX-License-Identifier: Apache-2.0
"""gba-ctl's nouns for records: on-boarding and trust extension from a shell, imports row by row; GUSS read by Python's own parser."""
import csv
import io
import json
import os
import re
import subprocess
import xml.etree.ElementTree as ET

import pytest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
BUILD = os.environ.get("GBA_BUILD", os.path.join(TOP, "build"))
CTL = os.path.join(BUILD, "tools/gba-ctl/gba-ctl")
MAN = os.path.join(TOP, "tools/gba-ctl/gba-ctl.1")
DONE, NEGATIVE, USAGE, NOT_FOUND, REFUSED = 0, 1, 2, 3, 4
K, OPC = "465b5ce8b199b49faa5f0a2ee238a6bc", "cd63cb71954a9f4e48a5994e37a02baf"
IMPI = "00101000000000%d@ims.mnc001.mcc001.3gppnetwork.org"


class Realm:
    """A database with three subscribers."""

    def __init__(self, folder):
        self.folder = str(folder)
        self.file("subs.csv", "imsi,ki,opc\n" + "".join("00101000000000%d,%s,%s\n" % (i, K, OPC) for i in range(1, 4)))
        self.run("subscriber", "import", "--from", "csv", "subs.csv")

    def file(self, name, text):
        with open(os.path.join(self.folder, name), "w", encoding="utf-8") as out:
            out.write(text)

    def run(self, *words, want=DONE, stdin=""):
        out = subprocess.run([CTL, "--db", "hss.db", "--kek", "hss.kek", *words], cwd=self.folder, input=stdin, capture_output=True,
                             text=True, timeout=60, check=False)
        assert out.returncode == want, (words, out.returncode, out.stdout, out.stderr)
        return out

    def json(self, *words, want=DONE, stdin=""):
        return [json.loads(line) for line in self.run(*words, "--json", want=want, stdin=stdin).stdout.splitlines()]

    def one(self, *words):
        (record,) = self.json(*words)
        return record

    def guss(self, number):
        """{gsid: uids} of the subscriber's GUSS."""
        shown = self.one("subscriber", "show", IMPI % number)
        if shown["guss"] is None:
            return {}
        return {int(uss.get("id")): [uid.text for uid in uss.iter("uid")] for uss in ET.fromstring(shown["guss"]).iter("uss")}


@pytest.fixture(scope="module", name="realm")
def realm_of_module(tmp_path_factory):
    realm = Realm(tmp_path_factory.mktemp("records"))
    realm.run("realm", "add", "--realm", "example.net", "--name", "Example", "--bsf-identity", "bsf.example.net", "--bsf-url",
              "http://bsf.example.net/", "--hss-identity", "hss.example.net", "--alias-domain", "apps.example.net")
    return realm


def test_onboarding_and_trust_extension(realm):
    """REQ: Y3056-10.2-1a, Y3056-10.2-1b, Y3056-10.2-2a, Y3056-10.2-2b, Y3056-10.3-1, Y3056-10.3-4, Y3056-10.3-5, Y3056-9.2.2-6,
    REQ: Y3056-9.2.2-9, Y3056-7.5-3a, Y3056-7.5-3b"""
    sealed = realm.json("verification", "add", "--reference", "c1", "--name", "Asha Rao", "--level", "2", "--verifier", "desk", "--values",
                        "-", stdin='{"document_kind": "passport", "document_number": "Z1234567"}')[0]
    assert sealed["document_number"] == "Z1234567"
    user = realm.one("user", "add", "--account", "asha", "--verification", "c1")
    assert (user["name"], user["level"], user["document_kind"]) == ("Asha Rao", 2, "passport")
    assert "no registered" not in realm.run("user", "add", "--account", "x", want=NEGATIVE).stderr
    realm.one("authentication", "add", "--reference", "d1", "--identities", "imei:490154203237518", "--method", "imei-check",
              "--authenticator", "eir")
    assert "Luhn" in realm.run("authentication", "add", "--reference", "d2", "--identities", "imei:490154203237519", "--method", "aka",
                               "--authenticator", "eir", want=USAGE).stderr
    realm.one("device", "add", "--impi", IMPI % 1, "--custodian", "asha", "--authentication", "d1")
    realm.one("asp", "add", "--type", "cin", "--identity", "L17110MH1973PLC019786", "--name", "Meters")
    app = realm.one("app", "add", "--asp", "cin:L17110MH1973PLC019786", "--type", "gs1", "--identity", "(01)09506000134352(21)A-17", "--name",
                    "Meter", "--attributes", "name,level")
    assert app["identity"] == "(01)09506000134352(21)A-17" and app["gsid"] == 1000000
    assert bytes.fromhex(app["naf_id"]) == app["naf_fqdn"].encode() + bytes.fromhex("0100000002")
    request = realm.one("request", "add", "--impi", IMPI % 1, "--application", "gs1:(01)09506000134352(21)A-17")
    assert request["state"] == "verified"
    assert realm.one("request", "consent", str(request["id"]), "--attributes", "name")["state"] == "passed"
    realm.run("request", "consent", str(request["id"]), want=NEGATIVE)
    granted = realm.one("request", "grant", str(request["id"]), "--security-degree", "1")
    assert granted["state"] == "granted" and json.loads(granted["shared"]) == {"name": "Asha Rao"}
    permission = realm.one("permission", "show", IMPI % 1, app["naf_fqdn"])
    assert permission["flag"] == "set" and permission["security_degree"] == 1 and permission["in_force"] is True
    assert realm.guss(1) == {1000000: [permission["pseudonym"]]}
    assert [notice["event"] for notice in realm.json("notice", "list")] == ["application-registered", "request-passed", "access-granted"]
    realm.run("permission", "set", str(permission["id"]), "--flag", "cleared")
    assert realm.guss(1) == {}
    acts = [(line["act"], line["rev"]) for line in realm.json("history", "list", "permission", str(permission["id"]))]
    assert acts == [("add", 1), ("set", 2)]
    realm.run("device", "remove", IMPI % 1, want=REFUSED)
    realm.run("device", "remove", IMPI % 1, "--yes")
    realm.run("device", "show", IMPI % 1, want=NOT_FOUND)


def test_revision_and_dry_run(realm):
    asp = realm.one("asp", "add", "--type", "llpin", "--identity", "AAA-1234", "--name", "Locks")
    realm.run("asp", "set", str(asp["id"]), "--name", "Locks LLP", "--rev", "9", want=NEGATIVE)
    realm.run("asp", "set", str(asp["id"]), "--name", "Locks LLP", "--rev", "1")
    assert realm.one("asp", "set", "llpin:AAA-1234", "--name", "Other", "--dry-run")["name"] == "Other"
    assert realm.one("asp", "show", "llpin:AAA-1234")["name"] == "Locks LLP"
    realm.run("asp", "set", str(asp["id"]), want=USAGE)
    realm.run("asp", "add", "--type", "llpin", "--identity", "AAA-1234", "--name", "Again", want=NEGATIVE)
    realm.run("asp", "show", "99", want=NOT_FOUND)
    tel = realm.one("provider", "add", "--type", "cin", "--identity", "L17110MH1973PLC019787", "--name", "Tel", "--role", "mobile-operator")
    realm.run("server", "add", "--identity", "hss.tel.example", "--provider", "cin:L17110MH1973PLC019787", "--function", "resource",
              "--realm", "tel.example", "--impi-realms", "ims.tel.example")  # REQ: OBF-9.2.2-3
    kept = realm.json("server", "list", "--provider", str(tel["id"]))
    assert [(row["identity"], row["function"], row["impi_realms"]) for row in kept] == [("hss.tel.example", "resource", ["ims.tel.example"])]
    rows = list(csv.DictReader(io.StringIO(realm.run("asp", "list", "--state", "active", "--csv").stdout)))
    assert "Locks LLP" in [row["name"] for row in rows]


@pytest.fixture(scope="module", name="loaded")
def realm_of_imports(tmp_path_factory):
    realm = Realm(tmp_path_factory.mktemp("imports"))
    realm.run("realm", "add", "--realm", "example.net", "--name", "Example", "--bsf-identity", "bsf.example.net", "--bsf-url",
              "http://bsf.example.net/", "--hss-identity", "hss.example.net", "--alias-domain", "apps.example.net", "--registered-only", "false")
    realm.run("asp", "add", "--type", "cin", "--identity", "L17110MH1973PLC019786", "--name", "Meters")
    for name in ("one", "two"):
        realm.run("app", "add", "--asp", "1", "--type", "fqdn", "--identity", name + ".example.com", "--name", name)
    return realm


BAD = ("impi,application,flag,valid_until\n" +
       IMPI % 1 + ",one.example.com,set,\n" +                       # 2: good
       IMPI % 1 + ",nowhere.example.com,set,\n" +                   # 3: no application
       IMPI % 9 + ",one.example.com,set,\n" +                       # 4: no subscriber
       IMPI % 2 + ",one.example.com,perhaps,\n" +                   # 5: no word
       IMPI % 2 + ",one.example.com,set,2001-01-01T00:00:00Z\n" +   # 6: over
       IMPI % 2 + ",one.example.com\n" +                            # 7: fields
       IMPI % 2 + ",fqdn:two.example.com,set,\n" +                  # 8: good
       IMPI % 1 + ",one.example.com,cleared,\n")                    # 9: changes row 2


def test_import_reports_each_bad_row(loaded):
    loaded.file("bad.csv", BAD)
    rows = loaded.json("permission", "import", "--from", "csv", "bad.csv", "--atomic", want=NEGATIVE)
    assert [row["line"] for row in rows[:-1]] == [3, 4, 5, 6, 7]
    assert rows[-1]["stored"] == "no (rows rejected)" and loaded.json("permission", "list") == []
    assert loaded.guss(1) == {}
    rows = loaded.json("permission", "import", "--from", "csv", "bad.csv", "--dry-run", want=NEGATIVE)
    assert rows[-1]["stored"] == "no (dry run)" and loaded.json("permission", "list") == []
    out = loaded.run("permission", "import", "--from", "csv", "bad.csv", want=NEGATIVE)
    assert re.findall(r"bad.csv:(\d+): rejected: (.*)", out.stderr) == [
        ("3", "application: no such application"), ("4", "impi: no such subscriber"), ("5", "flag: one of cleared, set"),
        ("6", "valid_until: a time to come"), ("7", "number of fields differs from the heading")]
    assert "new: 2\n" in out.stdout and "changed: 1\n" in out.stdout
    assert loaded.guss(1) == {} and list(loaded.guss(2)) == [1000001]


def test_import_json_and_again(loaded):
    rows = [{"impi": IMPI % 3, "application": "one.example.com"}, {"impi": IMPI % 3, "application": 2, "security_degree": 2}]
    loaded.file("good.json", "".join(json.dumps(row) + "\n" for row in rows))
    assert loaded.json("permission", "import", "--from", "json", "good.json")[-1]["new"] == 2
    assert list(loaded.guss(3)) == [1000000, 1000001]
    assert loaded.json("permission", "import", "--from", "json", "good.json")[-1]["same"] == 2
    loaded.file("odd.json", '{"impi": 1}\nnonsense\n[]\n{"impi": "%s", "application": 1, "in_force": true}\n' % (IMPI % 3))
    rows = loaded.json("permission", "import", "--from", "json", "odd.json", want=NEGATIVE)
    assert [row["line"] for row in rows[:-1]] == [1, 2, 3, 4]
    loaded.file("head.csv", "impi,colour\n")
    assert "no member 'colour'" in loaded.run("permission", "import", "--from", "csv", "head.csv", want=USAGE).stderr


def test_operators_guss_and_permissions(loaded):
    """What the operator gives stays the base; a barred subscriber's contexts have to go."""
    loaded.run("permission", "add", "--impi", IMPI % 1, "--application", "two.example.com")
    own = '<guss id="%s"><ussList><uss id="7" type="1"><uids><uid>own</uid></uids></uss></ussList></guss>' % (IMPI % 1)
    loaded.run("subscriber", "set", IMPI % 1, "--guss", "-", stdin=own)
    assert loaded.guss(1).keys() == {7, 1000001}
    loaded.run("permission", "remove", IMPI % 1, "two.example.com", "--yes")
    assert loaded.guss(1) == {7: ["own"]}


def test_help_completion_and_manual():
    shown = subprocess.run([CTL, "--help"], capture_output=True, text=True, check=True).stdout
    nouns = {words.split()[0] for words in re.findall(r"^  ([a-z-]+ [a-z]+)", shown, re.M)}
    assert {"user", "device", "asp", "app", "permission", "delegation", "request", "history", "realm"} <= nouns
    with open(MAN, encoding="ascii") as page:
        manual = page.read()
    for noun in nouns:
        assert re.search(r"^\.It Cm %s\b" % noun, manual, re.M), noun
    script = ("source <('%s' completion); COMP_WORDS=(gba-ctl permission import --a); COMP_CWORD=3; _gba_ctl;"
              "printf '%%s\\n' \"${COMPREPLY[@]}\"" % CTL)
    assert subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True).stdout.split() == ["--atomic"]
