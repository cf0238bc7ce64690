# SPDX-License-Identifier: Apache-2.0
"""What Y.3056's additions cost and save: bootstraps that name their application against ones that do not, in turns, with the same
client, realm and users; and the time until an application has the key of a device it sees for the first time, pushed against asked
for over Zn."""
import os
import sys
import time

from lab.realm import AGENT, BSF, NAF, q

from . import TOP
from .ground import IMPI, K, OPC
from .mapping import onboard
from .table import median
from .ub import USERS, bootstrap, with_cpu

COST = 1.15
TOKENS = 300
GSID = 1000000


def start(ground, realm):
    ground.fill_subscribers(realm, USERS)
    ctl = onboard(ground, realm)
    ctl("app", "add", "--asp", "1", "--type", "fqdn", "--identity", NAF, "--name", "Named", "--gsid", str(GSID + 900), "--push-peer", AGENT,
        "--ua-ids", "0100000002")
    with open(realm.path("permitted.csv"), "w", encoding="ascii") as out:
        out.write("impi,application\n")
        out.writelines("%s,%s\n" % (IMPI.replace("%u", "%010d" % number), NAF) for number in range(USERS))
    ctl("permission", "import", "--from", "csv", realm.path("permitted.csv"))
    realm.start_hss()
    realm.start_bsf(extra='store-sync = "process";\nub-max-per-source = 65536;\npending-per-source = 65536;\nask-interval = 0;\n',
                    nafs='{ identity = %s; fqdns = [ %s ]; gsids = [ "%d" ]; }' % (q(AGENT), q(NAF), GSID + 900))
    realm.wait_connected(("bsf",))


def cost(ground, table, realm):
    rounds, pids = [], [realm.nodes[node].pid for node in ("bsf", "hss")]
    bootstrap(ground, realm, seconds=2)
    bootstrap(ground, realm, "application=" + NAF, seconds=2)
    for _ in range(ground.rounds):
        rounds.append((with_cpu(lambda: bootstrap(ground, realm, "application=" + NAF), *pids), with_cpu(lambda: bootstrap(ground, realm), *pids)))
    named, plain = ([r[i] for r in rounds] for i in (0, 1))
    if named[-1]["good"] == 0:
        raise RuntimeError("no bootstrap with an application named")
    table.add("Ub bootstrap with permission query", median([n["rate"] for n in named]), "/s",
              ("bootstraps that name nothing", median([p["rate"] for p in plain])),
              median([p["rate"] / n["rate"] for n, p in rounds]), ("ratio", "<=", COST),
              "ratio of cost; CPU per bootstrap %.0f and %.0f us (ratio %.2f); %d bad"
              % (median([n["cpu_us"] for n in named]), median([p["cpu_us"] for p in plain]),
                 median([n["cpu_us"] / p["cpu_us"] for n, p in rounds]), sum(n["bad"] for n in named)))


def first_key(realm, tokens):
    """[us] the agent takes for tokens it is asked for the first time."""
    sys.path.insert(0, os.path.join(TOP, "tests", "system", "naf"))
    import naf_harness
    took = []
    with naf_harness.Local(realm.path("naf.sock")) as local:
        for btid in tokens:
            began = time.perf_counter()
            error, _ = local.ask(btid, fqdn=NAF, ua_id=naf_harness.HTTP_DIGEST)
            took.append((time.perf_counter() - began) * 1e6)
            if error != 0:
                raise RuntimeError("no key: %d" % error)
    return median(took)


def bootstraps(realm, first, application):
    sys.path.insert(0, os.path.join(TOP, "tests"))
    from peers import aka
    from peers.ub import Ub
    card = aka.Milenage(bytes.fromhex(K), bytes.fromhex(OPC))
    return [Ub((realm.address("bsf"), 80), IMPI.replace("%u", "%010d" % number), lambda rand, autn: card.challenge(rand, autn)[0], realm=BSF,
               application=application).bootstrap()[0] for number in range(first, first + TOKENS)]


def saved(ground, table, realm):
    realm.start_agent(extra="cache-entries = 100000;\n")
    realm.wait_connected()
    pushed, asked = [], []
    for turn in range(ground.rounds):
        tokens = bootstraps(realm, 2 * turn * TOKENS, NAF)
        time.sleep(0.5)
        pushed.append(first_key(realm, tokens))
        asked.append(first_key(realm, bootstraps(realm, (2 * turn + 1) * TOKENS, None)))
    table.add("key for a first handshake, pushed", median(pushed), "us", ("asked for over Zn", median(asked)),
              median([p / a for p, a in zip(pushed, asked)]), ("ratio", "<=", 1.0), "median of %d tokens at the agent's socket, loopback" % TOKENS)


def permission(ground, table):
    with ground.new_realm("permission") as realm:
        start(ground, realm)
        cost(ground, table, realm)
        saved(ground, table, realm)
