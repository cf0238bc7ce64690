# SPDX-License-Identifier: Apache-2.0
"""dict_y3056 and lib/dia's messages of it against two independent readers: tests/peers/diameter.py and tshark, which is given
doc/wireshark/Custom.xml; numbers as configured; and what a plain peer would see.
REQ: Y3056-9.6.1-6, Y3056-9.6.2-5"""
import json
import os
import re
import shutil
import subprocess
import tempfile

import pytest
from conftest import BUILD, TOP, run_diatool
from test_messages import BTID, NAF_ID, T_2031, T_2040, plain, tshark

from peers import diameter as d

VENDOR, RPA, RPB, OPC, REG = 32473, 4294901761, 4294901762, 4294901763, 4294901764
V, VM = 0x80, 0xC0
USER, APP = b"user@lab.test", b"naf.lab.test"


def our(code, value, flags=V):
    return code, VENDOR, flags, value


PERMISSION = our(2, [our(3, 1), our(16, 1000001), our(4, (T_2031,)), our(5, (T_2040,)), our(6, 3), our(7, 600), our(8, 1),
                     our(9, b"agent.lab.test"), our(10, b"\1\0\0\0\2\1\0\0\0\7")])
DECLARATION = our(13, [our(8, 1), our(3, 0), our(10, b"\1\0\0\0\7"), our(14, b"192.0.2.1:443"), our(15, b"psk-tls")])
# name: (command, application, vendor of the application, what follows the head)
INTENT = {
    "named_mar": (303, d.ZH, d.TGPP, [(1, 0, 0x40, USER), (409, d.TGPP, V, (T_2031,)), our(1, APP)]),
    "named_maa": (303, d.ZH, d.TGPP, [(1, 0, 0x40, USER), PERMISSION]),
    "declared_bir": (310, d.ZN, d.TGPP, [(401, d.TGPP, VM, BTID), (402, d.TGPP, VM, NAF_ID), DECLARATION]),
    "declared_bia": (310, d.ZN, d.TGPP, [(405, d.TGPP, VM, b"A" * 32), DECLARATION]),
    "tpr": (8388641, RPA, VENDOR, [
        (1, 0, 0x40, USER), (402, d.TGPP, VM, NAF_ID), (401, d.TGPP, VM, BTID), (405, d.TGPP, VM, b"A" * 32),
        (406, d.TGPP, VM, b"B" * 32), (404, d.TGPP, VM, (T_2040,)), (408, d.TGPP, VM, (T_2031,)), (410, d.TGPP, VM, 1),
        (400, d.TGPP, VM, b"<ussList/>"), (403, d.TGPP, VM, b"1"), (403, d.TGPP, VM, b"1000001"), our(8, 1)]),
    "tpa": (8388641, RPA, VENDOR, []),
    "rnr": (8388642, RPA, VENDOR, [our(11, b"d" * 32), our(11, b"e" * 32), our(1, APP), our(12, 2)]),
    "rna": (8388642, RPA, VENDOR, []),
    "pqr": (8388643, RPB, VENDOR, [(1, 0, 0x40, USER), our(1, APP), (409, d.TGPP, V, (T_2031,))]),
    "pqa": (8388643, RPB, VENDOR, [(1, 0, 0x40, USER), PERMISSION, (400, d.TGPP, VM, b'<guss id="x"/>')]),
    "pnr": (8388644, RPB, VENDOR, [(1, 0, 0x40, USER), our(12, 4), our(1, APP), (400, d.TGPP, VM, b'<guss id="x"/>')]),
    "cqr": (8388647, RPB, VENDOR, [(1, 0, 0x40, USER), our(24, b"certificate"), our(1, APP), (409, d.TGPP, V, (T_2031,))]),
    "cqa": (8388647, RPB, VENDOR, [PERMISSION, (400, d.TGPP, VM, b'<guss id="x"/>'), our(17, 4), our(24, b"certificate")]),
    "trr": (8388648, RPB, VENDOR, [our(34, b"first entry"), our(34, b"second entry")]),
    "tra": (8388648, RPB, VENDOR, []),
    "pna": (8388644, RPB, VENDOR, []),
    "ocr": (8388645, OPC, VENDOR, [(1, 0, 0x40, USER), our(17, 1), our(18, b"i" * 16), our(19, 1), our(20, b"K" * 64),
                                   our(26, b"user@new.test"), our(27, b"bsf.new.test"), our(33, b"D" * 32), our(25, b"S" * 64)]),
    "oca": (8388645, OPC, VENDOR, [our(21, b"wrapped"), our(22, b"\0\0\0\0\0\0\0\7"), our(23, b"update"), our(24, b"certificate")]),
    "rsr": (8388646, REG, VENDOR, [our(28, b"IN4F"), our(29, 1), our(30, b"IN status 17"), our(30, b"IN4F list 0"),
                                   our(31, b"status"), our(32, b"d" * 32), our(32, b"e" * 32)]),
    "rsa": (8388646, REG, VENDOR, [our(28, b"IN"), our(30, b"IN status 17"), our(31, b"status")]),
}


@pytest.fixture(scope="module")
def encoded():
    return {name: bytes.fromhex(octets) for name, octets in run_diatool("y3056")}


def check(message, intent, numbers=None):
    code, app, vendor, rest = intent
    numbers = numbers or {}
    head = 7 if message.flags & d.R else 6
    assert (message.code, message.app) == (numbers.get(code, code), numbers.get(app, app))
    group = message.find(260)
    assert group.find(266).u32() == numbers.get(vendor, vendor) and group.find(258).u32() == message.app
    assert [plain(a, i) for a, i in zip(message.avps[head:], rest)] == rest
    assert len(message.avps) - head == len(rest)


@pytest.mark.parametrize("name", INTENT)
def test_written_as_meant(encoded, name):
    check(d.Message.decode(encoded[name]), INTENT[name])


@pytest.mark.parametrize("name", INTENT)
def test_no_avp_of_ours_has_the_m_bit(encoded, name):
    def walk(avps):
        for avp in avps:
            if avp.vendor == VENDOR:
                assert not avp.flags & d.M, (name, avp)
                walk(avp.group() if avp.code in (2, 13) else [])
    walk(d.Message.decode(encoded[name]).avps)


def tshark_with_ours(pcap):
    """tshark's JSON, its data folder with our dictionary in the place it has for such. It takes no folder from root."""
    data = tempfile.mkdtemp(prefix="wireshark-")
    try:
        for name in os.listdir("/usr/share/wireshark"):
            if name != "diameter":
                os.symlink(os.path.join("/usr/share/wireshark", name), os.path.join(data, name))
        shutil.copytree("/usr/share/wireshark/diameter", os.path.join(data, "diameter"))
        shutil.copy(os.path.join(TOP, "doc/wireshark/Custom.xml"), os.path.join(data, "diameter"))
        subprocess.run(["chmod", "-R", "a+rX", data], check=True)
        nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] if os.geteuid() == 0 else []
        with open(pcap, "rb") as stdin:
            out = subprocess.run(nobody + ["tshark", "-r", "-", "-T", "json", "--no-duplicate-keys", "-d",
                                           "tcp.port==3868,diameter"], stdin=stdin, capture_output=True, text=True, timeout=120,
                                 env=dict(os.environ, WIRESHARK_DATA_DIR=data, HOME=data), check=True, cwd="/")
        return [frame["_source"]["layers"] for frame in json.loads(out.stdout)]
    finally:
        shutil.rmtree(data)


def names():
    """AVP names of the rows, read as text."""
    with open(os.path.join(TOP, "lib/dia/y3056_names.h"), encoding="ascii") as rows:
        return {int(c): n for c, n in re.findall(r'X\((\d+),\s+"(Y305[69]-[A-Za-z-]+)",\s+[A-Z]', rows.read())}


def test_tshark_shows_every_avp(encoded, tmp_path):
    tshark(tmp_path / "y3056.pcap", [encoded[name] for name in INTENT])
    trees = tshark_with_ours(tmp_path / "y3056.pcap")
    text, known, seen = "", names(), set()
    for name, layers in zip(INTENT, trees):
        text = json.dumps(layers)
        assert "_ws.malformed" not in text, name
        assert int(layers["diameter"]["diameter.cmd.code"]) == INTENT[name][0]
        for code, vendor, _, value in INTENT[name][3]:
            for inner in [(code, vendor)] + ([(i[0], i[1]) for i in value] if isinstance(value, list) else []):
                if inner[1] == VENDOR:
                    assert '"diameter.%s"' % known[inner[0]] in text, (name, inner)
                    seen.add(inner[0])
    assert seen == set(n for n in known if n < 64)


def test_numbers_are_configured_in_one_place(tmp_path):
    conf = tmp_path / "y3056.conf"
    conf.write_text("# ours\nvendor = 99999\navp-base = 7000\nrpa = 16777999;\npermission-query=8400000\n\n")
    numbers = {VENDOR: 99999, RPA: 16777999, 8388643: 8400000}

    def moved(avp):
        code, vendor, flags, value = avp
        value = [moved(v) for v in value] if isinstance(value, list) else value
        return (code + 7000, 99999, flags, value) if vendor == VENDOR else avp

    diatool = os.path.join(BUILD, "tests/system/dia/diatool")
    out = subprocess.run([diatool, "y3056", str(conf)], capture_output=True, text=True, timeout=60, check=True).stdout
    got = dict(line.split() for line in out.splitlines())
    assert got.keys() == INTENT.keys()
    for name, (code, app, vendor, rest) in INTENT.items():
        check(d.Message.decode(bytes.fromhex(got[name])), (code, app, vendor, [moved(a) for a in rest]), numbers)


@pytest.mark.parametrize("line, why", [
    ("vendor = 0", "out of range"), ("vendor = x", "expected"), ("vendors = 7", "unknown item"), ("rpa = 1", "out of range"),
    ("token-push = 303", "out of range"), ("rpa = 4294967295", "out of range"), ("vendor = 7 8", "expected"),
    ("rpa = 4294901762", "one number for two"), ("token-push = 8388642", "one number for two"),
    ("vendor = 99999999999999999999", "")])
def test_a_wrong_number_is_refused(daemon, tmp_path, line, why):
    conf = tmp_path / "y3056.conf"
    conf.write_text("\n" + line + "\n")
    with pytest.raises(RuntimeError) as refused:
        daemon(["dict", "y3056:%s" % conf])
    assert "dict_y3056: %s" % conf in str(refused.value) and why in str(refused.value)


def test_beside_other_dictionaries(daemon):
    one = daemon(["dict_sip.fdx", "dict_nasreq.fdx", "dict_dcca.fdx", "dict_dcca_3gpp.fdx", "dict", "y3056", "guard", "echo"])
    with one.client() as peer:
        assert peer.request(d.bir(peer, BTID, NAF_ID)).result() == (0, 2001)


def test_what_a_plain_node_passes_over(encoded):
    """The messages of TS 29.109 that carry our AVPs, read by a node without dict_y3056 (freeDiameter's own rules and lib/dia)."""
    message = d.Message.decode(encoded["declared_bir"])
    plain_rest = [a for a in message.avps if a.vendor != VENDOR]
    assert [a.code for a in plain_rest[-2:]] == [401, 402]
    (_, row), _ = run_diatool("decode", "bir %s\n" % encoded["declared_bir"].hex())
    assert row == "GBA_OK"


CASES = {
    "flag missing": ("pqa", lambda m: m.avps[-2].data.pop(0), "GBA_E_AVP_MISSING"),
    "two flags": ("pqa", lambda m: m.avps[-2].data.append(d.u32(3, 1, VENDOR, m=False)), "GBA_E_AVP_OCCURS"),
    "protocols too long": ("pqa", lambda m: m.avps[-2].data.append(d.Avp(10, b"x" * 81, VENDOR, m=False)), "GBA_E_AVP_OCCURS"),
    "no digest": ("rnr", lambda m: m.avps.__delitem__(slice(7, 9)), "GBA_E_AVP_MISSING"),
    "513 digests": ("rnr", lambda m: m.avps.extend([d.Avp(11, b"f" * 32, VENDOR, m=False)] * 511), "GBA_E_AVP_OCCURS"),
    "no key": ("tpr", lambda m: m.avps.__delitem__(10), "GBA_E_AVP_MISSING"),
    "key of 33": ("tpr", lambda m: m.avps.__setitem__(10, d.tgpp(405, b"k" * 33)), "GBA_E_AVP_LENGTH"),
    "no application": ("pqr", lambda m: m.avps.__delitem__(8), "GBA_E_AVP_MISSING"),
    "application too long": ("pqr", lambda m: m.avps.__setitem__(8, d.Avp(1, b"a" * 254, VENDOR, m=False)), "GBA_E_AVP_LENGTH"),
    "no kind": ("pnr", lambda m: m.avps.__delitem__(8), "GBA_E_AVP_MISSING"),
    "untouched": ("pnr", lambda m: None, "GBA_OK"),
}


@pytest.mark.parametrize("case", CASES)
def test_read_as_meant(encoded, case):
    kind, spoil, row = CASES[case]
    message = d.Message.decode(encoded[kind])
    for avp in message.avps:
        if avp.vendor == VENDOR and avp.code in (2, 13):
            avp.data = avp.group()
    spoil(message)
    assert run_diatool("decode", "%s %s\n" % (kind, message.encode().hex()))[0] == (kind, row)
