# SPDX-License-Identifier: Apache-2.0
"""The whole way: a simulated USIM bootstraps, opens PSK-TLS to the registry, registers, reports; gba-ue on one side, the registry on
the other, the operator's nodes between."""
import contextlib
import json
import os
import signal
import socket
import subprocess
import threading

import pytest
from registrylab import IMPI, REGISTRY_NAF, WholeRealm

from lab.realm import BSF
from peers import regdevid as oracle
from peers.waiting import until

luhn = lambda digits: digits + oracle.luhn(digits)
IMEI, MAC, IP6 = "490154203237518", "00:1b:63:84:45:e6", "2001:db8::1"
SAID = ["--kind", "phone", "--firmware", "1.0", "--software", "2.0", "--power", "battery", "--communication", "4g", "--communication", "wlan",
        "--protocol", "http"]


@pytest.fixture(scope="module")
def realm(tmp_path_factory):
    with WholeRealm(tmp_path_factory.mktemp("whole") / "realm") as whole:
        whole.start()
        yield whole


def there(realm):
    return ["--connect", realm.address("proxy") + ":443"]


@pytest.fixture(scope="module")
def alice(realm):
    device = realm.device("alice", "001010000000001")
    device.first = device.must(*realm.register_words(("imei", IMEI), *SAID))
    return device


def test_a_device_registers_by_its_token(realm, alice):
    """REQ: TEC-2.2-on-e, Y3059-6.1-4, Y3059-9.2-i-a, Y3059-9.2-ii-a, Y3059-9.2-ii-b, Y3059-8-2: keyed from a bootstrap token, the card's identity told."""
    want = oracle.regdevid("prefix", "IN1", "imei", IMEI)
    assert alice.first["regdevid"] == want and alice.first["state"] == "registered" and alice.first["urn"] == "urn:regdevid:" + want
    assert alice.must("registration")["regdevid"] == want  # another process, the same element
    with open(os.path.join(alice.state, next(n for n in os.listdir(alice.state) if n.startswith("registration-"))), "rb") as kept:
        assert want.encode() not in kept.read()  # sealed
    assert realm.rows("SELECT value FROM device_identity WHERE personal = 1") == [(alice.imsi,)]
    assert realm.rows("SELECT impi, state, root_of_trust FROM device WHERE regdevid = ?", want) == [(alice.impi, 2, 1)]
    again = alice.must(*realm.register_words(("imei", IMEI), *SAID))
    assert (again["regdevid"], again["serial"]) == (want, alice.first["serial"])


def test_what_authenticates_a_device_stays_between_it_and_its_operator(realm, alice):
    """REQ: TEC-2.2-6: its keys are in no file of the registry, nor of the agent and the proxy in front of it: database, logs, audit."""
    files = [name for name in os.listdir(realm.folder) if name.startswith(("registry", "proxy")) and os.path.isfile(realm.path(name))]
    assert {"registry.log", "registry.db"} <= set(files)
    for name in files:
        with open(realm.path(name), "rb") as file:
            text = file.read()
        for secret in (alice.k, alice.opc):
            assert not any(form in text for form in (bytes.fromhex(secret), secret.encode(), secret.upper().encode())), name


def test_reports_when_firmware_changes(realm, alice):
    """REQ: Y3059-9.2-ii-c, Y3059-9.2-ii-d, Y3059-9.3-iv-a, Y3059-9.4-i-b: later contact under the RegDevID; every attribute; nothing twice."""
    assert alice.must("report", *there(realm), "--changes-only", "--firmware", "1.0")["sent"] == 0
    sent = alice.must("report", *there(realm), "--firmware", "1.1", "--communication", "5g")
    assert sent["sent"] == 1 and sent["seq"] == 2
    assert alice.must("report", *there(realm))["seq"] == 3
    rows = realm.rows("SELECT seq, cause, body FROM report ORDER BY id")
    assert [row[:2] for row in rows[:3]] == [(1, 0), (2, 2), (3, 1)]
    first = json.loads(rows[0][2])
    assert {"make": "Acme", "model": "One", "root_of_trust": "soft-usim", "identity": IMEI, "firmware": "1.0", "software": "2.0",
            "communication": ["4g", "wlan"], "power": "battery", "protocols": ["http"]}.items() <= first.items()
    assert json.loads(rows[1][2])["firmware"] == "1.1"


def test_watched_changes_are_reported_by_themselves(realm, alice, tmp_path):
    """REQ: Y3059-9.3-iv-a: simulated firmware change triggers a report."""
    (tmp_path / "now.json").write_text('{"firmware": "2.0"}')
    process = subprocess.Popen([realm.tree.program("gba-ue"), "--state", alice.state, "report", *there(realm), "--watch",
                                str(tmp_path / "now.json")], stdout=subprocess.PIPE, text=True, env=dict(os.environ, **realm.tree.environment()))
    try:
        firmware = lambda: realm.rows("SELECT firmware FROM device WHERE identity = ?", IMEI)[0][0]
        assert until(lambda: firmware() == "2.0")
        (tmp_path / "now.json").write_text('{"firmware": "2.1"')
        (tmp_path / "now.json").write_text('{"firmware": "2.1"}')
        assert until(lambda: firmware() == "2.1")
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)
    assert process.returncode == 0


def test_identities_of_other_networks(realm):
    """REQ: Y3059-6.1-5, Y3059-8-4, Y3059-10-2: one registered by its MAC address, one by IPv6."""
    for name, imsi, identity in (("mac", "001010000000003", ("mac", MAC)), ("ip6", "001010000000004", ("ipv6", IP6))):
        device = realm.device(name, imsi)
        assert device.must(*realm.register_words(identity))["regdevid"] == oracle.regdevid("prefix", "IN1", *identity)


def test_who_is_refused(realm):
    """REQ: Y3059-6.1-2, Y3059-7-iii: the reason is told, nothing is kept on either side."""
    device = realm.device("bob", "001010000000002")
    before = realm.rows("SELECT count(*) FROM device")
    for words, status in ((realm.register_words(("imei", IMEI)), 4), (realm.register_words(("imei", "490154203237519")), 2),
                          (realm.register_words(("imei", "356938035643809"), "--root-of-trust", "none"), 4),
                          (realm.register_words(("imei", "356938035643809"), "--custodian", "nobody"), 4)):
        code, result, said = device.ue(*words)
        assert code == status and "the registry answers" in result["message"], (result, said)
    assert device.ue("registration")[0] == 3 and device.ue("report", *there(realm))[0] == 3
    assert realm.rows("SELECT count(*) FROM device") == before


def test_no_valid_bootstrap_no_registration(realm):
    """REQ: Y3059-8-2, Y3059-9.2-n: a subscriber the operator does not know, and a connection without PSK."""
    stranger = realm.device("eve", "001010000000009")
    realm.ctl("subscriber", "remove", stranger.impi, "--yes")
    code, result, _ = stranger.ue(*realm.register_words(("uuid", "f81d4fae-7dec-11d0-a765-00a0c91e6bf6")))
    assert code != 0 and result["message"]
    bare = subprocess.run(["openssl", "s_client", "-connect", realm.address("proxy") + ":443", "-servername", REGISTRY_NAF, "-brief"],
                          input="", capture_output=True, text=True, timeout=60, check=False)
    assert bare.returncode != 0
    assert realm.rows("SELECT count(*) FROM device WHERE scheme = 8") == [(0,)]


def test_nothing_is_keyed_without_the_card(realm):
    """REQ: Y3059-7-ii-a, TEC-A4-rot-13: what runs above the element has neither its keys nor a way around it: without the soft USIM, with
    another one in its place, and with all else that the device keeps there is no session and no registration."""
    device = realm.device("dora", "001010000000006")
    words, other = realm.register_words(("imei", luhn("35693803990001"))), realm.device("other", "001010000000007")
    card = next(name for name in os.listdir(device.state) if name.startswith("usim-"))
    path, away = os.path.join(device.state, card), realm.path("card-away")
    with open(path, "rb") as kept:
        octets = kept.read()
    assert bytes.fromhex(device.k) not in octets and device.k.encode() not in octets  # sealed in its file
    os.rename(path, away)
    code, result, said = device.ue(*words)
    assert code != 0 and result["message"], said
    with open(os.path.join(other.state, card), "rb") as kept:  # another subscription's card, sealed for another device
        octets = kept.read()
    with open(path, "wb") as out:
        out.write(octets)
    assert device.ue(*words)[0] != 0
    for key in ("00" * 32, device.k * 2):  # as a program would that knows what a NAF is told, and even K
        forged = subprocess.run(["openssl", "s_client", "-connect", realm.address("proxy") + ":443", "-servername", REGISTRY_NAF, "-psk", key,
                                 "-psk_identity", "3GPP-bootstrapping;AAAAAAAAAAAAAAAAAAAAAA==@" + BSF, "-cipher", "PSK", "-tls1_2", "-brief"],
                                input="", capture_output=True, text=True, timeout=60, check=False)
        assert forged.returncode != 0
    assert realm.rows("SELECT count(*) FROM device WHERE impi = ?", device.impi) == [(0,)]
    os.replace(away, path)
    done = device.must(*words)
    assert done["state"] == "registered"
    said = "".join(open(os.path.join(device.state, name), encoding="latin-1").read() for name in os.listdir(device.state)
                   if os.path.isfile(os.path.join(device.state, name)))
    assert device.k not in said and device.opc not in said


def test_registration_is_secured_as_y3056_says(realm):
    """REQ: Y3059-9-n: in a session that a bootstrap token keys and nowhere else: not in clear, not without PSK, not with a certificate's
    TLS, not past the application element; and in the session only ciphertext passes."""
    body = json.dumps({"scheme": "imei", "identity": luhn("35693803990002"), "make": "Acme", "model": "One", "root_of_trust": "usim"})
    address = realm.address("proxy")
    request = "POST /register HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n" \
              "X-3GPP-Asserted-Identity: \"%s\"\r\nConnection: close\r\n\r\n%s" % (REGISTRY_NAF, len(body), IMPI, body)
    with socket.create_connection((address, 443), 30) as bare:
        bare.sendall(request.encode())
        bare.settimeout(30)
        answer = b""
        with contextlib.suppress(OSError):
            while piece := bare.recv(4096):
                answer += piece
    assert b" 201 " not in answer
    for options in (["-tls1_3"], ["-tls1_2"], ["-tls1_2", "-cipher", "PSK", "-psk", "00" * 32, "-psk_identity", "x"]):
        done = subprocess.run(["openssl", "s_client", "-connect", address + ":443", "-servername", REGISTRY_NAF, "-quiet", *options],
                              input=request, capture_output=True, text=True, timeout=60, check=False)
        assert "201" not in done.stdout, done.stdout
    status, _ = realm.door().ask("POST", "/register", body, impi=None)  # the door itself: nobody vouches
    assert status == 401
    assert realm.rows("SELECT count(*) FROM device WHERE identity = ?", luhn("35693803990002")) == [(0,)]


def test_kills_on_both_sides_leave_one_identity(realm):
    """REQ: Y3059-7-iv-b, Y3059-9.2-ii-b: gba-ue or the registry ends at any moment; doing the same again repairs it."""
    device = realm.device("carol", "001010000000005")
    words = realm.register_words(("imei", "356938035643809"))
    for round_ in range(4):
        process = subprocess.Popen([realm.tree.program("gba-ue"), "--state", device.state, *words], stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL, env=dict(os.environ, **realm.tree.environment()))
        timer = threading.Timer(0.05 * (round_ + 1), process.kill)
        timer.start()
        process.wait(60)
        timer.cancel()
    realm.nodes["registry"].kill()
    realm.start_registry(extra="report-interval = 60;\n")

    def registered():
        code, result, _ = device.ue(*words)
        return result if code == 0 else None

    done = until(registered, 60)  # the agent's connection to the BSF has to come back, too
    assert done["regdevid"] == oracle.regdevid("prefix", "IN1", "imei", "356938035643809")
    assert realm.rows("SELECT count(*) FROM device WHERE identity = '356938035643809'") == [(1,)]
    assert realm.told().count(done["regdevid"]) == 1
    assert device.must("registration")["serial"] == done["serial"]
