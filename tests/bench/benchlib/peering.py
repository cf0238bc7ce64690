# SPDX-License-Identifier: Apache-2.0
"""Registries of three layers and two branches, each a daemon over TLS with all devices stored: how long what is committed at one
primary takes until the other branch's primary shows it, and how many events a second come there."""
import os
import shutil
import sqlite3
import sys
import time

from . import TOP

sys.path[:0] = [os.path.join(TOP, "tests/system/registry")]

REGISTRATIONS, CONNECTIONS, PATIENCE = 300, 64, 300
BLACK = 2  # as stored
LAYERS = (("IN", "geographical", ""), ("INA", "sectoral", "IN"), ("INB", "sectoral", "IN"), ("INA1", "primary", "INA"), ("INB1", "primary", "INB"))


def hierarchy(lab, realm, peerlab):
    """INA1 has the store that events were said in, the others what a new registry has taken of it."""
    for reg_id, kind, parent in LAYERS:
        registry = lab.registry(reg_id, kind, parent)
        own = reg_id == "INA1"
        shutil.copyfile(realm.path("registry.db" if own else "new/new.db"), registry.path("registry.db"))
        if own:
            with open(realm.path("registry.key"), encoding="ascii") as key:
                registry.key = peerlab.Key(registry.folder, "registry", bytes.fromhex(key.read()))
            registry.key.write(registry.path("registry.key"))
            shutil.copyfile(realm.path("registry.kek"), registry.path("registry.kek"))
            os.chmod(registry.path("registry.kek"), 0o600)
            registry.extra = 'device-socket = "%s";\n' % registry.path("door")
    for reg_id, _, parent in LAYERS[1:]:
        lab.bond(lab.registries[parent], lab.registries[reg_id])
    return lab.registries["INA1"], lab.registries["INB1"]


class Seen:
    """What a registry's store shows."""

    def __init__(self, registry):
        self.db = sqlite3.connect("file:%s?mode=ro" % registry.path("registry.db"), uri=True)

    def subject(self, name):
        return self.db.execute("SELECT 1 FROM event_subject WHERE subject = ?", (name,)).fetchone() is not None

    def status(self, name):
        row = self.db.execute("SELECT status FROM event_subject WHERE subject = ?", (name,)).fetchone()
        return row[0] if row else None

    def events(self):
        return self.db.execute("SELECT sum(number) FROM event_stream WHERE origin = 'INA1' AND class <> 0").fetchone()[0]


def wait(condition, what):
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            raise RuntimeError("not seen in time: " + what)
        time.sleep(0.0005)


def lags(door, there):
    """[s] from the answer that says it is durable until the other one has it."""
    from .devices import imei
    took = []
    for number in range(REGISTRATIONS):
        body = {"scheme": "imei", "identity": imei("51%012d" % number), "make": "Acme", "model": "One", "kind": "meter", "root_of_trust": "euicc"}
        status, ack = door.ask("POST", "/register", body, "%015d@ims.mnc001.mcc001.3gppnetwork.org" % number)
        if status == 201:
            status, _ = door.ask("PUT", "/set", {"regdevid": ack["regdevid"], "serial": ack["serial"]},
                                 "%015d@ims.mnc001.mcc001.3gppnetwork.org" % number)
        if status != 200:
            raise RuntimeError("a registration was refused: %s" % ack)
        began = time.monotonic()
        wait(lambda: there.subject(ack["regdevid"]), ack["regdevid"])
        took.append(time.monotonic() - began)
    return sorted(took)


def black(ground, lab, one, there, count, act="wait"):
    """([s] until a Black of one is seen there, events that were not there yet): one's parent has been away, and registrations, or (act
    statuses) other changes of status, wait for it."""
    above, wait_for = lab.registries["INA"], ground.scale // 5
    above.kill()
    ground.run("bench_registry", act, one.path("registry.db"), one.path("registry.key"), one.reg_id, 2 * count, wait_for)
    above.start()
    wait(lambda: one.link(above) == "greeted" and lab.registries["IN"].link(above) == "greeted", "the bonds of the one that was away")
    before, began = there.events(), time.monotonic()
    with one.tool() as tool:
        subject = "%s-I3500%010d" % (one.reg_id, 1 + len(act))
        tool.say("black.set", subject, {"status": "black", "cause": "bench"})
        wait(lambda: there.status(subject) == BLACK, "the Black")
    return time.monotonic() - began, wait_for - (there.events() - before)


def branches(ground, table, realm, count):
    os.environ["GBA_BUILD"] = ground.build  # before peerlab is read
    import peerlab
    from registrylab import Door
    with peerlab.Lab(realm.path("branches")) as lab:
        one, other = hierarchy(lab, realm, peerlab)
        lab.start()
        wait(lambda: all(r.link(n) == "greeted" for r in lab.registries.values() for n, _, _ in r.neighbours), "all bonds")
        here, there = Seen(one), Seen(other)
        wait(lambda: here.events() == there.events(), "what was said before")
        took = lags(Door(one.path("door")), there)
        table.add("Registry, lag to the other branch's primary, median", took[len(took) // 2] * 1e3, "ms", None, None, ("value", "<=", 1000),
                  "commit at a primary until visible over four bonds of TLS; p99 %.1f ms, longest %.1f ms of %d; %d devices stored"
                  % (took[int(len(took) * 0.99)] * 1e3, took[-1] * 1e3, len(took), count))
        before, began = there.events(), time.monotonic()
        done = ground.run_json("bench_doors", "register", one.path("door"), 2 * 10 ** 9, CONNECTIONS, ground.seconds)
        wait(lambda: here.events() == there.events(), "all of the load")
        table.add("Registry, events replicated to the other branch", (there.events() - before) / (time.monotonic() - began), "/s", None, None, None,
                  "five registries on this machine, %.0f registrations/s at one of them; %d devices stored" % (done["rate"], count))
        took, left = black(ground, lab, one, there, count)
        table.add("Registry, a Black while others wait", took * 1e3, "ms", None, None, ("value", "<=", 1000),
                  "said when a registry between comes back for which %d registrations wait; %d of them were not there yet" % (ground.scale // 5, left))
        took, left = black(ground, lab, one, there, count, "statuses")
        table.add("Registry, a Black behind other statuses", took * 1e3, "ms", None, None, ("value", "<=", 1000),
                  "said when a registry between comes back for which %d Grey and White of the same registry wait; %d of them were not there yet"
                  % (ground.scale // 5, left))
