# SPDX-License-Identifier: Apache-2.0
"""A device is asked itself, through the registry (Y.3059 7, 9.1-iv): an enquirer over HTTPS, gba-ue over PSK-TLS, both recorded on
the wire; and at the door as the application element passes requests on."""
import contextlib
import os
import secrets
import signal
import socket
import subprocess
import threading

import pytest
from registrylab import IMPI, WholeRealm
from test_ask import ADMIN, AGENCY, BULK, SEED, STRANGER, Api, certificate, credentials

from peers import jose
from peers.waiting import page, until

IMEI = "490154203237518"
OTHER = "001010000000007@" + IMPI.split("@")[1]
FIRMWARE = "firmware-7.4.1-of-the-device"


@pytest.fixture(scope="module")
def realm(tmp_path_factory, server):
    with WholeRealm(tmp_path_factory.mktemp("live") / "realm", trace=False, server=server) as whole:
        certificate(whole)
        whole.start_hss()
        whole.start_bsf()
        whole.start_registry(extra='api-listen = "%s:8443";\napi-cert = "%s";\napi-key = "%s";\napi-open-rate = 1000;\n'
                                   'interrogation-life = 300;\nroot-of-trust = "grey";\n'
                             % (whole.address("registry"), whole.path("api.pem"), whole.path("api.key")))
        credentials(whole)
        whole.start_proxy()
        whole.wait_connected(("bsf",))
        assert until(lambda: page("http://%s:9101/readyz" % whole.address("registry"))[0] == 200)
        yield whole


@pytest.fixture(scope="module")
def api(realm):
    return Api(realm)


@pytest.fixture(scope="module")
def alice(realm):
    device = realm.device("alice", "001010000000001")
    device.regdevid = device.must(*realm.register_words(("imei", IMEI), "--firmware", "1.0"))["regdevid"]
    return device


@pytest.fixture(scope="module")
def meter(realm):
    """Another device; only as its door sees it."""
    status, ack = realm.door().ask("POST", "/register", {"scheme": "imei", "identity": "356938035643809", "make": "Acme", "model": "One",
                                                         "root_of_trust": "usim"}, OTHER)
    assert status == 201
    assert realm.door().ask("GET", "/challenges?regdevid=" + ack["regdevid"], impi=OTHER)[0] == 409  # before Set
    assert realm.door().ask("PUT", "/set", {"regdevid": ack["regdevid"], "serial": ack["serial"]}, OTHER)[0] == 200
    return ack["regdevid"]


def enquirer(api, seed, name, rights):
    api.good("POST", "/v1/enquirer-registrations", {"name": name, "organisation": "Shop", "contact": "a@shop.example", "use_case": "phones",
                                                    "public_key": jose.public_of(seed).hex()}, None, 202)
    one = next(e for e in api.good("GET", "/v1/enquirers")["items"] if e["name"] == name)
    api.change("enquirers/%d" % one["id"], {"state": "approved", "rights": rights})
    return api.session(seed)


@pytest.fixture(scope="module")
def shop(api):
    """May ask devices, and read no record."""
    return enquirer(api, SEED, "shop", ["device"])


@pytest.fixture(scope="module")
def reader(api):
    """May read all of any record, and ask no device."""
    return enquirer(api, STRANGER, "reader", ["regdevid", "virtual", "identity", "model", "custodian", "details"])


def nonce():
    return secrets.token_hex(16)


def interrogate(api, token, value, want=201, **more):
    status, answer = api.call("POST", "/v1/interrogations", {"value": value, "nonce": nonce(), **more}, token)
    assert status == want, (status, answer)
    return answer


def there(realm):
    return ["--connect", realm.address("proxy") + ":443"]


def waiting(realm, regdevid, impi):
    status, answer = realm.door().ask("GET", "/challenges?regdevid=" + regdevid, impi=impi)
    assert status == 200, answer
    return answer["challenges"]


def answer(realm, regdevid, challenge, impi, **said):
    return realm.door().ask("POST", "/answer", {"regdevid": regdevid, "challenge": challenge, **said}, impi)


class Wire:
    """A stretch of cable that keeps what passes."""

    def __init__(self, *to):
        self.to, self.seen = to, bytearray()
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        with contextlib.suppress(OSError):
            while True:
                near = self.socket.accept()[0]
                far = socket.create_connection(self.to, 30)
                for one, other in ((near, far), (far, near)):
                    threading.Thread(target=self.carry, args=(one, other), daemon=True).start()

    def carry(self, one, other):
        with contextlib.suppress(OSError):
            while octets := one.recv(65536):
                self.seen.extend(octets)
                other.sendall(octets)
            other.shutdown(socket.SHUT_WR)


def test_a_device_is_asked_and_answers(realm, api, alice, shop):
    """REQ: Y3059-7-0c, Y3059-7-i-b: the enquirer's challenge comes back in what the registry has signed; only ciphertext on the way."""
    mine = nonce()
    over, under = Wire(*api.address), Wire(realm.address("proxy"), 443)
    with contextlib.closing(over.socket), contextlib.closing(under.socket):
        wired = Api(realm)
        wired.address = ("127.0.0.1", over.port)
        asked = wired.good("POST", "/v1/interrogations", {"value": alice.regdevid, "nonce": mine}, shop, 201)
        path = "/v1/interrogations/" + asked["id"]
        assert asked["state"] == "waiting" and wired.good("GET", path, None, shop)["state"] == "waiting"
        assert alice.must("answer", "--connect", "127.0.0.1:%d" % under.port, "--firmware", FIRMWARE)["answered"] == 1
        told = wired.good("GET", path, None, shop)
    payload = api.check(told)
    assert (payload["nonce"], payload["subject"], payload["state"]) == (mine, alice.regdevid, "answered")
    assert payload["parameters"] == {"firmware": FIRMWARE, "root_of_trust": "soft-usim"} and payload["differs"] == ["firmware"]
    assert payload["interrogation"] == asked["id"] and payload["asked"] <= payload["answered"] and payload["proof"] == "rpd-session"
    assert payload["iss"] == "IN1" and payload["aud"].startswith("enquirer:")
    for secret in (FIRMWARE, mine, alice.regdevid, payload["challenge"], shop, told["answer"]):
        assert secret.encode() not in over.seen and secret.encode() not in under.seen
    assert over.seen and under.seen
    assert realm.rows("SELECT firmware FROM device WHERE regdevid = ?", alice.regdevid) == [("1.0",)]  # no Report
    assert alice.must("answer", *there(realm))["answered"] == 0


def test_device_access_is_guarded_apart_from_records(api, alice, shop, reader):
    """REQ: Y3059-9.1-iv: record access does not do, whoever has it; device access reads no record."""
    assert api.ask(reader, by="regdevid", value=alice.regdevid)["results"][0]["known"] is True
    asked = interrogate(api, shop, alice.regdevid)
    path = "/v1/interrogations/" + asked["id"]
    interrogate(api, reader, alice.regdevid, 403)
    for token in (ADMIN, AGENCY, BULK):
        interrogate(api, token, alice.regdevid, 403)
        assert api.call("GET", path, None, token)[0] == 403
    assert api.call("GET", path, None, reader)[0] == 403
    api.ask(shop, want=403, by="regdevid", value=alice.regdevid)
    interrogate(api, shop, "x", 403, by="virtual")  # that right is another
    for token in (None, "gba_" + "z" * 43):
        interrogate(api, token, alice.regdevid, 401)
        assert api.call("GET", path, None, token)[0] == 401
    for wrong in ({}, {"value": alice.regdevid}, {"value": alice.regdevid, "nonce": "short"}, {"value": "", "nonce": nonce()},
                  {"value": alice.regdevid, "nonce": nonce(), "by": "model"}):
        assert api.call("POST", "/v1/interrogations", wrong, shop)[0] == 422


def test_each_challenge_takes_one_answer_of_its_device(realm, api, alice, meter, shop):
    """A replay, another device's challenge, a nonce used twice."""
    mine = nonce()
    asked = api.good("POST", "/v1/interrogations", {"value": "urn:regdevid:" + alice.regdevid, "nonce": mine}, shop, 201)
    assert api.call("POST", "/v1/interrogations", {"value": alice.regdevid, "nonce": mine}, shop)[0] == 409
    one = next(c for c in waiting(realm, alice.regdevid, alice.impi) if c["nonce"] == mine)
    assert realm.door().ask("GET", "/challenges?regdevid=" + alice.regdevid, impi=OTHER)[0] == 404
    assert waiting(realm, meter, OTHER) == []
    assert answer(realm, meter, one["challenge"], OTHER, firmware="6")[0] == 404
    assert answer(realm, alice.regdevid, one["challenge"], OTHER, firmware="6")[0] == 404
    assert answer(realm, alice.regdevid, "00" * 32, alice.impi, firmware="6")[0] == 404
    for bad in ({}, {"firmware": 7}, {"make": "Evil"}, {"firmware": "6", "status": "white"}):
        assert answer(realm, alice.regdevid, one["challenge"], alice.impi, **bad)[0] == 422
    assert api.good("GET", "/v1/interrogations/" + asked["id"], None, shop)["state"] == "waiting"
    assert answer(realm, alice.regdevid, one["challenge"], alice.impi, firmware="6")[0] == 201
    assert answer(realm, alice.regdevid, one["challenge"], alice.impi, firmware="6")[0] == 409
    assert answer(realm, alice.regdevid, one["challenge"], alice.impi, firmware="5")[0] == 409
    assert api.check(api.good("GET", "/v1/interrogations/" + asked["id"], None, shop))["parameters"] == {"firmware": "6"}


def test_a_report_is_told_that_questions_wait(realm, api, meter, shop):
    realm.change("DELETE FROM interrogation")
    report = {"regdevid": meter, "seq": 2, "cause": "periodic"}
    assert "challenges" not in realm.door().ask("POST", "/report", report, OTHER)[1]
    asked = interrogate(api, shop, meter)
    status, told = realm.door().ask("POST", "/report", {**report, "seq": 3}, OTHER)
    assert status == 201 and told["challenges"] == 1
    challenge = waiting(realm, meter, OTHER)[0]["challenge"]
    assert answer(realm, meter, challenge, OTHER, power="mains")[0] == 201
    assert api.check(api.good("GET", "/v1/interrogations/" + asked["id"], None, shop))["parameters"] == {"power": "mains"}


@pytest.mark.parametrize("how", ["answer", "report"])
def test_answered_by_itself(realm, api, alice, shop, tmp_path, how):
    """gba-ue stays: it looks for questions, or learns of them when it reports."""
    realm.change("DELETE FROM interrogation")
    now = tmp_path / "now.json"
    now.write_text('{"power": "battery"}')
    more = ["--power", "battery", "--every", "1"] if how == "answer" else ["--watch", str(now)]
    asked = interrogate(api, shop, alice.regdevid)
    process = subprocess.Popen([realm.tree.program("gba-ue"), "--state", alice.state, how, *there(realm), *more], stdout=subprocess.PIPE,
                               text=True, env=dict(os.environ, **realm.tree.environment()))
    try:
        told = until(lambda: (lambda a: a if "answer" in a else None)(api.good("GET", "/v1/interrogations/" + asked["id"], None, shop)))
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)
    assert api.check(told)["parameters"]["power"] == "battery" and process.returncode == 0


def prove(api, token, asked, subject, mine, demand, want=200, seed=SEED):
    signature = jose.sign(seed, ("gba-device-challenge %s %s %s" % (subject, mine, demand)).encode()).hex()
    status, told = api.call("POST", "/v1/interrogations/%s/proof" % asked["id"], {"signature": signature}, token)
    assert status == want, told
    return signature


def test_the_device_challenges_who_asks(realm, api, alice, shop):
    """REQ: Y3059-9.3-iii: nothing is told before the holder of the enquirer's key has signed the device's own challenge; a session alone, or
    what was signed before, does not do."""
    realm.change("DELETE FROM interrogation")
    mine, signed = nonce(), []
    for _ in range(2):
        mine = nonce()
        asked = api.good("POST", "/v1/interrogations", {"value": alice.regdevid, "nonce": mine}, shop, 201)
        path = "/v1/interrogations/" + asked["id"]
        prove(api, shop, asked, alice.regdevid, mine, "00" * 32, 409)  # nothing is demanded yet
        assert alice.must("answer", *there(realm), "--demand-proof")["answered"] == 0
        told = api.good("GET", path, None, shop)
        assert told["state"] == "challenged" and len(told["demand"]) == 64
        assert alice.must("answer", *there(realm), "--demand-proof")["answered"] == 0  # not yet; and the same demand again
        assert api.good("GET", path, None, shop) == told
        assert api.call("POST", path + "/proof", {"signature": "00" * 64}, shop)[0] == 403
        for old in signed:
            assert api.call("POST", path + "/proof", {"signature": old}, shop)[0] == 403  # a replay
        prove(api, shop, asked, alice.regdevid, mine, told["demand"], 403, STRANGER)
        prove(api, shop, asked, alice.regdevid, mine, "00" * 32, 403)
        signed.append(prove(api, shop, asked, alice.regdevid, mine, told["demand"]))
        prove(api, shop, asked, alice.regdevid, mine, told["demand"], 409)  # once
        assert api.good("GET", path, None, shop)["state"] == "waiting"
        assert alice.must("answer", *there(realm), "--demand-proof", "--power", "mains")["answered"] == 1
        payload = api.check(api.good("GET", path, None, shop))
        assert payload["state"] == "answered" and payload["parameters"]["power"] == "mains"
        assert payload["enquirer_proved"] == {"demand": told["demand"], "signature": signed[-1]}


def test_the_device_answers_those_it_knows(realm, api, alice, shop):
    """A key of its own list, not whomever the registry has approved; and what the registry passes on is verified by the device itself."""
    realm.change("DELETE FROM interrogation")
    mine = nonce()
    asked = api.good("POST", "/v1/interrogations", {"value": "urn:regdevid:" + alice.regdevid, "nonce": mine}, shop, 201)
    stranger, known = (["--enquirer", jose.public_of(seed).hex()] for seed in (STRANGER, SEED))
    assert alice.must("answer", *there(realm), *stranger)["answered"] == 0
    demand = api.good("GET", "/v1/interrogations/" + asked["id"], None, shop)["demand"]
    signature = prove(api, shop, asked, "urn:regdevid:" + alice.regdevid, mine, demand)
    assert alice.ue("answer", *there(realm), *stranger)[0] == 4
    realm.change("UPDATE interrogation SET proof = ?", "00" * 64)
    assert alice.ue("answer", *there(realm), *known)[0] == 4
    realm.change("UPDATE interrogation SET proof = ?", signature)
    assert alice.must("answer", *there(realm), *stranger, *known)["answered"] == 1


def test_a_demand_at_the_door(realm, api, meter, shop):
    realm.change("DELETE FROM interrogation")
    interrogate(api, shop, meter)
    challenge = waiting(realm, meter, OTHER)[0]["challenge"]

    def demand(text, impi=OTHER, regdevid=meter, challenge=challenge, **more):
        return realm.door().ask("POST", "/challenge", {"regdevid": regdevid, "challenge": challenge, "demand": text, **more}, impi)[0]

    for wrong in ("", "00" * 31, "zz" * 32):
        assert demand(wrong) == 422
    assert demand("01" * 32, more=1) == 422
    assert demand("01" * 32, challenge="00" * 32) == demand("01" * 32, IMPI) == 404
    assert demand("01" * 32) == demand("01" * 32) == 201
    assert demand("02" * 32) == 409
    assert answer(realm, meter, challenge, OTHER, power="mains")[0] == 201  # the device's own affair
    assert demand("01" * 32) == 409


def test_published_roots_are_those_of_the_configuration(api):
    roots = api.good("GET", "/.well-known/gba-registry", token=None)["roots_of_trust"]
    assert "none" in roots and "tpm" in roots  # root-of-trust = "grey"


def test_no_answer_and_no_device_look_the_same(realm, api, alice, shop):
    """Bounded, and over after its time, with a state that is signed, too."""
    realm.change("UPDATE interrogation SET expires = 1000 WHERE answered = 0")
    there_, gone = interrogate(api, shop, alice.regdevid), interrogate(api, shop, "IN1-NOBODY")
    assert set(there_) == set(gone) and there_["state"] == gone["state"] == "waiting"
    challenge = waiting(realm, alice.regdevid, alice.impi)[0]["challenge"]
    for _ in range(14):
        interrogate(api, shop, "IN1-NOBODY")
    interrogate(api, shop, "IN1-NOBODY", 409)
    realm.change("UPDATE interrogation SET expires = asked WHERE answered = 0")
    ended = [api.check(api.good("GET", "/v1/interrogations/" + one["id"], None, shop)) for one in (there_, gone)]
    assert [one["state"] for one in ended] == ["expired"] * 2 and set(ended[0]) == set(ended[1]) and "parameters" not in ended[0]
    assert answer(realm, alice.regdevid, challenge, alice.impi, firmware="6")[0] == 409
    assert waiting(realm, alice.regdevid, alice.impi) == []
