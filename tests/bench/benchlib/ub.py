# SPDX-License-Identifier: Apache-2.0
"""Whole bootstraps through bsf and hss-stub, against two bare GETs and one bare Diameter exchange.

What is compared, and how it is kept equal on both sides:
- Client: the same program (http_load, one thread), the same 256 keep-alive connections, the same requests octet by octet and
  the same arithmetic (MILENAGE, Digest), whoever answers. Its CPU time counts in both.
- Two GETs: http_floor, bare libmicrohttpd with the BSF's flags, threads, waiting and allocator, answers a canned challenge and a canned
  BootstrappingInfo of the same length; the octets are counted and must agree.
- Diameter: two bare freeDiameterds (bench_dia.fdx) with messages of the size of the MAR and MAA exchanged here. Both ends count,
  as in ours the BSF's client and the HSS. The HSS's vector and SQN, and the store's write, are ours alone: the price measured.
- No TLS anywhere. All of it runs on the same cores, rounds of ours and the floors take turns.
Cost is time per transaction at full load, 1 / rate. Where other work takes part of the cores, CPU time per transaction of all
programs together, printed beside it, says more."""
import resource

from lab.realm import BSF

from .ground import IMPI, K, OPC, Others, Stopwatch, jemalloc
from .table import median

USERS = 10000  # their SQN leases are in hand after the first second
CONNECTIONS = 256
THREADS = 2  # ub-threads' default
COST, HALF_LOAD_P99 = 1.5, 5.0
MAR_OCTETS, MAA_OCTETS = 324, 452  # with names as long as the lab's; the GUSS comes with a user's first MAA only


def transactions(ground, address, *more, seconds=None):
    """Both GETs of bootstraps, at a BSF or at the floor."""
    return ground.run_json("http_load", address, "host=" + BSF, "impi=" + IMPI, "users=%d" % USERS, "k=" + K, "opc=" + OPC,
                           "connections=%d" % CONNECTIONS, "seconds=%d" % (seconds or ground.seconds), *more)


def bootstrap(ground, realm, *more, seconds=None):
    return transactions(ground, realm.address("bsf") + ":80", *more, seconds=seconds)


def bare_gets(ground, *more):
    with ground.serve("http_floor", THREADS, preload=jemalloc()) as server:
        return with_cpu(lambda: transactions(ground, "127.0.0.1:%d" % server.port, *more), server.pid)


def with_cpu(run, *pids):
    """Transactions, and the CPU time that their client and these nodes spend on each, [us]."""
    nodes, client = [Stopwatch(pid) for pid in pids], ended_seconds()
    result = run()
    result["cpu_us"] = (ended_seconds() - client + sum(node.seconds() for node in nodes)) / result["begun"] * 1e6
    return result


def ended_seconds():
    """[s] of CPU used by children that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def measure(ground, table, realm, name, target):
    rounds = []
    for _ in range(ground.rounds):
        bsf, hss = (Stopwatch(realm.nodes[node].pid) for node in ("bsf", "hss"))
        mine = with_cpu(lambda: bootstrap(ground, realm), *(realm.nodes[node].pid for node in ("bsf", "hss")))
        mine["cores"] = (bsf.share(), hss.share())
        rounds.append((mine, bare_gets(ground), ground.ask_floor(realm, MAR_OCTETS, MAA_OCTETS)))
    mine, gets, _ = rounds[-1]
    if mine["good"] == 0 or mine["bad"] > mine["good"] / 100:
        raise RuntimeError("%s: %s" % (name, mine))
    for octets in ("octets_out", "octets_in"):
        if abs(mine[octets] - gets[octets]) > mine[octets] / 50:
            raise RuntimeError("%s: %s of a bootstrap %d, of the floor %d" % (name, octets, mine[octets], gets[octets]))
    rate = median([m["rate"] for m, _, _ in rounds])
    floors = [1 / get["rate"] + 1 / dia["rate"] for _, get, dia in rounds]
    table.add(name, rate, "/s", ("2 bare GETs + 1 bare Diameter", 1 / median(floors)),
              median([1 / m["rate"] / floor for (m, _, _), floor in zip(rounds, floors)]), ("ratio", "<=", COST) if target else None,
              "ratio is cost by cost; two GETs %.0f/s, Diameter %.0f/s; CPU %.0f us, floors %.0f + %.0f us: ratio %.2f; "
              "p50 %.1f ms, p99 %.1f ms, %d bad; cores used: bsf %.2f, hss %.2f"
              % (median([g["rate"] for _, g, _ in rounds]), median([d["rate"] for _, _, d in rounds]),
                 *(median([r[i]["cpu_us"] for r in rounds]) for i in range(3)),
                 median([m["cpu_us"] / (g["cpu_us"] + d["cpu_us"]) for m, g, d in rounds]),
                 mine["p50_us"] / 1e3, mine["p99_us"] / 1e3, mine["bad"], *mine["cores"]))
    return rate


def measure_half(ground, table, realm, sync, offered):
    """Medians of rounds in turns: what else wakes up on the machine lengthens the tail of one round, not of most."""
    pace = ("rate=%.0f" % offered, "late=%.0f" % (HALF_LOAD_P99 * 1e3))
    others = Others()
    rounds = [(bootstrap(ground, realm, *pace), bare_gets(ground, *pace)) for _ in range(ground.rounds)]
    taken = others.most()
    half, bare = (median([r[i]["p99_us"] for r in rounds]) / 1e3 for i in range(2))
    late, good, windows = (sum(m[name] for m, _ in rounds) for name in ("late", "good", "late_windows"))
    machine = ground.run_json("stops", 4)
    table.add("  p99 at half load (%s)" % sync, half, "ms", ("as many bare GETs", bare), half / bare, ("value", "<=", HALF_LOAD_P99),
              "%.0f bootstraps/s offered evenly, late ones count from when they were due; p50 %.2f ms, %d bad; rounds %s; "
              "%.1f %% took longer than %.0f ms, all of them due in %.1f %% of the time; meanwhile %s; the machine itself stopped its %d cores %d times for more than 1 ms in %d s, %.1f ms at most, %.0f ms in all"
              % (offered, median([m["p50_us"] for m, _ in rounds]) / 1e3, sum(m["bad"] for m, _ in rounds),
                 ", ".join("%.1f" % (m["p99_us"] / 1e3) for m, _ in rounds), late / good * 100, HALF_LOAD_P99,
                 windows * rounds[0][0]["window_us"] / sum(m["seconds"] for m, _ in rounds) / 1e4, taken, machine["cores"], machine["stops"], machine["seconds"],
                 machine["longest_us"] / 1e3, machine["lost_us"] / 1e3))


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
            measure_half(ground, table, realm, sync, rate / 2)
