# SPDX-License-Identifier: Apache-2.0
"""Change of operator with certificates (Y.3056 10.6.2) between two real operators; signatures and certificates judged by openssl."""
import base64
import hashlib
import json
import subprocess

import pytest

from changing import UNPROVED, Asymmetric, finish, in_order, kill, offer, request, restart, steps_of, update_words
from lab.operators import OPC, Traveller
from lab.process import wait_until
from peers.device_pki import Pki, ask
from peers.key_update import Reader
from peers.waiting import until

ED25519_SPKI = bytes.fromhex("302a300506032b6570032100")


def verifies(folder, public, text, signature):
    """Does openssl take this signature of this key?"""
    for name, octets in (("key.der", ED25519_SPKI + public), ("text", text), ("sig", signature)):
        (folder / name).write_bytes(octets)
    done = subprocess.run(["openssl", "pkeyutl", "-verify", "-rawin", "-pubin", "-keyform", "DER", "-inkey", str(folder / "key.der"), "-in",
                           str(folder / "text"), "-sigfile", str(folder / "sig")], capture_output=True)
    return done.returncode == 0


def parsed(message):
    r = Reader(message)
    assert r.take(4) == b"GKU1" and r.take(1) == b"\2"
    found = {"counter": int.from_bytes(r.take(8), "big"), "change": r.take(16).hex(), "old": r.field().decode(), "new": r.field().decode(),
             "device": r.field().decode(), "signer": r.take(8), "key": r.take(64).hex(), "bsf": r.field().decode(),
             "impi": r.field().decode()}
    found["signed"], found["signature"] = message[:r.at], message[r.at:]
    return found


@pytest.fixture
def offered(operators, certified):
    """A change whose update the old operator has signed."""
    change, impi, message = offer(operators, certified, Asymmetric)
    yield change, impi, base64.b64decode(message)
    new = operators[1]
    if new.state_of(change) in ("offered", "shown", "released"):
        new.change("cancel", change)
        new.wait_state(change, "cancelled")


def issuer(der):
    return subprocess.run(["openssl", "x509", "-inform", "DER", "-noout", "-issuer", "-pubkey"], input=der, capture_output=True,
                          check=True).stdout.decode()


def steps_in_order(operators, certified, impi):
    """As the clause has them; the notices come after the first token."""
    assert until(lambda: in_order(operators, "10.6.2", ("1", "2", "3", "4", "4n", "5", "6"), impi, certified.impi)), \
        steps_of(operators, impi, certified.impi)


def test_the_whole_change(operators, certified):
    """REQ: Y3056-10.6-1, Y3056-10.6.2-1, Y3056-10.6.2-2, Y3056-10.6.2-3, Y3056-10.6.2-4, Y3056-10.6.2-4n, Y3056-10.6.2-5,
    Y3056-10.6.2-6, Y3056-9.3-5, OBF-12.3-1, OBF-12.3-2, OBF-12.3-3, OBF-12.3-4, OBF-12.3-5"""
    old, new = operators
    before = base64.b64decode(old.change("certificate", certified.impi))
    change, impi, done = finish(operators, certified, Asymmetric)
    assert done["final"] and done["btid"].endswith(new.n.bsf) and certified.active() == "new"
    new.wait_state(change, "done")
    old.wait_state(change, "left")
    now = base64.b64decode(new.change("certificate", impi))
    shown = certified.usim()["certificate-digest"]  # it came with the answer to its first run there, as the HSS has it
    assert shown == hashlib.sha256(now).hexdigest() != hashlib.sha256(before).hexdigest()
    assert issuer(before).split("\n", 1)[1] == issuer(now).split("\n", 1)[1], "the device's key is the same"
    assert "operator 1" in issuer(before) and "operator 2" in issuer(now), "the new operator has issued a certificate for it"
    card = certified.usim()
    assert (card["operator"], card["impi"], card["anchor"]) == (new.n.realm, impi, new.public_key[:64]) and "previous-impi" not in card
    assert not old.has_subscriber(certified.impi) and new.has_subscriber(impi)
    assert not old.rows("SELECT 1 FROM change_device WHERE certificate = ?", before), "nothing of the device is left with the old operator"
    assert new.rows("SELECT count(*) FROM notice WHERE body LIKE ?", "%" + change + "%")[0][0] == 1
    assert new.rows("SELECT former FROM change_device WHERE certificate = ?", now)[0][0] in (None, before)
    steps_in_order(operators, certified, impi)
    certified.bootstrap()
    assert new.rows("SELECT former FROM change_device WHERE certificate = ?", now)[0][0] is None, "the one it came with is of no use any more"
    certified.ue("profile", "add", "back", "--bsf", old.n.bsf, *old.by_certificate(), "--impi", certified.impi)
    certified.ue("profile", "use", "back")
    certified.ue("bootstrap", want=4)


def test_and_on_to_a_third_token(operators, certified):
    """What the device has from the change carries it on: another change, back to where it came from."""
    old, new = operators
    change, impi, _ = finish(operators, certified, Asymmetric)
    new.wait_state(change, "done")
    certified.operator, certified.impi = new, impi
    back, impi, message = offer((new, old), certified, Asymmetric)
    done = certified.ue(*update_words((new, old), Asymmetric, "--profile", "home", "--wait", "30"), stdin=message)
    assert done["final"] and done["btid"].endswith(old.n.bsf)
    old.wait_state(back, "done")
    assert certified.usim()["impi"] == impi and not new.has_subscriber(certified.impi)


def test_the_old_operator_signs_for_the_new_one(operators, certified, offered, tmp_path):
    """REQ: Y3056-10.6.2-3, OBF-12.3-3"""
    old, new = operators
    change, impi, message = offered
    found = parsed(message)
    assert (found["change"], found["old"], found["new"]) == (change, old.n.realm, new.n.realm)
    assert (found["device"], found["impi"], found["bsf"], found["key"]) == (certified.impi, impi, new.n.bsf, new.public_key)
    assert verifies(tmp_path, bytes.fromhex(old.public_key)[:32], found["signed"], found["signature"])
    assert not verifies(tmp_path, bytes.fromhex(new.public_key)[:32], found["signed"], found["signature"])


def test_not_before_kyc(operators, certified):
    """REQ: Y3056-10.6.2-2, OBF-12.3-2"""
    old, new = operators
    change, _ = request(operators, certified, Asymmetric)
    assert "no device" in new.change("approve", change, want=4)
    assert not old.rows("SELECT 1 FROM operator_change WHERE change_id = ?", change)
    new.change("cancel", change)


def test_the_card_believes_its_operator_only(operators, certified, offered):
    """Only the old operator's word replaces its key in the card, and only once. REQ: Y3056-10.6.2-3, OBF-12.3-4"""
    old, new = operators
    _, impi, message = offered

    def take(octets, want=0):
        return certified.ue(*update_words(operators, Asymmetric, "--only-take"), stdin=base64.b64encode(octets).decode(), want=want)
    for at in (20, 60, len(message) - 100, len(message) - 1):
        with pytest.raises(RuntimeError):
            take(message[:at] + bytes([message[at] ^ 1]) + message[at + 1:])
    assert certified.usim()["anchor"] == old.public_key[:64]
    take(message)
    card = certified.usim()
    assert card["anchor"] == new.public_key[:64] and card["operator"] == new.n.realm and card["impi"] == impi
    certified.ue("profile", "remove", "new")  # as if the device had been killed in between
    assert certified.bootstrap()["profile"] == "old", "the old realm knows it by its old identity"
    take(message)  # once more changes nothing: its counter is used
    assert certified.usim() == card


def test_an_anchor_of_somebody_else(operators, certified, offered):
    """REQ: Y3056-10.6.2-3"""
    certified.ue("usim", "set", "--anchor", "ab" * 32)
    certified.ue("update", "-", "--only-take", stdin=base64.b64encode(offered[2]).decode(), want=UNPROVED)
    assert certified.usim()["anchor"] == "ab" * 32


def test_another_device_does_not_get_in(operators, certified, offered, tmp_path):
    """Who names the new identity with a certificate of its own: the old operator does not know it as this device's, nothing is released,
    and the device itself is not kept out. REQ: Y3056-10.6.2-4"""
    old, new = operators
    change, impi, message = offered
    other = Traveller(old, 600 + certified.index).enrol()
    key, csr = str(tmp_path / "key"), str(tmp_path / "csr")
    subprocess.run(["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out", csr,
                    "-subj", "/CN=thief"], check=True, capture_output=True)
    issued = json.loads(old.ctl("--json", "ca", "issue", "thief", "--ca-dir", old.ca_dir, "--csr", csr, "--for", "device:" + other.impi))
    (tmp_path / "cert").write_text(issued["certificate"])
    place = (new.address("bsf"), 443)
    assert ask(place, (str(tmp_path / "cert"), key), impi).status == 503
    wait_until(lambda: "certificate not good" in open(old.path("hss.log"), encoding="utf-8").read(), 30, "the old operator refuses")
    assert not new.rows("SELECT 1 FROM change_device c JOIN subscriber s ON s.id = c.id WHERE s.impi = ? AND c.certificate IS NOT NULL", impi)
    assert ask(place, (str(tmp_path / "cert"), key), impi).status == 503
    stranger = Pki(tmp_path / "stranger").issue("stranger")
    assert ask(place, stranger, impi).status == 403
    done = certified.ue(*update_words(operators, Asymmetric, "--wait", "30"), stdin=base64.b64encode(message).decode())
    assert done["final"] and done["btid"].endswith(new.n.bsf)


def test_given_up_after_a_token_nobody_heard_of(operators, certified):
    """The device has the new operator's certificate and a token; the BSF's word of it does not get through, and the new operator gives
    up: the device goes back, with what the old one knows."""
    old, new = operators
    change, impi, message = offer(operators, certified, Asymmetric)
    new.bsf_may = [app for app in new.bsf_may if app != OPC]
    try:
        kill((new, "hss"))
        restart((new, "hss"))
        certified.ue(*update_words(operators, Asymmetric, "--only-take"), stdin=message)
        wait_until(lambda: certified.bootstrap()["profile"] == "new", 90, "a token of the new realm")
        assert new.state_of(change) == "released"
        card = certified.usim()
        assert card["previous-operator"] == old.n.realm and [p["name"] for p in certified.ue("profile", "list")] == ["old", "new"]
        new.change("cancel", change)
        old.wait_state(change, "returned")
    finally:
        new.bsf_may = new.bsf_may + [OPC]
        kill((new, "hss"))
        restart((new, "hss"))
    assert certified.bootstrap()["profile"] == "old" and not new.has_subscriber(impi)
    card = certified.usim()
    assert (card["operator"], card["impi"], card["anchor"]) == (old.n.realm, certified.impi, old.public_key[:64])
    assert "previous-operator" not in card and certified.bootstrap()["profile"] == "old"


def test_unknown_to_the_old_operator(operators, certified):
    """A device without a record there, or without certificate: refused, nothing is left of it at the new one."""
    old, new = operators
    stranger = Traveller(old, 800 + certified.index)
    for device, state in ((stranger, "refused"),):
        change, impi = request(operators, device, Asymmetric)
        new.verify(impi)
        new.change("approve", change)
        new.wait_state(change, state)
        assert not new.has_subscriber(impi)
