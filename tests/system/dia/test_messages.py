# SPDX-License-Identifier: Apache-2.0
"""lib/dia's messages against two independent readers: tshark and tests/peers/diameter.py; and what it makes of messages
that tests/peers/diameter.py writes, good and bad. REQ: OBF-7.2.1-3, OBF-7.2.2-2"""
import json
import struct
import subprocess

import pytest
from conftest import run_diatool

from peers import diameter as d

RAND_AUTS = b"R" * 16 + b"a" * 14
NAF_ID = b"naf.lab.test\1\0\0\0\2"
BTID = b"I1U8vpY3qJ0hiuZNrke/NQ==@bsf.lab.test"
T_2031, T_2040 = 1924948800, 2208988801
VM, V = 0xC0, 0x80

# What each message must hold, in the order of the grammar: (code, vendor, flags, value). Codes, M bits and types are
# those of TS 29.109 6.3 and TS 29.229 6.3; a time stands as (seconds since 1970,), a group as a list.
AKA = b"Digest-AKAv1-MD5"
INTENT = {
    "mar": (303, 16777221, 0xC0, [
        (1, 0, 0x40, b"user@lab.test"), (601, 10415, VM, b"sip:user@lab.test"),
        (612, 10415, VM, [(608, 10415, VM, AKA), (610, 10415, VM, RAND_AUTS)]), (409, 10415, V, (T_2031,))]),
    "maa": (303, 16777221, 0x40, [
        (1, 0, 0x40, b"user@lab.test"), (601, 10415, VM, b"sip:user@lab.test"),
        (612, 10415, VM, [
            (613, 10415, VM, 1), (608, 10415, VM, AKA), (609, 10415, VM, b"R" * 16 + b"N" * 16),
            (610, 10415, VM, b"X" * 8), (625, 10415, VM, b"C" * 16), (626, 10415, VM, b"I" * 16),
            (635, 10415, V, [(104, 0, 0x40, b"lab.test"), (111, 0, 0x40, b"MD5"), (110, 0, 0x40, b"auth"),
                             (121, 0, 0x40, b"0123456789abcdef")])]),
        (400, 10415, VM, b'<guss id="x"/>')]),
    "bir": (310, 16777220, 0xC0, [
        (403, 10415, VM, b"1"), (403, 10415, VM, b"1000001"), (401, 10415, VM, BTID), (402, 10415, VM, NAF_ID),
        (407, 10415, VM, 1), (419, 10415, V, b"feature")]),
    "bia": (310, 16777220, 0x40, [
        (1, 0, 0x40, b"user@lab.test"), (405, 10415, VM, b"A" * 32), (406, 10415, VM, b"B" * 32),
        (404, 10415, VM, (T_2040,)), (408, 10415, VM, (T_2031,)), (400, 10415, VM, b"<ussList/>"),
        (410, 10415, VM, 1), (420, 10415, V, b"feature")]),
    "gpr": (312, 16777268, 0xC0, [
        (411, 10415, VM, b"user@lab.test"), (412, 10415, VM, 1), (413, 10415, VM, b"label"), (402, 10415, VM, NAF_ID),
        (418, 10415, VM, b"P-TID"), (414, 10415, VM, 1), (415, 10415, VM, (T_2031,)), (416, 10415, VM, 1),
        (407, 10415, VM, 0), (403, 10415, VM, b"1"), (403, 10415, VM, b"1000001"), (419, 10415, V, b"feature"),
        (612, 10415, VM, [(610, 10415, VM, RAND_AUTS)])]),
    "gpa": (312, 16777268, 0x40, [
        (1, 0, 0x40, b"user@lab.test"), (405, 10415, VM, b"A" * 32), (406, 10415, VM, b"B" * 32),
        (404, 10415, VM, (T_2040,)), (408, 10415, VM, (T_2031,)), (400, 10415, VM, b"<ussList/>"), (410, 10415, VM, 2),
        (417, 10415, VM, b"\0GPI"), (420, 10415, V, b"feature")]),
    # TS 29.272 7.2.19, 7.2.20, 7.3.3
    "ecr": (324, 16777252, 0xC0, [
        (1401, 10415, VM, [(1402, 10415, VM, b"49015420323751"), (1471, 10415, VM, b"\xa1\0\0\0\0\1\2"), (1403, 10415, VM, b"03")]),
        (1, 0, 0x40, b"001010000000001")]),
    "eca": (324, 16777252, 0x40, [(1445, 10415, VM, 1)]),
}
# In front of these: requests (TS 29.109 4.2, 5.2) and answers.
REQUEST_HEAD, ANSWER_HEAD = [263, 260, 277, 264, 296, 283, 293], [263, 260, 277, 264, 296, 268]


def plain(avp, intent):
    """An AVP of the Python decoder in the form of INTENT."""
    value = intent[3]
    if isinstance(value, list):
        assert len(avp.group()) == len(value), (avp, value)
        return avp.code, avp.vendor, avp.flags, [plain(a, i) for a, i in zip(avp.group(), value)]
    if isinstance(value, tuple):
        return avp.code, avp.vendor, avp.flags, (avp.time(),)
    return avp.code, avp.vendor, avp.flags, avp.u32() if isinstance(value, int) else avp.value()


@pytest.mark.parametrize("name", INTENT)
def test_written_as_meant(encoded, name):
    code, app, flags, intent = INTENT[name]
    message = d.Message.decode(encoded[name])
    head = REQUEST_HEAD if name.endswith("r") else ANSWER_HEAD
    assert (message.code, message.app, message.flags) == (code, app, flags)
    assert [a.code for a in message.avps[:len(head)]] == head
    rest = message.avps[len(head):]
    assert [plain(a, i) for a, i in zip(rest, intent)] == intent
    assert len(rest) == len(intent)
    assert message.find(263).value().count(b";") >= 2 and b"\0" not in message.find(263).value()
    assert message.find(260).find(266).u32() == 10415 and message.find(260).find(258).u32() == app


# tshark 4.0's names of what it shows (its dictionary has older names for 402, and prefixes what RFC 4740 has too).
TSHARK_NAME = {402: "NAF-Hostname", 607: "3GPP-SIP-Number-Auth-Items", 608: "3GPP-SIP-Authentication-Scheme",
               609: "3GPP-SIP-Authenticate", 610: "3GPP-SIP-Authorization", 612: "3GPP-SIP-Auth-Data-Item",
               613: "3GPP-SIP-Item-Number", 110: "Digest-Qop"}
NAME = {400: "GBA-UserSecSettings", 401: "Transaction-Identifier", 403: "GAA-Service-Identifier", 404: "Key-ExpiryTime",
        405: "ME-Key-Material", 406: "UICC-Key-Material", 407: "GBA_U-Awareness-Indicator",
        408: "BootstrapInfoCreationTime", 409: "GUSS-Timestamp", 410: "GBA-Type", 411: "UE-Id", 412: "UE-Id-Type",
        413: "UICC-App-Label", 414: "UICC-ME", 415: "Requested-Key-Lifetime", 416: "Private-Identity-Request",
        417: "GBA-Push-Info", 418: "NAF-SA-Identifier", 419: "Security-Feature-Request", 420: "Security-Feature-Response",
        601: "Public-Identity", 625: "Confidentiality-Key", 626: "Integrity-Key", 635: "SIP-Digest-Authenticate",
        1401: "Terminal-Information", 1402: "IMEI", 1403: "Software-Version", 1445: "Equipment-Status", 1471: "3GPP2-MEID",
        1: "User-Name", 104: "Digest-Realm", 110: "Digest-QoP", 111: "Digest-Algorithm", 121: "Digest-HA1"}
ENUM_NAME = {(407, 0): "NO (0)", (407, 1): "YES (1)", (410, 1): "2G GBA (1)", (412, 1): "Public user identity (1)",
             (414, 1): "GBA_U (1)", (416, 1): "Private identity not requested (1)",
             (1445, 1): "BLACKLISTED (1)"}


def tshark(path, messages):
    """Decode octets as Diameter over TCP; one JSON tree per message."""
    with open(path, "wb") as pcap:
        pcap.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101))  # raw IP
        for n, octets in enumerate(messages):
            tcp = struct.pack("!HHIIHHHH", 40000 + n, 3868, 1, 1, 0x5018, 65535, 0, 0) + octets
            ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(tcp), 0, 0, 64, 6, 0, b"\x7f\0\0\1", b"\x7f\0\0\1") + tcp
            pcap.write(struct.pack("<IIII", n, 0, len(ip), len(ip)) + ip)
    out = subprocess.run(["tshark", "-r", str(path), "-T", "json", "--no-duplicate-keys", "-d", "tcp.port==3868,diameter"],
                         capture_output=True, text=True, timeout=120)
    assert out.returncode == 0, out.stderr
    return [frame["_source"]["layers"] for frame in json.loads(out.stdout)]


def as_list(value):
    return value if isinstance(value, list) else [value]


def check_shown(tree, lines, intent):
    """Every AVP of intent is in tshark's tree: name, flags, code and value."""
    nodes = as_list(tree)
    assert len(as_list(lines)) >= len(intent)
    by_code = {}
    for node in nodes:
        by_code.setdefault((int(node["diameter.avp.code"]), int(node.get("diameter.avp.vendorId", 0))), []).append(node)
    for code, vendor, flags, value in intent:
        node = by_code[code, vendor].pop(0)
        assert int(node["diameter.avp.flags"], 16) == flags, (code, node)
        name = TSHARK_NAME.get(code) or NAME[code]
        shown = [v for k, v in node.items() if k == "diameter." + name]
        assert shown, f"{code} is not shown as {name}: {list(node)}"
        if isinstance(value, list):
            inner = node["diameter.%s_tree" % name]["diameter.avp_tree"]
            check_shown(inner, node["diameter.%s_tree" % name]["diameter.avp"], value)
        elif isinstance(value, bytes):
            assert shown[0] in (value.hex(":"), value.decode("latin-1")), (code, shown)
        elif isinstance(value, int):
            assert shown[0] == str(value), (code, shown)
        else:
            seconds = subprocess.run(["date", "-u", "-d", f"@{value[0]}", "+%b %e, %Y %H:%M:%S"], capture_output=True,
                                     text=True, check=True).stdout.strip()
            assert shown[0].startswith(seconds), (code, shown)


def test_tshark_shows_every_avp_of_every_command(encoded, tmp_path):
    # REQ: Y3056-8.2.2-2
    trees = tshark(tmp_path / "all.pcap", [encoded[name] for name in INTENT])
    assert len(trees) == len(INTENT)
    for name, layers in zip(INTENT, trees):
        code, app, flags, intent = INTENT[name]
        shown = layers["diameter"]
        assert "_ws.malformed" not in json.dumps(layers), name
        assert int(shown["diameter.cmd.code"]) == code and int(shown["diameter.applicationId"]) == app
        assert int(shown["diameter.flags"], 16) == flags
        check_shown(shown["diameter.avp_tree"], shown["diameter.avp"], intent)


def test_tshark_knows_the_enumerations(encoded, tmp_path):
    path = tmp_path / "enum.pcap"
    tshark(path, [encoded[name] for name in INTENT])
    text = subprocess.run(["tshark", "-r", str(path), "-V", "-d", "tcp.port==3868,diameter"], capture_output=True, text=True,
                          timeout=120, check=True).stdout
    for (code, _), shown in ENUM_NAME.items():
        assert f"{NAME[code]}: {shown}" in text


def test_every_error_has_its_result(tmp_path):
    """Numbers and formats of RFC 6733 7.1 and TS 29.109 6.2, not of our own table."""
    numbers = {"GBA_OK": (0, 2001), "GBA_E_BUSY": (0, 3004), "GBA_E_IO": (0, 3004), "GBA_E_NOMEM": (0, 5012),
               "GBA_E_AVP_UNSUPPORTED": (0, 5001), "GBA_E_AVP_VALUE": (0, 5004), "GBA_E_AVP_MISSING": (0, 5005),
               "GBA_E_AVP_OCCURS": (0, 5009), "GBA_E_AVP_LENGTH": (0, 5014), "GBA_E_IMPI_UNKNOWN": (10415, 5401),
               "GBA_E_NOT_AUTHORIZED": (10415, 5402), "GBA_E_BTID_UNKNOWN": (10415, 5403),
               "GBA_E_EQUIPMENT_UNKNOWN": (10415, 5422), "GBA_E_AUTH_SCHEME": (10415, 5006), "GBA_E_TIMEOUT": (0, 3004), "GBA_E_XML": (0, 5004)}
    seen = {}
    for name, octets in run_diatool("errors"):
        answer = d.Message.decode(bytes.fromhex(octets))
        vendor, code = seen[name] = answer.result()
        assert code is not None, name
        assert bool(answer.flags & d.E) == (vendor == 0 and 3000 <= code < 4000), name
        assert not answer.flags & d.R and answer.flags & d.P
        assert answer.avps[0].code == d.SESSION_ID and answer.find(d.ORIGIN_HOST) and answer.find(d.ORIGIN_REALM)
        assert (answer.find(d.ERROR_MESSAGE) is None) == (name == "GBA_OK")
    for name, want in numbers.items():
        assert seen[name] == want, name


# Messages made by the Python peer, and what lib/dia must say of them.
class Origin:
    realm = "lab.test"

    @staticmethod
    def header_avps(app, dest_realm, dest_host=None, session_id="peer;1;2"):
        del dest_host
        return [d.text(d.SESSION_ID, session_id), d.vendor_app(app), d.u32(d.AUTH_SESSION_STATE, 1),
                d.text(d.ORIGIN_HOST, "peer.lab.test"), d.text(d.ORIGIN_REALM, "lab.test"), d.text(d.DEST_REALM, dest_realm)]


def mar(**kw):
    return d.mar(Origin, kw.pop("impi", "user@lab.test"), **kw)


def bir(**kw):
    return d.bir(Origin, kw.pop("btid", BTID), kw.pop("naf_id", NAF_ID), **kw)


def nested(*avps):
    return d.tgpp(612, list(avps))


CASES = {
    # name: (kind, message, error row, result, (code, vendor) path inside Failed-AVP or None)
    "mar": ("mar", mar(), "GBA_OK", 2001, None),
    "mar resync": ("mar", mar(resync=RAND_AUTS), "GBA_OK", 2001, None),
    "mar timestamp": ("mar", mar(guss_timestamp=T_2040), "GBA_OK", 2001, None),
    "mar timestamp with M": ("mar", mar(extra=[d.when(409, T_2031, d.TGPP)]), "GBA_OK", 2001, None),
    "bir": ("bir", bir(), "GBA_OK", 2001, None),
    "bir many gsids": ("bir", bir(gsids=["%d" % n for n in range(32)]), "GBA_OK", 2001, None),
    "bir features with M": ("bir", bir(extra=[d.tgpp(419, "x")]), "GBA_OK", 2001, None),
    "unknown AVP without M": ("bir", bir(extra=[d.Avp(999, b"x", 10415, m=False)]), "GBA_OK", 2001, None),
    "AVPs that Cx has and Zh has not": ("mar", mar(extra=[d.tgpp(607, 1), d.tgpp(628, [
        d.u32(d.VENDOR_ID, 10415), d.tgpp(629, 1, m=False), d.tgpp(630, 1, m=False)])]), "GBA_OK", 2001, None),
    "framework AVPs with M": ("bir", bir(extra=[d.u32(d.ORIGIN_STATE_ID, 7), d.text(d.ROUTE_RECORD, "x.y")]),
                              "GBA_OK", 2001, None),
    "no User-Name": ("mar", mar(impi=None), "GBA_E_AVP_MISSING", 5005, [(1, 0)]),
    "no B-TID": ("bir", bir(btid=None), "GBA_E_AVP_MISSING", 5005, [(401, 10415)]),
    "no NAF-Id": ("bir", bir(naf_id=None), "GBA_E_AVP_MISSING", 5005, [(402, 10415)]),
    "two User-Names": ("mar", mar(extra=[d.text(1, "other@lab.test")]), "GBA_E_AVP_OCCURS", 5009, [(1, 0)]),
    "two NAF-Ids": ("bir", bir(extra=[d.tgpp(402, b"b.lab.test\1\0\0\0\2")]), "GBA_E_AVP_OCCURS", 5009, [(402, 10415)]),
    "33 gsids": ("bir", bir(gsids=["1"] * 33), "GBA_E_AVP_OCCURS", 5009, [(403, 10415)]),
    "two indicators": ("bir", bir(gba_u_aware=1, extra=[d.tgpp(407, 0)]), "GBA_E_AVP_OCCURS", 5009, [(407, 10415)]),
    "two timestamps": ("mar", mar(guss_timestamp=T_2031, extra=[d.when(409, T_2031, d.TGPP)]), "GBA_E_AVP_OCCURS", 5009,
                       [(409, 10415)]),
    "two items": ("mar", mar(resync=RAND_AUTS, extra=[nested()]), "GBA_E_AVP_OCCURS", 5009, [(612, 10415)]),
    "time of 1 octet": ("mar", mar(extra=[d.tgpp(409, b"\1")]), "GBA_E_AVP_LENGTH", 5014, [(409, 10415)]),
    "time of 5 octets": ("mar", mar(extra=[d.tgpp(409, b"\1\2\3\4\5")]), "GBA_E_AVP_LENGTH", 5014, [(409, 10415)]),
    "User-Name of 255": ("mar", mar(impi="u" * 255), "GBA_E_AVP_LENGTH", 5014, [(1, 0)]),
    "AUTS of 65 octets": ("mar", mar(resync=b"x" * 65), "GBA_E_AVP_LENGTH", 5014, [(612, 10415), (610, 10415)]),
    "two schemes in the item": ("mar", mar(extra=[nested(d.tgpp(608, "a"), d.tgpp(608, "b"))]), "GBA_E_AVP_OCCURS", 5009,
                                [(612, 10415), (608, 10415)]),
    "digest without QoP": ("mar", mar(extra=[nested(d.tgpp(635, [d.text(104, "r"), d.text(121, "h")], m=False))]),
                           "GBA_E_AVP_MISSING", 5005, [(612, 10415), (635, 10415), (110, 0)]),
    "foreign AVP with M": ("bir", bir(extra=[d.tgpp(609, b"x" * 32)]), "GBA_E_AVP_UNSUPPORTED", 5001, [(609, 10415)]),
    "foreign AVP with M in the item": ("mar", mar(extra=[nested(d.tgpp(405, b"x"))]), "GBA_E_AVP_UNSUPPORTED", 5001,
                                       [(612, 10415), (405, 10415)]),
    "foreign AVP with M in an item without": ("mar", mar(extra=[d.tgpp(612, [d.tgpp(405, b"x")], m=False)]), "GBA_OK", 2001,
                                              None),
    "foreign AVP without M": ("bir", bir(extra=[d.tgpp(609, b"x" * 32, m=False)]), "GBA_OK", 2001, None),
}


@pytest.fixture(scope="module")
def judged():
    lines = "".join(f"{kind} {message.encode().hex()}\n" for kind, message, *_ in CASES.values())
    out = run_diatool("decode", lines)
    return dict(zip(CASES, zip(out[0::2], out[1::2])))


@pytest.mark.parametrize("case", CASES)
def test_read_as_specified(judged, case):
    kind, message, row, code, path = CASES[case]
    (name, got), (_, octets) = judged[case]
    assert (name, got) == (kind, row)
    answer = d.Message.decode(bytes.fromhex(octets))
    assert answer.result() == (0, code)
    assert answer.find(d.SESSION_ID).value() == message.find(d.SESSION_ID).value()
    avps = answer.failed()
    assert (path is None) == (not avps)
    for step in path or []:
        assert [(a.code, a.vendor) for a in avps] == [step]
        last, avps = avps[0], avps[0].group() if step != path[-1] else []
    if code == 5009 and path[-1] != (612, 10415):  # the surplus one itself, not an example
        *_, surplus = (a for a in message.avps if (a.code, a.vendor) == path[0])
        assert last.value() == (surplus if len(path) == 1 else surplus.group()[-1]).value()
    if code == 5005:
        assert set(last.value()) == {0}


def test_answers_survive_a_round_trip(encoded):
    """Everything of INTENT's answers is read, and written again by diatool (it fails where that is refused)."""
    lines = "".join(f"{name} {octets.hex()}\n" for name, octets in encoded.items() if name.endswith("a"))
    assert run_diatool("decode", lines) == [(n, "GBA_OK") for n in ("maa", "bia", "gpa", "eca")]


def test_proxy_info_is_returned_in_order():
    """RFC 6733 6.2: Proxy-Info AVPs come back, in the same order; Route-Record does not."""
    infos = [d.Avp(d.PROXY_INFO, [d.text(d.PROXY_HOST, f"p{n}.lab.test"), d.text(d.PROXY_STATE, f"state {n}")]) for n in (1, 2)]
    message = bir(extra=infos + [d.text(d.ROUTE_RECORD, "p1.lab.test")])
    (_, row), (_, octets) = run_diatool("decode", f"bir {message.encode().hex()}\n")
    answer = d.Message.decode(bytes.fromhex(octets))
    assert row == "GBA_OK"
    assert [a.find(d.PROXY_STATE).text() for a in answer.find_all(d.PROXY_INFO)] == ["state 1", "state 2"]
    assert answer.find(d.ROUTE_RECORD) is None
