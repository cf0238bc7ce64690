# SPDX-License-Identifier: Apache-2.0
"""What the tests of both kinds of change of operator share: a change from its request on, nodes that are killed, and where a device
stands in the end."""
import json

from lab.operators import Traveller, request_change
from lab.process import wait_until

CONFIRMED, OFFERED, HELD, LEFT, SHOWN, RELEASED = 3, 2, 8, 9, 11, 12
UNPROVED = 6


class Symmetric:
    """10.6.1: a device with a USIM and a transfer key."""
    kind, clause = "symmetric", "10.6.1"

    @staticmethod
    def device(old, index):
        return Traveller(old, index).provision()

    @staticmethod
    def way_to(new):
        return ["--connect", new.address("bsf") + ":80"]


class Asymmetric:
    """10.6.2: a device with a certificate and its operator's public key."""
    kind, clause = "asymmetric", "10.6.2"

    @staticmethod
    def device(old, index):
        return Traveller(old, index).enrol()

    @staticmethod
    def way_to(new):
        return new.by_certificate()


def request(operators, device, how):
    """10.6.x-1: (change, identity in the new realm)."""
    return request_change(operators[1], device, device.index, how.kind)


def offer(operators, device, how):
    """Up to the key update: (change, identity, message)."""
    new = operators[1]
    change, impi = request(operators, device, how)
    new.verify(impi)
    new.change("approve", change)
    new.wait_state(change, "offered")
    return change, impi, new.change("update", change)


def update_words(operators, how, *more):
    return ["update", "-", "--profile", "new", *how.way_to(operators[1]), *more]


def finish(operators, device, how):
    """Everything: (change, identity, what gba-ue says)."""
    change, impi, message = offer(operators, device, how)
    done = device.ue(*update_words(operators, how, "--wait", "30"), stdin=message)
    return change, impi, done


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


def reached(operator, change, *states):
    return wait_until(lambda: state_at_rest(operator, change) in states, 60, "state %s" % (states,), every=0.002)


def only_in(device, served, other, impi_served, impi_other):
    """Exactly one operator knows the device, and serves it."""
    assert served.has_subscriber(impi_served) and not other.has_subscriber(impi_other)
    assert device.bootstrap()["btid"].endswith(served.n.bsf)


def steps_of(operators, *identities):
    """Clauses of the trace's steps about these identities, in order of time."""
    steps = [json.loads(line) for operator in operators for line in open(operator.trace, encoding="utf-8")]
    mine = sorted((s["at"], s["clause"]) for s in steps if s.get("iface") in ("OPC", "people", "update") and s.get("id") in identities)
    return [clause.split("Y.3056 ")[1] for _, clause in mine]


def in_order(operators, clause, steps, *identities):
    """Has the trace these steps of the clause, in this order? A node writes of one after it has done it."""
    found = [text.split(clause + "-")[1] for text in steps_of(operators, *identities)]
    return set(steps) <= set(found) and [found.index(step) for step in steps] == sorted(found.index(step) for step in steps)
