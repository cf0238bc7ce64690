# SPDX-License-Identifier: Apache-2.0
"""Change of operator as the device sees it: key updates made by an independent implementation, two BSFs that are not ours."""
import os
import subprocess

import pytest

from conftest import BSF, EXAMPLE, IMPI, K, OPC
from peers import key_update
from peers.fake_bsf import FakeBsf

OLD, NEW = "old.example.org", "new.example.net"
NEW_BSF, NEW_IMPI, NEW_IMSI = "bsf.new.example.net", "device@new.example.net", "001020000000009"
NEW_K, NEW_OPC = bytes(range(16)), bytes(range(16, 32))
OFFERED, FINAL = 0x02, 0x01
EXIT_UNPROVED = 6


def test_the_reference_is_right():
    """AES-256 of FIPS 197 C.3 and GCM test case 16 (McGrew and Viega, appendix B): what the tests below stand on."""
    assert key_update.aes(bytes(range(32)), bytes.fromhex("00112233445566778899aabbccddeeff")).hex() == \
        "8ea2b7ca516745bfeafc49904b496089"
    key = bytes.fromhex("feffe9928665731c6d6a8f9467308308" * 2)
    plain = bytes.fromhex("d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525"
                          "b16aedf5aa0de657ba637b39")
    sealed = key_update.gcm_encrypt(key, bytes.fromhex("cafebabefacedbaddecaf888"),
                                    bytes.fromhex("feedfacedeadbeeffeedfacedeadbeefabaddad2"), plain)
    assert sealed.hex().startswith("522dc1f099567d07f47f37a32a84427d") and sealed.hex().endswith("76fc6ece0f4e1768cddf8853bb2d551b")


class Amf:
    """Lets a FakeBsf put the bits of a change into AUTN."""

    def __init__(self, bsf, impi, bits):
        card = bsf.users[impi].card
        self.bits, plain = bits, card.vector
        card.vector = lambda rand, sqn: plain(rand, sqn, bytes([0, self.bits]))


@pytest.fixture
def realms(ue, bsf, tmp_path):
    """ue with a card of the old operator; both BSFs; nobody knows the new keys but the new BSF."""
    ue.transfer_key = os.urandom(32)
    with FakeBsf(NEW_BSF) as new:
        new.add(NEW_IMPI, NEW_K.hex(), NEW_OPC.hex())
        ue.new, ue.old, ue.amf = new, bsf, Amf(new, NEW_IMPI, OFFERED)
        ue.equip(bsf)
        ue.json("usim", "set", "--operator", OLD, "--transfer-key-file", "-", stdin=ue.transfer_key.hex().encode())
        ue.number = 0
        yield ue


def make(ue, counter=1, transfer_key=None, old=OLD, new=NEW, device=IMPI, kind=1, **change):
    head = key_update.head(kind, counter, bytes(16), old, new, device)
    content = dict(k=NEW_K, opc=NEW_OPC, transfer_key=bytes(32), bsf=NEW_BSF, impi=NEW_IMPI, imsi=NEW_IMSI)
    content.update(change)
    return key_update.symmetric(head, key_update.change_key(transfer_key or ue.transfer_key, head), **content)


def update(ue, message, *options, status=0):
    return ue.json("update", "-", "--profile", "next", "--connect", ue.new.address, *options, stdin=message, status=status)


def active(ue):
    return [row["name"] for row in ue.json("profile", "list") if row["active"]]


def test_the_whole_change(realms):
    """The first token in the new realm makes it the active one; when the new operator says so, the old keys are gone.
    REQ: Y3056-10.6.1-4, Y3056-10.6.1-4n, OBF-12.4-3"""
    ue = realms
    ue.json("bootstrap", "--naf", "naf.example.org")
    done = update(ue, make(ue), "--wait", "0")
    assert done["profile"] == "next" and done["btid"].endswith(NEW_BSF) and not done["final"]
    assert active(ue) == ["next"] and ue.json("usim", "show")["pending-impi"] == NEW_IMPI
    assert ue.json("usim", "show", "--reveal")["k"] == K, "the old key stays until the change is final"
    ue.amf.bits = FINAL
    assert ue.json("bootstrap", "--force")["profile"] == "next"
    shown = ue.json("usim", "show", "--reveal")
    assert shown["k"] == NEW_K.hex() and shown["opc"] == NEW_OPC.hex() and shown["operator"] == NEW and shown["impi"] == NEW_IMPI
    assert "pending-impi" not in shown and [row["name"] for row in ue.json("profile", "list")] == ["next"]
    assert all(row["profile"] == "next" for row in ue.json("token", "list")["realms"])
    ue.json("profile", "add", "again", "--bsf", BSF, "--connect", ue.old.address, "--impi", IMPI)
    ue.json("profile", "use", "again")
    assert ue.json("bootstrap", status=EXIT_UNPROVED)["error"] == "GBA_E_AKA_MAC", "the old key does not work any more"


def test_update_waits_until_it_is_final(realms):
    ue = realms
    count = []

    def on_request(handler, number):
        count.append(number)
        ue.amf.bits = FINAL if number > 4 else OFFERED
        return False
    ue.new.on_request = on_request
    assert update(ue, make(ue), "--wait", "20")["final"] and len(ue.new.order) >= 2


BAD = [
    ("wrong transfer key", dict(transfer_key=bytes(32)), "GBA_E_SIGNATURE"),
    ("another device", dict(device="other@ims.example"), "GBA_E_REALM"),
    ("another operator", dict(old="third.example"), "GBA_E_REALM"),
    ("counter zero", dict(counter=0), "GBA_E_REPLAY"),
    ("unusable key", dict(k=b"short"), "GBA_E_RANGE"),
    ("unusable name", dict(bsf="no name"), "GBA_E_RANGE"),
]


@pytest.mark.parametrize("name,change,error", BAD, ids=[row[0] for row in BAD])
def test_a_bad_update_changes_nothing(realms, name, change, error):
    """Connectivity is provisioned by its operator alone, under a key both have. REQ: Y3056-10.6.1-4, TEC-2.2.3-2"""
    before = realms.json("usim", "show", "--reveal")
    got = realms.json("update", "-", stdin=make(realms, **change), status={"GBA_E_RANGE": 2}.get(error, EXIT_UNPROVED))
    assert got["error"] == error
    assert realms.json("usim", "show", "--reveal") == before and active(realms) == ["home"]
    assert realms.json("bootstrap")["profile"] == "home"


def test_every_altered_octet_is_noticed(realms):
    message = make(realms)
    for at in range(0, len(message), 7):
        altered = message[:at] + bytes([message[at] ^ 0x40]) + message[at + 1:]
        done = realms.run("--json", "update", "-", "--only-take", stdin=altered)
        assert done.returncode in (2, EXIT_UNPROVED), (at, done.stdout)
    assert "pending-impi" not in realms.json("usim", "show")


def test_an_older_update_is_refused(realms):
    """REQ: Y3056-10.6.1-4"""
    realms.amf.bits = FINAL
    first = make(realms, counter=5)
    assert update(realms, first)["final"]
    assert update(realms, first, status=EXIT_UNPROVED)["error"] == "GBA_E_REALM", "the card is with another operator now"


def test_the_same_update_twice_is_taken_once(realms):
    message = make(realms, counter=5)
    update(realms, message, "--only-take")
    assert update(realms, message, "--wait", "0")["profile"] == "next"
    update(realms, make(realms, counter=4), "--wait", "0")
    assert realms.json("usim", "show")["counter"] == 5


def test_the_old_realm_serves_when_the_new_one_does_not(realms):
    """Nothing is lost when the new operator gives the change up, before the first token or after it."""
    ue = realms
    user = ue.new.users.pop(NEW_IMPI)
    assert update(ue, make(ue), "--wait", "0")["profile"] == "home" and active(ue) == ["home"]
    ue.new.users[NEW_IMPI] = user
    assert ue.json("bootstrap", "--force")["profile"] == "next" and active(ue) == ["next"]
    del ue.new.users[NEW_IMPI]
    assert ue.json("bootstrap", "--force")["profile"] == "home" and active(ue) == ["home"]
    assert ue.json("usim", "show", "--reveal")["k"] == K


def test_a_card_without_transfer_key(ue, bsf):
    ue.transfer_key = os.urandom(32)
    ue.equip(bsf)
    ue.json("usim", "set", "--operator", OLD)
    assert ue.json("update", "-", stdin=make(ue), status=1)["error"] == "GBA_E_UNSUPPORTED"


def test_gba_u_card_changes_too(ue, bsf):
    """Ks of the new realm stays in the card, too."""
    ue.transfer_key = os.urandom(32)
    with FakeBsf(NEW_BSF) as new:
        new.add(NEW_IMPI, NEW_K.hex(), NEW_OPC.hex(), gba_u=True)
        ue.new = new
        bsf.users[IMPI].gba_u = True
        ue.equip(bsf, gba_u=True)
        ue.json("usim", "set", "--operator", OLD, "--transfer-key-file", "-", stdin=ue.transfer_key.hex().encode())
        Amf(new, NEW_IMPI, FINAL)
        ue.json("bootstrap")
        done = update(ue, make(ue))
        assert done["final"] and ue.json("usim", "show")["btid"] == done["btid"]
