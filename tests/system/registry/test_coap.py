# SPDX-License-Identifier: Apache-2.0
"""Constrained devices: libcoap's own client over DTLS-PSK with a bootstrapped key, CBOR bodies, through gba-naf-coap."""
import json
import os
import re
import shutil
import subprocess

import pytest
from registrylab import REGISTRY_NAF, WholeRealm

from lab.realm import Tree
from peers import cbor
from peers import regdevid as oracle
from peers.waiting import page, until

CLIENT = shutil.which("coap-client-openssl")
EUI = "00:1b:63:ff:fe:84:45:e6"
REGISTER_MAX, REPORT_MAX = 256, 64  # [octets] of bodies: the budget of doc/registry.md
# Numbers that stand for members, as doc/registry.md lists them.
NAMES = ["regdevid", "serial", "seq", "cause", "firmware", "software", "communication", "power", "protocols", "kind", "root_of_trust",
         "scheme", "identity", "make", "model", "custodian", "custodian_code", "identities", "value", "urn", "state", "expires",
         "report_every", "seconds", "audience", "status", "title", "detail", "errors", "pointer", "type", "code"]


def short(value):
    """Members by their numbers."""
    if isinstance(value, dict):
        return {NAMES.index(key): short(one) for key, one in value.items()}
    return [short(one) for one in value] if isinstance(value, list) else value


def long(value):
    if isinstance(value, dict):
        return {NAMES[key] if isinstance(key, int) else key: long(one) for key, one in value.items()}
    return [long(one) for one in value] if isinstance(value, list) else value


class Sensor:
    """A device whose program knows CoAP and gets its key from the client element beside it."""

    def __init__(self, realm, device, tmp_path):
        self.realm, self.device, self.tmp_path = realm, device, tmp_path
        self.suite, self.identity, self.key = "ccac", None, b""
        for _ in range(60):  # a key with a NUL cannot be given on a command line
            run = device.bootstrap("--force")
            for suite in ("ccac",):
                key = bytes.fromhex(device.must("token", "key", REGISTRY_NAF, "--ua-id", "010001" + suite, "--reveal")["key"])
            if b"\0" not in key:
                self.identity, self.key = "3GPP-bootstrapping;" + run["btid"], key
                return
        raise AssertionError("sixty keys with a NUL")

    def ask(self, method, target, octets=None, form=60, key=None, identity=None, patience=20):
        """(first line that tells of a refusal, body) of one request."""
        out, body = self.tmp_path / "answer", self.tmp_path / "body"
        out.unlink(missing_ok=True)
        words = [CLIENT, "-m", method, "-B", str(patience), "-u", identity or self.identity, "-k", key or self.key, "-o", str(out)]
        if octets is not None:
            body.write_bytes(octets)
            words += ["-f", str(body), "-t", str(form)]
        done = subprocess.run([*words, "coaps://%s:%d%s" % (self.realm.address("proxy"), self.realm.coap_port, target)], capture_output=True,
                              timeout=60, check=False)
        return done.stderr.decode(errors="replace").strip(), out.read_bytes() if out.exists() else done.stdout.strip()


@pytest.fixture(scope="module")
def realm(tmp_path_factory):
    try:
        if CLIENT is None or not os.path.exists(Tree().program("gba-naf-coap")):
            raise FileNotFoundError
    except FileNotFoundError:
        pytest.skip("built without libcoap")
    with WholeRealm(tmp_path_factory.mktemp("coap") / "realm") as whole:
        whole.start_hss()
        whole.start_bsf()
        whole.start_registry(extra="report-interval = 60;\n")
        whole.start_coap()
        whole.wait_connected(("bsf",))
        yield whole


@pytest.fixture(scope="module")
def sensor(realm, tmp_path_factory):
    return Sensor(realm, realm.device("sensor", "001010000000001"), tmp_path_factory.mktemp("sensor"))


def test_a_sensor_registers_and_reports_in_small_messages(realm, sensor):
    """REQ: Y3059-6.1-3, Y3059-10-2: each message within its budget; the same record as over HTTP."""
    said, body = sensor.ask("post", "/register", request := cbor.encode(short({
        "scheme": "eui64", "identity": EUI, "make": "Acme", "model": "T1", "kind": "sensor", "root_of_trust": "usim", "firmware": "1.0",
        "communication": ["nb-iot"], "power": "battery", "protocols": ["coap"]})))
    ack = long(cbor.decode(body))
    want = oracle.regdevid("prefix", "IN1", "eui64", EUI)
    assert (ack["regdevid"], ack["state"]) == (want, "acknowledged") and len(request) <= REGISTER_MAX and len(body) <= REGISTER_MAX, said
    done = long(cbor.decode(sensor.ask("put", "/set", cbor.encode(short({"regdevid": want, "serial": ack["serial"]})))[1]))
    assert done["state"] == "registered"
    report = cbor.encode(short({"regdevid": want, "seq": ack["seq"] + 1, "cause": "change", "firmware": "1.1"}))
    told = long(cbor.decode(sensor.ask("post", "/report", report)[1]))
    assert told["seq"] == ack["seq"] + 1 and len(report) <= REPORT_MAX
    assert realm.rows("SELECT identity, firmware, state FROM device") == [(EUI, "1.1", 2)]
    shown = cbor.decode(sensor.ask("get", "/device?regdevid=" + want)[1])  # longer than a datagram: in blocks
    assert "nb-iot" in repr(shown) and "initial" in repr(shown)


def test_json_is_taken_too(realm, sensor):
    answer = json.loads(sensor.ask("post", "/register", json.dumps({
        "scheme": "mac", "identity": "00:1b:63:84:45:e6", "make": "Acme", "model": "T2", "root_of_trust": "usim"}).encode(), 50)[1])
    assert answer["state"] == "acknowledged"


@pytest.mark.parametrize("octets,code", [
    (b"", "4.00"), (b"\xff", "4.00"), (b"\xa1\x00", "4.00"), (b"\x80", "4.00"), (cbor.encode({99: 1}), "4.00"), (b"\xa2\x02\x01\x02\x01", "4.00"),
    (b"\xfb" + bytes(8), "4.00"), (b"\x9f" * 50, "4.00"), (cbor.encode({"seq": 1}) + b"\0", "4.00"), (b"\x9b" + b"\xff" * 8, "4.00"),
    (b"\xbb\x80" + bytes(7), "4.00"), (b"\x9a\x10" + bytes(3), "4.00"), (b"\x81" * 9 + b"\0", "4.00"), (b"\xa1\x02\xf9\0\0", "4.00"),
    (cbor.encode(short({"scheme": "imei", "identity": "1", "make": "A", "model": "B"})), "4.22"),
    (cbor.encode(short({"scheme": "uuid", "identity": "f81d4fae-7dec-11d0-a765-00a0c91e6bf6", "make": "A", "model": "B"})), "4.03")])
def test_bad_bodies_change_nothing(realm, sensor, octets, code):
    before = realm.rows("SELECT count(*) FROM device")
    said = sensor.ask("post", "/register", octets)[0]
    assert code in said, said
    assert realm.rows("SELECT count(*) FROM device") == before


def test_too_big(realm, sensor):
    assert "4.13" in sensor.ask("post", "/register", cbor.encode({"make": "x" * 17000}))[0]


def counted(realm, name):
    return int(re.search(r"^%s (\d+)$" % name, page("http://%s:9102/metrics" % realm.address("proxy"))[1], re.M).group(1))


def test_who_has_no_key(realm, sensor):
    """REQ: Y3059-10-1: a wrong key, a made-up token, no token at all."""
    before = realm.rows("SELECT count(*) FROM device")
    request = cbor.encode(short({"scheme": "uuid", "identity": "f81d4fae-7dec-11d0-a765-00a0c91e6bf6", "make": "A", "model": "B",
                                 "root_of_trust": "usim"}))

    def heard(name, key, identity):
        """Has the element counted one more? On a busy machine a client may give up before it does."""
        told = counted(realm, name)
        sensor.ask("post", "/register", request, key=key, identity=identity, patience=2)
        return counted(realm, name) > told

    assert until(lambda: heard("gba_coap_handshakes_total", b"k" * 32, None))
    for key, identity in ((None, "3GPP-bootstrapping;AAAAAAAAAAAAAAAAAAAAAA==@" + sensor.identity.split("@")[1]),
                          (None, "admin"), (b"3GPP-bootstrapping", "3GPP-bootstrapping")):
        assert until(lambda: heard("gba_coap_handshakes_refused_total", key, identity)), identity
    assert realm.rows("SELECT count(*) FROM device") == before


def test_the_connection_element_does_it_by_itself(realm):
    """gba-ue register and report with a coaps URL: DTLS-PSK and CBOR, nothing beside it. REQ: Y3059-6.1-3"""
    device, where = realm.device("gauge", "001010000000002"), "%s:%d" % (realm.address("proxy"), realm.coap_port)
    eui = "00:1b:63:ff:fe:84:45:e7"
    done = device.must("register", "coaps://" + REGISTRY_NAF, "--connect", where, "--scheme", "eui64", "--identity", eui, "--make", "Acme", "--model", "T1",
                       "--communication", "nb-iot", "--power", "battery")
    assert (done["regdevid"], done["state"]) == (oracle.regdevid("prefix", "IN1", "eui64", eui), "registered")
    assert device.must("report", "--connect", where, "--firmware", "1.1")["sent"] == 1
    assert realm.rows("SELECT firmware, state FROM device WHERE identity = '%s'" % eui) == [("1.1", 2)]
    assert device.must("answer", "--connect", where)["answered"] == 0
    status, said, _ = device.ue("register", "coaps://" + REGISTRY_NAF, "--connect", where, "--scheme", "imei", "--identity", "1", "--make", "A", "--model", "B")
    assert status != 0 and "the registry answers 4" in said["message"], said  # its own words, out of CBOR


def test_the_sample_is_good(realm):
    done = realm.run("gba-naf-coap", "--check-config", os.path.join(realm.tree.top, "doc", "samples", "naf-coap.conf"))
    assert done.returncode == 0, done.stderr
