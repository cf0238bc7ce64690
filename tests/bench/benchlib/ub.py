# SPDX-License-Identifier: Apache-2.0
"""Whole bootstraps through bsf and hss-stub, against two bare GETs and one bare Diameter exchange."""
from lab.realm import BSF

from .ground import IMPI, K, OPC, Stopwatch
from .table import median

USERS = 10000  # their SQN leases are in hand after the first second
CONNECTIONS = 256
COST, HALF_LOAD_P99 = 1.5, 5.0
MAR_OCTETS, MAA_OCTETS = 400, 400  # about what bsf and hss-stub send each other; the Zh figures give the exact sizes


def bootstrap(ground, realm, *more, seconds=None):
    return ground.run_json("http_load", "ub", realm.address("bsf") + ":80", "host=" + BSF, "impi=" + IMPI, "users=%d" % USERS,
                           "k=" + K, "opc=" + OPC, "connections=%d" % CONNECTIONS, "seconds=%d" % (seconds or ground.seconds), *more)


def bare_get(ground, *more):
    with ground.serve("http_floor", 2) as server:
        return ground.run_json("http_load", "get", "127.0.0.1:%d" % server.port, "host=" + BSF, "connections=%d" % CONNECTIONS,
                               "seconds=%d" % ground.seconds, *more)


def measure(ground, table, realm, name, target):
    results = []
    for _ in range(ground.rounds):
        bsf, hss = (Stopwatch(realm.nodes[node].pid) for node in ("bsf", "hss"))
        mine = bootstrap(ground, realm)
        mine["cores"] = (bsf.share(), hss.share())
        results.append((mine, bare_get(ground)["rate"], ground.ask_floor(realm, MAR_OCTETS, MAA_OCTETS)["rate"]))
    mine = results[-1][0]
    if mine["good"] == 0 or mine["bad"] > mine["good"] / 100:
        raise RuntimeError("%s: %s" % (name, mine))
    floors = [2 / get + 1 / dia for _, get, dia in results]
    costs = [1 / m["rate"] / floor for (m, _, _), floor in zip(results, floors)]
    rate = median([m["rate"] for m, _, _ in results])
    table.add(name, rate, "/s", ("2 bare GETs + 1 bare Diameter", 1 / median(floors)), median(costs),
              ("ratio", "<=", COST) if target else None,
              "ratio is cost by cost; GET %.0f/s, Diameter %.0f/s; p50 %.1f ms, p99 %.1f ms, %d bad; cores used: bsf %.2f, hss %.2f"
              % (median([g for _, g, _ in results]), median([d for _, _, d in results]), mine["p50_us"] / 1e3, mine["p99_us"] / 1e3,
                 mine["bad"], *mine["cores"]))
    return rate


def ub(ground, table):
    for name, sync, target in (("Ub bootstrap, contexts survive kill -9", "process", True),
                               ("Ub bootstrap, contexts survive power loss", "full", False)):
        with ground.new_realm("ub-" + sync) as realm:
            ground.fill_subscribers(realm, USERS)
            realm.start_hss()
            realm.start_bsf(extra='store-sync = "%s";\nub-max-per-source = 65536;\npending-per-source = 65536;\n' % sync)
            realm.wait_connected(("bsf",))
            bootstrap(ground, realm, seconds=2)
            rate = measure(ground, table, realm, name, target)
            half = bootstrap(ground, realm, "rate=%.0f" % (rate / 2))
            bare = bare_get(ground, "rate=%.0f" % rate)["p99_us"] / 1e3
            table.add("  p99 at half load (%s)" % sync, half["p99_us"] / 1e3, "ms", ("as many bare GETs", bare), half["p99_us"] / 1e3 / bare,
                      ("value", "<=", HALF_LOAD_P99),
                      "%.0f bootstraps/s offered evenly, p50 %.2f ms, %d bad" % (rate / 2, half["p50_us"] / 1e3, half["bad"]))
