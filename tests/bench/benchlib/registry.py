# SPDX-License-Identifier: Apache-2.0
"""The trust registry: its log of events and their replication, and S13 beside a bare exchange of messages of the same size."""
import json
import os

from lab.realm import OPERATOR, q

from .diameter import compare
from .peering import branches

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
    words = (realm.path("registry.db"), realm.path("registry.key"), REG_ID)
    said = json.loads(ground.run("bench_registry", "fill", *words, count, timeout=1800))
    table.add("Registry, events said and signed", said["rate"], "/s", None, None, None,
              "%d devices, two events each, 500 devices to a commit; %d octets per device on disk" % (count, said["octets"]))
    os.makedirs(realm.path("new"), mode=0o700)
    synced = json.loads(ground.run("bench_registry", "sync", *words, realm.path("new"), timeout=1800))
    table.add("Registry, events verified and taken", synced["rate"], "/s", None, None, None,
              "synchronisation of a registry with %d events, 128 to a durable commit; the last 200,000 of them%s"
              % (synced["events"], ", the first at %.0f/s" % synced["first"] if synced["first"] else ""))


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
