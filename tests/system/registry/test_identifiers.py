# SPDX-License-Identifier: Apache-2.0
"""RegDevIDs and identifiers against an independent computation: tests/peers/regdevid.py and the Python library."""
import ipaddress
import random
import string
import subprocess
import uuid

import pytest

from lab.realm import Tree
from peers import regdevid as oracle

IMEI, MAC, UUID = "490154203237518", "00:1b:63:84:45:e6", "f81d4fae-7dec-11d0-a765-00a0c91e6bf6"


def ask(lines):
    """Answers of the registry's code, fields by fields."""
    tree = Tree()
    done = subprocess.run([tree.build + "/tests/system/registry/idtool"], input="".join("\t".join(line) + "\n" for line in lines),
                          capture_output=True, text=True, timeout=300, check=True)
    answers = [line.split("\t") for line in done.stdout.splitlines()]
    assert len(answers) == len(lines)
    return answers


def identity(draw, scheme):
    """A random identity of the scheme, in the form that is stored."""
    number = lambda n: "".join(draw.choice(string.digits) for _ in range(n))
    octets = lambda n: ":".join("%02x" % octet for octet in bytes([draw.randrange(128) * 2]) + draw.randbytes(n - 1))
    text = lambda alphabet, low, high: "".join(draw.choice(alphabet) for _ in range(draw.randint(low, high)))
    if scheme == "imei":
        body = number(14)
        return body + oracle.luhn(body)
    if scheme == "iccid":
        body = "89" + number(draw.randint(15, 17))
        return body + oracle.luhn(body)
    return {"mac": lambda: octets(6), "eui64": lambda: octets(8), "eid": lambda: oracle.eid("89" + number(28)),
            "ipv4": lambda: str(next(a for a in (ipaddress.IPv4Address(draw.randint(1 << 24, 0xdfffffff)) for _ in range(1000))
                                     if a.is_global)),
            "ipv6": lambda: str(ipaddress.IPv6Address(draw.getrandbits(125) | 1 << 125)),
            "uuid": lambda: str(uuid.UUID(int=draw.getrandbits(127) + 1)),
            "oid": lambda: "1.3.6.1." + ".".join(str(draw.randrange(100000)) for _ in range(draw.randint(1, 9))),
            "epc": lambda: "urn:epc:id:sgtin:%s.%s.%s" % (number(7), number(6), text(string.ascii_letters + string.digits, 1, 20)),
            "handle": lambda: "20.500.%s/%s" % (number(5), text(string.ascii_letters + "-._;()/", 1, 40)),
            "doi": lambda: "10.%s/%s" % (number(4), text(string.ascii_lowercase + "-._", 1, 40)),
            "ecode": lambda: text(string.ascii_letters + string.digits + ".-", 1, 60),
            "meid": lambda: draw.choice("ABCDEF") + text("0123456789ABCDEF", 13, 13),
            "cid": lambda: text(string.ascii_letters + string.digits, 1, 96)}[scheme]()


def reg_id(draw):
    return "".join(draw.choice(oracle.ALPHABET) for _ in range(draw.choice([1, 2, 3, 8, 32])))


def test_every_scheme_in_both_forms_is_what_an_independent_computation_says():
    """REQ: Y3059-9.2-i-b, Y3059-6.1-5, Y3059-6.1-7, Y3059-8-4: RegID before or behind IMEI, MAC, IPv6 and the others; and back."""
    draw = random.Random()
    cases = [(form, reg_id(draw), scheme, identity(draw, scheme)) for scheme in oracle.CODES for form in ("prefix", "suffix")
             for _ in range(40)]
    made = ask([("make", *case) for case in cases])
    want = [oracle.regdevid(*case) for case in cases]
    assert made == [["ok", text] for text in want]
    assert all(oracle.GRAMMAR.fullmatch(text) for text in want)
    assert ask([("parse", text) for text in want]) == [["ok", form, "open", reg, scheme, text] for form, reg, scheme, text in cases]
    assert len(set(want)) == len(set(cases))


def test_the_check_characters_of_the_standard():
    """ISO/IEC 7064 gives "ISO79" as its example of MOD 1271-36; the oracle agrees with it, and we with the oracle."""
    assert oracle.check("ISO79") == "3W"


SAMPLES = [oracle.regdevid("prefix", "IN1", "imei", IMEI), oracle.regdevid("suffix", "IN1", "imei", IMEI),
           oracle.regdevid("prefix", "356", "mac", MAC), oracle.regdevid("suffix", "Z9", "ipv6", "2001:db8::1"),
           oracle.regdevid("prefix", "A", "oid", "1.3.6.1"), oracle.regdevid("suffix", "IN1", "ecode", "64.A"),
           oracle.join("prefix", "IN1", "HID", oracle.base32(bytes(range(20)))),
           oracle.join("suffix", "IN1", "VID", oracle.base32(b"\xff" * 20))]


@pytest.mark.parametrize("text", SAMPLES)
def test_every_changed_character_and_every_exchange_of_neighbours_is_found(text):
    wrong = {text[:i] + c + text[i + 1:] for i in range(len(text)) for c in oracle.ALPHABET + "-abz.~"} - {text}
    wrong |= {text[:i] + text[i + 1] + text[i] + text[i + 2:] for i in range(len(text) - 1)} - {text}
    wrong |= {text[:i] + text[i + 2] + text[i + 1] + text[i] + text[i + 3:] for i in range(len(text) - 2) if "-" not in text[i:i + 3]}
    wrong.discard(text)
    answers = ask([("parse", text)] + [("parse", other) for other in sorted(wrong)])
    assert answers[0][0] == "ok"
    assert [other for other, answer in zip(sorted(wrong), answers[1:]) if answer[0] != "error"] == []


def checked(text):
    return text + oracle.check(text)


@pytest.mark.parametrize("text", [
    SAMPLES[0][:-3] + "." + SAMPLES[0][-3:], SAMPLES[0][:-3] + "\u00b2" + SAMPLES[0][-3:], "", "-", "----", "IN1", "IN1-IMEI", SAMPLES[0].lower(), " " + SAMPLES[0], SAMPLES[0] + " ", SAMPLES[0] + "-",
    checked("IN1-IMEI-490154203237519-"), checked("IN1-IMEI-49015420323751-"), checked("IN1-ZZZ-1234-"), checked("-IMEI-490154203237518-"),
    checked("A" * 33 + "-IMEI-490154203237518-"), checked("IN1--IMEI-490154203237518-"), checked("IMEI-490154203237518---IN1-"),
    checked("IN1-MAC-000000000000-"), checked("IN1-MAC-01B638445E6-"), checked("IN1-MAC-FFFFFFFFFFFF-"), checked("IN1-UUID-%032d-" % 0),
    checked("IN1-HID-" + "A" * 31 + "-"), checked("IN1-VID-" + "A" * 33 + "-"), checked("IN1-VID-" + "1" * 32 + "-"),
    checked("IN1-OID-AAAAAAA-"), checked("IN1-OID-GEXDG-"), checked("IN1-OID-GEXDH-"), checked("IN1-IPV4-E0000001-"),
    checked("IN1-CID-" + "A" * 300 + "-"), checked("IN1-UPC-036000291452-")])
def test_what_is_no_regdevid_is_refused(text):
    """Wrong by its grammar or by what it holds, though its check characters may be right."""
    if text == checked("IN1-OID-GEXDG-"):
        assert ask([("parse", text)])[0] == ["ok", "prefix", "open", "IN1", "oid", "1.3"]
    else:
        assert ask([("parse", text)])[0][0] == "error"


def test_a_hidden_form_is_the_keyed_digest():
    draw, key = random.Random(), bytes(range(32))
    cases = [("prefix", reg_id(draw), scheme, identity(draw, scheme)) for scheme in oracle.CODES]
    made = ask([("hide", *case, key.hex()) for case in cases])
    for (form, reg, scheme, text), answer in zip(cases, made):
        token = oracle.digest(key, reg, scheme, text)
        assert answer == ["ok", oracle.join(form, reg, "HID", oracle.base32(token))]
        assert ask([("parse", answer[1])])[0] == ["ok", "prefix", "hidden", reg, "-", token.hex()]


def test_one_device_has_one_identity_however_it_is_written():
    """REQ: TEC-A1-6: an IMEI has 14 digits and a check digit or none; an IMEISV names the same device."""
    for texts in ([IMEI, IMEI[:14]], [MAC, MAC.upper(), MAC.replace(":", "-"), MAC.replace(":", ""), "001b.6384.45e6"],
                  [UUID, UUID.upper(), "urn:uuid:" + UUID], ["1.2.840.113549", "urn:oid:1.2.840.113549"],
                  ["2001:db8::1", "2001:0DB8:0:0:0:0:0:1"], ["10.1000/ABC", "10.1000/abc"]):
        scheme = {IMEI: "imei", MAC: "mac", UUID: "uuid", "1.2.840.113549": "oid", "2001:db8::1": "ipv6", "10.1000/ABC": "doi"}[texts[0]]
        assert len({answer[1] for answer in ask([("make", "prefix", "IN1", scheme, text) for text in texts]) if answer[0] == "ok"}) == 1
    assert ask([("make", "prefix", "IN1", "imeisv", IMEI[:14] + "01")]) == ask([("make", "prefix", "IN1", "imei", IMEI)])


GOOD = [("imei", IMEI, "object", "thing"), ("iccid", "8965880812100011146", "object", "thing"), ("url", "https://a.example/x", "object", "thing"),
        ("eid", "89001012012341234012345678901224", "object", "thing"), ("upc", "036000291452", "object", "thing"),
        ("uri", "urn:example:a%20b", "object", "thing"), ("handle", "20.1000/100", "object", "thing"), ("serial", "SN-1", "object", "thing"),
        ("ipv4", "192.0.2.1", "communication", "communication-end"), ("ipv6", "2001:db8::1", "communication", "communication-end"),
        ("e164", "919812345678", "communication", "communication-end"), ("hostname", "host.example", "communication", "communication-end"),
        ("wlan-mac", MAC, "communication", "communication-end"), ("bluetooth", MAC, "communication", "communication-end"),
        ("nfc", "04:a2:5f:1b:2c:3d:80", "communication", "communication-end"), ("imsi", "001010000000001", "object", "user"),
        ("imsi", "310150123456789", "object", "user"), ("account", "alice", "application", "user"),
        ("app-uri", "market://details?id=a", "application", "application"), ("app-url", "https://app.example/", "application", "application"),
        ("package", "com.example.app", "application", "application"), ("advertising", UUID, "application", "application")]


EPCS = ["sgtin:0614141.112345.400", "sscc:0614141.1234567890", "sgln:0614141.12345.400", "grai:0614141.12345.400", "giai:0614141.12345400",
        "gsrn:0614141.1234567890", "gsrnp:0614141.1234567890", "gdti:0614141.12345.400", "gid:95100000.12345.400", "usdod:2S194.12345678901",
        "adi:2S194..12345678901", "adi:W81X9C.3KL984PX1.2WMA52", "cpi:0614141.123ABC.123456789", "bic:CSQU3054383", "imovn:9176187",
        "sgcn:4012345.67890.04711", "ginc:0614141.xyz47%2F11", "gsin:0614141.123456789", "itip:4012345.012345.01.02.987",
        "upui:1234567.089456.51qIgY)%3C%26Jp3*j7'SDB", "pgln:1234567.89012", "sgtin:061414112345.0.a"]
NO_EPCS = ["sgtin:061414.112345.400", "sgtin:0614141.112345", "sgtin:0614141.112345.", "sgtin:06141.11234567.400", "sgtin:0614141.11234a.400",
           "sgtin:0614141.112345." + "x" * 21, "sgtin:0614141.112345.a%2", "sgtin:0614141.112345.a b", "sscc:0614141.123456789",
           "sscc:0614141.1234567890.1", "gid:268435456.1.1", "gid:1.16777216.1", "gid:1.1.68719476736", "gid:01.1.1", "gid:1.1",
           "usdod:2SI94.1", "usdod:2S19.1", "bic:CSQU3054384", "bic:CSQU305438", "imovn:917618", "itip:4012345.012345.1.02.987", "grai:0614141.12345.",
           "pgln:1234567.890123", "none:1.2.3", "sgtin:"]


def test_every_kind_of_epc_has_its_parts():
    """The examples of GS1's EPC Tag Data Standard, and what is not as long, or not made of that."""
    assert [a[0] for a in ask([("make", "prefix", "IN1", "epc", "urn:epc:id:" + epc) for epc in EPCS])] == ["ok"] * len(EPCS)
    assert [a[0] for a in ask([("identifier", "epc", "urn:epc:id:" + epc) for epc in NO_EPCS])] == ["error"] * len(NO_EPCS)


def test_every_identifier_has_its_class_and_what_it_names():
    """REQ: TEC-A1-1, TEC-A1-2, TEC-A1-3, TEC-A1-4, TEC-A1-7, TEC-A1-10, TEC-A1-12, TEC-4-6: type and label follow from the scheme."""
    answers = ask([("identifier", scheme, text) for scheme, text, _, _ in GOOD])
    assert [answer[:3] for answer in answers] == [["ok", is_, names] for _, _, is_, names in GOOD]


@pytest.mark.parametrize("scheme,text", [
    ("imei", "490154203237519"), ("imei", "4901542032375"), ("imei", "49015420323751a"), ("imeisv", IMEI), ("mac", "01:00:5e:00:00:01"),
    ("mac", "00:00:00:00:00:00"), ("mac", "ff:ff:ff:ff:ff:ff"), ("mac", "00:1b:63-84:45:e6"), ("eui64", MAC), ("ipv4", "192.0.2.01"),
    ("ipv4", "192.0.2"), ("ipv6", "2001:db8"), ("ipv6", "ff02::1"), ("iccid", "8965880812100011147"), ("iccid", "7965880812100011146"),
    ("eid", "89001012012341234012345678901225"), ("uuid", UUID[:-1]), ("uuid", "0" * 8 + "-0000-0000-0000-" + "0" * 12), ("oid", "3.1"),
    ("oid", "1.40"), ("oid", "1.2.03"), ("oid", "1"), ("oid", "1..2"), ("epc", "urn:epc:tag:sgtin-96:1.2.3"), ("epc", "urn:epc:id:none:1.2.3"),
    ("upc", "036000291453"), ("handle", "nothing"), ("doi", "11.1000/1"), ("uri", "nothing"), ("uri", "a:b%2"), ("uri", "a:b c"),
    ("url", "ftp://a"), ("e164", "+919812345678"), ("e164", "1234567890123456"), ("hostname", "-"*64), ("nfc", "04:a2"), ("imsi", "12345"),
    ("imsi", "1234567890123456"), ("package", "app"), ("package", "com..app"), ("package", "com.1app"), ("cid", "a b"), ("serial", "a b"),
    ("nothing", "x"), ("account", ""), ("account", "x" * 257)])
def test_a_bad_identifier_is_refused(scheme, text):
    assert ask([("identifier", scheme, text)])[0][0] == "error"


@pytest.mark.parametrize("scheme,text", [("advertising", UUID), ("imsi", "001010000000001"), ("e164", "919812345678"), ("account", "alice"),
                                         ("package", "com.example.app"), ("upc", "036000291452"), ("hostname", "host.example"),
                                         ("serial", "SN-1"), ("cid", "c" * 97), ("ipv6", "::1"), ("ipv6", "fe80::1"),
                                         ("ipv6", "::ffff:192.0.2.1"), ("ipv4", "127.0.0.1"), ("ipv4", "10.1.2.3"), ("ipv4", "172.16.0.1"),
                                         ("ipv4", "172.31.255.1"), ("ipv4", "192.168.0.1"), ("ipv4", "169.254.1.1"), ("ipv4", "100.64.0.1")])
def test_what_names_no_device_makes_no_regdevid(scheme, text):
    """REQ: TEC-A1-13: an advertising identifier above all."""
    assert ask([("make", "prefix", "IN1", scheme, text)])[0][0] == "error"


def test_composite_identities():
    """REQ: TEC-2.2.1-4, TEC-2.2.1-5: parts are prefixed with their lengths: what moves from one to the next changes the value, and so
    does absent for empty."""
    parts = [(b"cert", b"app", b"platform", b"sim"), (b"certa", b"pp", b"platform", b"sim"), (b"", b"", b"", b""), (None,) * 4,
             (b"cert", None, None, b"sim"), (b"x" * 3000, b"a", b"b", b"c")]
    answers = ask([("composite", *("-" if part is None else part.hex() for part in row)) for row in parts])
    assert answers == [["ok", oracle.composite(*row)] for row in parts]
    assert len({answer[1] for answer in answers}) == len(parts)
