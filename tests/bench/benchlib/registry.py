# SPDX-License-Identifier: Apache-2.0
"""The trust registry: its log of events and their replication, and S13 beside a bare exchange of messages of the same size."""
import json
import os
import shutil

from lab.realm import OPERATOR, q

from .diameter import compare
from .peering import branches

SYNCED = 40000  # events
REG_ID, REGISTRY, MME = "INA1", "registry." + OPERATOR, "mme." + OPERATOR


def daemon(realm):
    """The registry alone, without TLS, as the other nodes of a bench."""
    guard = realm.guard_conf("registry", [(MME, ["s13"])])
    conf = realm._write("registry.conf", realm.common("registry") + 'reg-id = %s;\nparent = "INA";\ndatabase = %s;\nkek-file = %s;\n'
                        'key-file = %s;\nmetrics-listen = %s;\ns13-peers = [ %s ];\n'
                        % (q(REG_ID), q(realm.path("registry.db")), q(realm.path("registry.kek")), q(realm.path("registry.key")),
                           q(realm.address("registry") + ":9100"), q(MME)))
    return realm.daemon_conf("registry", REGISTRY, OPERATOR, [("dict_gba", ""), ("gba_guard", guard), ("registry_fn", conf)],
                             [(MME, None)])


def events(ground, table, realm, count):
    """What the registry has said, in its database; and in new/new.db what another one has of it: all."""
    words = (realm.path("registry.db"), realm.path("registry.key"), REG_ID)
    said = json.loads(ground.run("bench_registry", "fill", *words, 0, count, timeout=1800))
    os.makedirs(realm.path("new"), mode=0o700)
    fresh = json.loads(ground.run("bench_registry", "fill", realm.path("new/small.db"), *words[1:], 0, min(count, SYNCED // 2), timeout=1800))
    table.add("Registry, events said and signed", said["rate"], "/s", ("with none stored", fresh["rate"]), said["rate"] / fresh["rate"], None,
              "%d devices, two events each, 500 devices to a commit; %d octets per device on disk" % (count, said["octets"]))
    first = json.loads(ground.run("bench_registry", "sync", realm.path("new/small.db"), *words[1:], realm.path("new"), timeout=1800))
    shutil.copyfile(words[0], realm.path("new/new.db"))
    ground.run("bench_registry", "fill", *words, count, SYNCED // 2, timeout=1800)
    synced = json.loads(ground.run("bench_registry", "sync", *words, realm.path("new"), timeout=1800))
    table.add("Registry, events verified and taken", synced["rate"], "/s", ("with none stored", first["rate"]), synced["rate"] / first["rate"], None,
              "%d events from one registry to another, 128 to a durable commit; %d devices stored in each" % (synced["events"], count))


def registry(ground, table):
    count = ground.scale
    with ground.new_realm("registry") as realm:
        events(ground, table, realm, count)
        realm.start_daemon("registry", daemon(realm), 9100)

        def ask(users, **options):
            return ground.ask(realm, MME, REGISTRY, realm.address("registry"), 3868, OPERATOR, "what=ecr users=%d" % users, **options)

        def floor(mine):
            return ground.ask_floor(realm, mine["request_octets"], mine["answer_octets"])

        cold = ask(count, seconds=3)
        table.add("S13 ECR, devices not asked for before", cold["rate"], "/s", None, None, None,
                  "%d devices stored; p99 %.1f ms" % (count, cold["p99_us"] / 1e3))
        ask(10000, seconds=2)
        compare(table, "S13 ECR (registry_fn.fdx)", lambda: ask(10000), floor, ground.rounds)
        realm.stop()
        branches(ground, table, realm, count)
