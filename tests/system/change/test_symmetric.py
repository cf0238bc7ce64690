# SPDX-License-Identifier: Apache-2.0
"""Change of operator with symmetric keys (Y.3056 10.6.1) between two real operators."""
import os

import pytest

from changing import Symmetric, finish, in_order, kill, offer, restart, steps_of, update_words
from conftest import TREE
from lab.operators import request_change, two_operators
from peers.waiting import until


def test_the_whole_change(operators, traveller):
    """REQ: Y3056-10.6-1, Y3056-10.6.1-1, Y3056-10.6.1-2, Y3056-10.6.1-3, Y3056-10.6.1-4, Y3056-10.6.1-4n, Y3056-10.6.1-5,
    Y3056-10.6.1-6, OBF-12.4-1, OBF-12.4-2, OBF-12.4-3, OBF-12.4-4, OBF-9.1-1"""
    # REQ: Y3056-7.5-7, OBF-9.2.2-1, OBF-I.2.1-2, TEC-A4-rot-8
    old, new = operators
    before = old.transfer_keys()
    change, impi, done = finish(operators, traveller, Symmetric)
    assert done["final"] and done["btid"].endswith(new.n.bsf) and traveller.active() == "new"
    new.wait_state(change, "done")
    old.wait_state(change, "left")
    card = traveller.usim()
    assert card["operator"] == new.n.realm and card["impi"] == impi and "pending-impi" not in card
    assert card["k"] != traveller.k, "the old key is gone from the device"
    assert not old.has_subscriber(traveller.impi) and new.has_subscriber(impi)
    assert old.transfer_keys() == before - 1, "the old operator has erased what it had"
    assert new.rows("SELECT count(*) FROM notice WHERE body LIKE ?", "%" + change + "%")[0][0] == 1
    traveller.ue("profile", "add", "back", "--bsf", old.n.bsf, "--connect", old.address("bsf") + ":80", "--impi", traveller.impi)
    traveller.ue("profile", "use", "back")
    traveller.ue("bootstrap", want=4)
    traveller.ue("profile", "use", "new")
    assert traveller.bootstrap()["profile"] == "new"


def test_the_steps_are_in_the_trace(operators, traveller):
    """Every step is labelled with its clause, the notices come after the first token. REQ: Y3056-10.6.1-5, Y3056-10.6.1-6"""
    old, new = operators
    change, impi, _ = finish(operators, traveller, Symmetric)
    new.wait_state(change, "done")
    assert until(lambda: in_order(operators, "10.6.1", "123456", impi, traveller.impi)), steps_of(operators, impi, traveller.impi)


MISSING = [("nothing", None, "no device with a custodian"), ("level", dict(level=0), "not verified"), ("device", dict(authenticated=False), "not authenticated")]


@pytest.mark.parametrize("name,records,text", MISSING, ids=[row[0] for row in MISSING])
def test_no_key_is_asked_for_before_kyc(operators, traveller, name, records, text):
    """REQ: Y3056-10.6.1-2, OBF-12.4-3"""
    old, new = operators
    change, impi = request_change(new, traveller, traveller.index)
    if records is not None:
        new.verify(impi, **records)
    assert text in new.change("approve", change, want=4)
    assert new.state_of(change) == "requested" and not old.rows("SELECT 1 FROM operator_change WHERE change_id = ?", change)
    new.change("update", change, want=1)
    new.change("cancel", change)
    assert new.state_of(change) == "cancelled" and not new.has_subscriber(impi)


def test_records_removed_after_the_approval_end_it(operators, traveller):
    """The node looks once more before it asks. The mapping function's own row goes between approval and question."""
    import sqlite3
    old, new = operators
    change, impi = request_change(new, traveller, traveller.index)
    new.verify(impi)
    database = sqlite3.connect(new.path("hss.db"), timeout=20)
    database.execute("UPDATE operator_change SET state = 1 WHERE change_id = ?", (change,))
    database.execute("DELETE FROM device WHERE impi = ?", (impi,))
    database.commit()
    database.close()
    new.wait_state(change, "refused")
    assert not new.has_subscriber(impi) and old.has_subscriber(traveller.impi)


def test_cancelled_before_the_first_token(operators, traveller):
    """Both are as before: the old operator serves, the new one has nothing of it left."""
    old, new = operators
    change, impi, message = offer(operators, traveller, Symmetric)
    assert old.state_of(change) == "held"
    new.change("cancel", change)
    new.wait_state(change, "cancelled")
    old.wait_state(change, "returned")
    assert not new.has_subscriber(impi)
    done = traveller.ue(*update_words(operators, Symmetric, "--wait", "0"), stdin=message)
    assert done["profile"] == "old" and traveller.active() == "old"
    assert traveller.usim()["k"] == traveller.k and traveller.bootstrap()["profile"] == "old"


def test_given_up_after_a_token_nobody_heard_of(operators, traveller):
    """The device has a token of the new realm, the new operator gives up all the same: the device goes back."""
    old, new = operators
    change, impi, message = offer(operators, traveller, Symmetric)
    traveller.ue(*update_words(operators, Symmetric, "--only-take"), stdin=message)
    new.change("cancel", change)
    old.wait_state(change, "returned")
    assert traveller.bootstrap()["profile"] == "old" and old.has_subscriber(traveller.impi) and not new.has_subscriber(impi)


def test_what_is_final_cannot_be_cancelled(operators, traveller):
    old, new = operators
    change, _, _ = finish(operators, traveller, Symmetric)
    new.wait_state(change, "done")
    new.change("cancel", change, want=1)
    assert new.state_of(change) == "done"
    assert "done" in [row["state"] for row in new.change("list")]


def test_unknown_device_and_card_without_transfer_key(operators, traveller):
    """The old operator says no; nothing is left of it at the new one."""
    old, new = operators

    class Stranger:
        impi, operator = "stranger@" + old.n.impi_realm, old
    for device, number in ((Stranger, 700), (None, 701)):
        if device is None:
            old.ctl("subscriber", "add", "plain@" + old.n.impi_realm, "--imsi", "001010000009999", "--k", "0" * 32, "--opc", "1" * 32)
            device = type("Plain", (), {"impi": "plain@" + old.n.impi_realm, "operator": old})
        change, impi = request_change(new, device, number)
        new.verify(impi)
        new.change("approve", change)
        new.wait_state(change, "refused")
        assert not new.has_subscriber(impi)


def test_requests_are_checked(operators, traveller):
    old, new = operators
    new.change("request", "no impi", "--from", old.n.realm, "--new-impi", "a@" + new.n.impi_realm, "--imsi", "001010000000001", want=2)
    new.change("request", traveller.impi, "--from", old.n.realm, want=2)
    new.change("show", "0" * 32, want=3)
    change, impi = request_change(new, traveller, traveller.index)
    new.change("request", traveller.impi, "--from", old.n.realm, "--new-impi", impi, "--imsi", "001010000000001", want=1)
    new.change("cancel", change)


def key_file(path):
    path.write_text(os.urandom(32).hex() + "\n")
    path.chmod(0o600)
    return str(path)


@pytest.fixture
def sharing(tmp_path):
    """Two operators who have agreed on a key of their own for what they hand over: `wrap = "shared-key"`."""
    pair = two_operators(str(tmp_path / "operators"), tree=TREE)
    key = key_file(tmp_path / "shared.key")
    with pair[0], pair[1]:
        for one, other in (pair, pair[::-1]):
            one.wrap[other.number] = key
            one.start()
        for one in pair:
            one.wait_connected()
        yield pair


def test_under_a_key_both_have(sharing, tmp_path):
    """The procedure between operators is what they agree on (10.6.1-3 note): AES key wrap under a shared key instead of X25519; with
    different keys nothing is taken. REQ: Y3056-10.6.1-3n, Y3056-10.6.1-3"""
    old, new = sharing
    change, impi, done = finish(sharing, Symmetric.device(old, 1), Symmetric)
    assert done["final"] and done["btid"].endswith(new.n.bsf)
    old.wait_state(change, "left")
    new.wrap[old.number] = key_file(tmp_path / "other.key")
    kill((new, "hss"))
    restart((new, "hss"))
    device = Symmetric.device(old, 2)
    change, impi = request_change(new, device, device.index)
    new.verify(impi)
    new.change("approve", change)
    new.wait_state(change, "cancelled", "refused")
    assert not new.has_subscriber(impi) and old.has_subscriber(device.impi) and device.bootstrap()["profile"] == "old"
