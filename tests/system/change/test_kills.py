# SPDX-License-Identifier: Apache-2.0
"""Nodes and device killed (SIGKILL) at every step of a change of operator: it ends fully new, or fully old when it was given up;
never neither, never both."""
import json
import os
import subprocess
import time

from changing import (HELD, LEFT, OFFERED, RELEASED, SHOWN, Asymmetric, Symmetric, kill, offer, only_in, reached, request, restart,
                      state_at_rest, update_words)
from lab.process import wait_until


def test_forward(operators, traveller):
    """REQ: Y3056-10.6-1, Y3056-10.6.1-5"""
    old, new = operators
    change, impi = request(operators, traveller, Symmetric)
    new.verify(impi)
    kill((new, "hss"))  # requested
    restart((new, "hss"))
    assert new.state_of(change) == "requested"
    kill((old, "hss"))  # verified, and nobody to ask
    new.change("approve", change)
    wait_until(lambda: new.state_of(change) == "verified", 30, "verified")
    kill((new, "hss"))
    restart((old, "hss"), (new, "hss"))
    reached(old, change, HELD)
    kill((new, "hss"), (old, "hss"))  # the answer is on its way, or not yet
    assert state_at_rest(new, change) in (1, OFFERED)
    restart((old, "hss"), (new, "hss"))
    new.wait_state(change, "offered")
    message = new.change("update", change)
    kill((new, "hss"), (new, "bsf"))  # offered
    options = update_words(operators, Symmetric, "--wait", "0")
    assert traveller.ue(*options, stdin=message)["profile"] == "old", "the old realm serves while the new one is away"
    restart((new, "hss"), (new, "bsf"))
    kill((old, "hss"))  # nobody to tell of the first token
    assert traveller.ue(*options, stdin=message)["profile"] == "new"
    new.wait_state(change, "confirmed")
    assert old.has_subscriber(traveller.impi), "not erased before it is told"
    kill((new, "hss"))  # confirmed
    restart((old, "hss"), (new, "hss"))
    reached(old, change, LEFT)
    kill((old, "hss"))
    restart((old, "hss"))
    new.wait_state(change, "done")
    only_in(traveller, new, old, impi, traveller.impi)
    assert traveller.usim()["operator"] == new.n.realm and [p["name"] for p in traveller.ue("profile", "list")] == ["new"]


def test_forward_with_certificates(operators, certified):
    """The same, and at the steps that only this kind has. REQ: Y3056-10.6-1, Y3056-10.6.2-4, Y3056-10.6.2-5"""
    old, new = operators
    change, impi, message = offer(operators, certified, Asymmetric)
    kill((new, "hss"), (new, "bsf"))  # offered
    certified.ue(*update_words(operators, Asymmetric, "--only-take"), stdin=message)
    assert certified.bootstrap()["profile"] == "old", "the old realm serves while the new one is away"
    restart((new, "hss"), (new, "bsf"))
    kill((old, "hss"))  # the device has shown its certificate, and nobody to ask for it

    def shown():
        certified.ue("bootstrap", "--force", "--timeout", "2", want=None)
        return state_at_rest(new, change) == SHOWN
    wait_until(shown, 90, "the device has shown its certificate")
    kill((new, "hss"))
    restart((old, "hss"), (new, "hss"))
    reached(new, change, RELEASED)
    kill((new, "hss"))  # the certificate is here, no token yet
    restart((new, "hss"))
    kill((old, "hss"))  # nobody to tell of the first token
    assert certified.bootstrap()["profile"] == "new"
    new.wait_state(change, "confirmed")
    assert old.has_subscriber(certified.impi), "not erased before it is told"
    kill((new, "hss"))  # confirmed
    restart((old, "hss"), (new, "hss"))
    reached(old, change, LEFT)
    kill((old, "hss"))
    restart((old, "hss"))
    new.wait_state(change, "done")
    only_in(certified, new, old, impi, certified.impi)
    card = certified.usim()
    assert card["operator"] == new.n.realm and "previous-impi" not in card
    assert [p["name"] for p in certified.ue("profile", "list")] == ["new"]


def test_backward(operators, mover, how):
    """Given up with nobody to tell, and killed: told later."""
    old, new = operators
    change, impi, message = offer(operators, mover, how)
    mover.ue(*update_words(operators, how, "--only-take"), stdin=message)
    kill((old, "hss"))
    new.change("cancel", change)
    assert new.state_of(change) == "cancelling" and not new.has_subscriber(impi)
    kill((new, "hss"))
    restart((old, "hss"), (new, "hss"))
    new.wait_state(change, "cancelled")
    assert old.state_of(change) == "returned"
    only_in(mover, old, new, mover.impi, impi)
    card = mover.usim()
    assert card["operator"] == old.n.realm and card["impi"] == mover.impi and mover.active() == "old"
    assert mover.bootstrap()["profile"] == "old"


def test_the_device_is_killed(operators, mover, how):
    """gba-ue dies again and again while it changes; what it does at last is the change."""
    old, new = operators
    change, impi, message = offer(operators, mover, how)
    command = [new.tree.program("gba-ue"), "--state", mover.state, "--json", *update_words(operators, how, "--wait", "30")]
    environment = dict(os.environ, **new.tree.environment())
    for delay in (0.002, 0.004, 0.008, 0.012, 0.018, 0.025, 0.035, 0.05, 0.07, 0.1):
        job = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment)
        job.stdin.write(message.encode())
        job.stdin.close()
        time.sleep(delay)
        job.kill()
        job.wait()
        assert len([p for p in mover.ue("profile", "list") if p["active"]]) == 1
        assert mover.usim()["impi"] in (mover.impi, impi)
    for _ in range(20):
        mover.bootstrap()
        card = mover.usim()
        if "pending-impi" not in card and "previous-impi" not in card and mover.active() == "new":
            break
        if new.state_of(change) in ("offered", "shown", "released"):
            subprocess.run(command, input=message, capture_output=True, text=True, env=environment, timeout=60)
        time.sleep(0.3)
    new.wait_state(change, "done")
    only_in(mover, new, old, impi, mover.impi)
    assert json.dumps(mover.usim()).count(mover.k) == 0
