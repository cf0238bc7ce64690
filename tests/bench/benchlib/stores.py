# SPDX-License-Identifier: Apache-2.0
"""The AuC with durable SQN, what a live context takes, and how long nodes with a million records take to start."""
import os
import time

from lab.process import wait_until
from lab.realm import AGENT, BSF, BSF_DIAMETER, OPERATOR

from .diameter import NAF_ID
from .ground import memory

VECTORS, CONTEXT_OCTETS = 50000, 512


def auc(ground, table):
    figures = {}
    for line in ground.run("bench_auc", ground.seconds, 100000, ground.folder).splitlines():
        words = line.split()
        figures[words[0]] = float(words[1])
    if figures["auc.failed"] > 0:
        raise RuntimeError("vectors failed")
    floor = figures["floor.vector_make"]
    for name, text in (("auc.one_subscriber", "AKA vectors, durable SQN, one subscriber"),
                       ("auc.many_random", "AKA vectors, durable SQN, 100,000 subscribers"),
                       ("auc.many_first_touch", "AKA vectors, durable SQN, each subscriber's first")):
        table.add(text, figures[name], "/s", ("bare MILENAGE vectors", floor), figures[name] / floor,
                  ("value", ">=", VECTORS) if name != "auc.many_first_touch" else None,
                  "one core; bare durable commits %.0f/s" % figures["floor.durable_commit"])


def auc_postgresql(ground, table):
    """The same AuC on PostgreSQL: what a server beside it costs. Its backend works on another core."""
    from peers.servers import Postgres
    server = Postgres(os.path.join(ground.folder, "pg"), memory=False)
    try:
        said = ground.run("bench_auc", ground.seconds, 20000, ground.folder, server.url("bench"))
    finally:
        server.close()
    figures = {words[0]: float(words[1]) for words in map(str.split, said.splitlines())}
    if figures["auc.failed"] > 0:
        raise RuntimeError("vectors failed")
    for name, text in (("auc.one_subscriber", "AKA vectors on PostgreSQL, one subscriber"),
                       ("auc.many_random", "AKA vectors on PostgreSQL, 20,000 subscribers"),
                       ("auc.many_first_touch", "AKA vectors on PostgreSQL, each subscriber's first")):
        table.add(text, figures[name], "/s", ("durable commits of one lease", figures["floor.durable_commit"]),
                  figures[name] / figures["floor.durable_commit"], None, "UNIX socket, a real disk; one core for the AuC")


def file_octets(folder):
    """Blocks that files take, not their length: the store's file is sparse."""
    return sum(os.stat(os.path.join(folder, name)).st_blocks * 512 for name in os.listdir(folder))


def timed_start(start, ready):
    began = time.monotonic()
    process = start()
    wait_until(ready, 120, "node is ready")
    return process, time.monotonic() - began


def contexts(ground, table):
    count = ground.scale
    with ground.new_realm("contexts-none") as realm:
        empty = realm.start_bsf()
        time.sleep(1)
        _, anonymous_empty = memory(empty.pid)
    with ground.new_realm("contexts") as realm:
        tokens = ground.fill_contexts(realm, count, BSF)
        size = file_octets(realm.path("bsf"))
        bsf, took = timed_start(realm.start_bsf, lambda: True)
        ground.ask(realm, AGENT, BSF_DIAMETER, realm.address("bsf"), 3868, OPERATOR,
                   "what=bir btids=%s naf=%s" % (tokens, NAF_ID), seconds=1)
        resident, anonymous = memory(bsf.pid)
        table.add("memory per live context", (size + max(0, anonymous - anonymous_empty)) / count, "octets", None, None,
                  ("value", "<=", CONTEXT_OCTETS), "%d contexts: store %.0f MiB (all of it in the page cache at worst), heap +%.1f MiB "
                  "after answering on Zn, resident %.0f MiB" % (count, size / 2**20, (anonymous - anonymous_empty) / 2**20,
                                                              resident / 2**20))
        table.add("start of bsf with {:,} contexts".format(count), took, "s")


def subscribers(ground, table):
    count = ground.scale
    with ground.new_realm("subscribers") as realm:
        began = time.monotonic()
        ground.fill_subscribers(realm, count)
        filled = time.monotonic() - began
        _, took = timed_start(realm.start_hss, lambda: True)
        table.add("start of hss-stub with {:,} subscribers".format(count), took, "s", None, None, None,
                  "database of %.0f MiB, made and sealed in %.0f s" % (os.path.getsize(realm.path("hss.db")) / 2**20, filled))
