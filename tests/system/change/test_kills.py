# SPDX-License-Identifier: Apache-2.0
"""Nodes and device killed (SIGKILL) at every step of a change of operator: it ends fully new, or fully old when it was given up;
never neither, never both."""
import json
import os
import subprocess
import time

from lab.operators import request_change
from lab.process import wait_until


def kill(*nodes):
    for operator, node in nodes:
        operator.nodes[node].kill()


def restart(*nodes):
    for operator, node in nodes:
        {"hss": operator.start_hss, "bsf": operator.start_bsf}[node]()
    for operator, _ in nodes:
        operator.wait_connected()


def state_at_rest(operator, change):
    """As the database has it, whether a node runs or not."""
    rows = operator.rows("SELECT state FROM operator_change WHERE change_id = ?", change)
    return rows[0][0] if rows else None


HELD, LEFT, CONFIRMED, OFFERED = 8, 9, 3, 2


def only_in(traveller, served, other, impi_served, impi_other):
    """Exactly one operator knows the device, and serves it."""
    assert served.has_subscriber(impi_served) and not other.has_subscriber(impi_other)
    assert traveller.bootstrap()["btid"].endswith(served.n.bsf)


def test_forward(operators, traveller):
    """REQ: Y3056-10.6-1, Y3056-10.6.1-5"""
    old, new = operators
    change, impi = request_change(new, traveller, traveller.index)
    new.verify(impi)
    kill((new, "hss"))  # requested
    restart((new, "hss"))
    assert new.state_of(change) == "requested"
    kill((old, "hss"))  # verified, and nobody to ask
    new.change("approve", change)
    wait_until(lambda: new.state_of(change) == "verified", 15, "verified")
    kill((new, "hss"))
    restart((old, "hss"), (new, "hss"))
    wait_until(lambda: state_at_rest(old, change) == HELD, 30, "held", every=0.002)
    kill((new, "hss"), (old, "hss"))  # the answer is on its way, or not yet
    assert state_at_rest(new, change) in (1, OFFERED)
    restart((old, "hss"), (new, "hss"))
    new.wait_state(change, "offered")
    message = new.change("update", change)
    kill((new, "hss"), (new, "bsf"))  # offered
    options = ["update", "-", "--profile", "new", "--connect", new.address("bsf") + ":80", "--wait", "0"]
    assert traveller.ue(*options, stdin=message)["profile"] == "old", "the old realm serves while the new one is away"
    restart((new, "hss"), (new, "bsf"))
    kill((old, "hss"))  # nobody to tell of the first token
    assert traveller.ue(*options, stdin=message)["profile"] == "new"
    new.wait_state(change, "confirmed")
    assert old.has_subscriber(traveller.impi), "not erased before it is told"
    kill((new, "hss"))  # confirmed
    restart((old, "hss"), (new, "hss"))
    wait_until(lambda: state_at_rest(old, change) == LEFT, 30, "left", every=0.002)
    kill((old, "hss"))
    restart((old, "hss"))
    new.wait_state(change, "done")
    only_in(traveller, new, old, impi, traveller.impi)
    assert traveller.usim()["operator"] == new.n.realm and [p["name"] for p in traveller.ue("profile", "list")] == ["new"]


def test_backward(operators, traveller):
    """Given up with nobody to tell, and killed: told later."""
    old, new = operators
    change, impi = request_change(new, traveller, traveller.index)
    new.verify(impi)
    new.change("approve", change)
    new.wait_state(change, "offered")
    message = new.change("update", change)
    traveller.ue("update", "-", "--profile", "new", "--connect", new.address("bsf") + ":80", "--only-take", stdin=message)
    kill((old, "hss"))
    new.change("cancel", change)
    assert new.state_of(change) == "cancelling" and not new.has_subscriber(impi)
    kill((new, "hss"))
    restart((old, "hss"), (new, "hss"))
    new.wait_state(change, "cancelled")
    assert old.state_of(change) == "returned"
    only_in(traveller, old, new, traveller.impi, impi)
    assert traveller.usim()["k"] == traveller.k and traveller.active() == "old"


def test_the_device_is_killed(operators, traveller):
    """gba-ue dies again and again while it changes; what it does at last is the change."""
    old, new = operators
    change, impi = request_change(new, traveller, traveller.index)
    new.verify(impi)
    new.change("approve", change)
    new.wait_state(change, "offered")
    message = new.change("update", change)
    command = [new.tree.program("gba-ue"), "--state", traveller.state, "--json", "update", "-", "--profile", "new", "--connect",
               new.address("bsf") + ":80", "--wait", "30"]
    environment = dict(os.environ, **new.tree.environment())
    for delay in (0.002, 0.004, 0.008, 0.012, 0.018, 0.025, 0.035, 0.05, 0.07, 0.1):
        job = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment)
        job.stdin.write(message.encode())
        job.stdin.close()
        time.sleep(delay)
        job.kill()
        job.wait()
        assert len([p for p in traveller.ue("profile", "list") if p["active"]]) == 1
        assert traveller.usim()["impi"] in (traveller.impi, impi)
    for _ in range(20):
        traveller.bootstrap()
        if "pending-impi" not in traveller.usim() and traveller.active() == "new":
            break
        if new.state_of(change) == "offered":
            subprocess.run(command, input=message, capture_output=True, text=True, env=environment, timeout=60)
        time.sleep(0.3)
    new.wait_state(change, "done")
    only_in(traveller, new, old, impi, traveller.impi)
    assert json.dumps(traveller.usim()).count(traveller.k) == 0
