# SPDX-License-Identifier: Apache-2.0
"""The asymmetric change (Y.3056 10.6.2) up to the device: the old operator's signature, judged by openssl and by the USIM."""
import base64
import subprocess

import pytest

from lab.operators import request_change
from peers.key_update import Reader

ED25519_SPKI = bytes.fromhex("302a300506032b6570032100")
UNPROVED = 6


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
def offered(operators, traveller):
    """An asymmetric change whose update the old operator has signed; the card has the old operator's key as its anchor."""
    old, new = operators
    traveller.ue("usim", "set", "--anchor", old.public_key)
    change, impi = request_change(new, traveller, traveller.index, "asymmetric")
    new.verify(impi)
    new.change("approve", change)
    new.wait_state(change, "offered")
    yield change, impi, base64.b64decode(new.change("update", change))
    if new.state_of(change) == "offered":
        new.change("cancel", change)
        new.wait_state(change, "cancelled")


def test_the_old_operator_signs_for_the_new_one(operators, traveller, offered, tmp_path):
    """REQ: Y3056-10.6.2-1, Y3056-10.6.2-2, OBF-12.3-1, OBF-12.3-2, OBF-12.3-3"""
    old, new = operators
    change, impi, message = offered
    found = parsed(message)
    assert (found["change"], found["old"], found["new"]) == (change, old.n.realm, new.n.realm)
    assert (found["device"], found["impi"], found["bsf"], found["key"]) == (traveller.impi, impi, new.n.bsf, new.public_key)
    assert verifies(tmp_path, bytes.fromhex(old.public_key)[:32], found["signed"], found["signature"])
    assert not verifies(tmp_path, bytes.fromhex(new.public_key)[:32], found["signed"], found["signature"])


def test_not_before_kyc(operators, traveller):
    """REQ: Y3056-10.6.2-2, OBF-12.3-2"""
    old, new = operators
    change, _ = request_change(new, traveller, traveller.index, "asymmetric")
    assert "no device" in new.change("approve", change, want=4)
    new.change("cancel", change)


def test_the_card_believes_its_operator_only(operators, traveller, offered):
    """Only the old operator's word replaces its key in the card, and only once. REQ: Y3056-10.6.2-3, OBF-12.3-4"""
    old, new = operators
    _, impi, message = offered

    def take(octets, want=0):
        return traveller.ue("update", "-", "--profile", "new", "--connect", new.address("bsf") + ":80", "--only-take",
                            stdin=base64.b64encode(octets).decode(), want=want)
    for at in (20, 60, len(message) - 100, len(message) - 1):
        with pytest.raises(RuntimeError):
            take(message[:at] + bytes([message[at] ^ 1]) + message[at + 1:])
    assert traveller.usim()["anchor"] == old.public_key[:64]
    take(message)
    card = traveller.usim()
    assert card["anchor"] == new.public_key[:64] and card["operator"] == new.n.realm and card["impi"] == impi
    take(message)  # once more changes nothing: its counter is used
    assert traveller.usim() == card
    assert traveller.bootstrap()["profile"] == "old", "the old realm serves as long as the new one does not"


def test_an_anchor_of_somebody_else(operators, traveller, offered):
    """REQ: Y3056-10.6.2-3"""
    traveller.ue("usim", "set", "--anchor", "ab" * 32)
    traveller.ue("update", "-", "--only-take", stdin=base64.b64encode(offered[2]).decode(), want=UNPROVED)
    assert traveller.usim()["anchor"] == "ab" * 32
