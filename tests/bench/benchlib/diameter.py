# SPDX-License-Identifier: Apache-2.0
"""Zh and Zn: our nodes, the bare exchange of messages of the same size, and OTP's stack answering the same."""
from lab.realm import AGENT, BSF, BSF_DIAMETER, HSS, NAF, OPERATOR
from peers import otp

from .ground import IMPI
from .table import median

USERS = 100000
BUSY_USERS = 10000  # whose SQN leases are in hand once they have been asked for
NAF_ID = (NAF.encode() + bytes.fromhex("0100000002")).hex()
RATIO = 0.80


def compare(table, name, ours, floor, rounds):
    """Rounds of floor and ours, one after the other; the ratio is the median of the rounds'."""
    pairs = []
    for _ in range(rounds):
        mine = ours()
        pairs.append((mine, floor(mine)))
    if any(m["good"] == 0 or m["bad"] > m["good"] / 1000 for m, _ in pairs):
        raise RuntimeError("%s: answers other than success: %s" % (name, pairs[-1][0]))
    mine, _ = pairs[-1]
    table.add(name, median([m["rate"] for m, _ in pairs]), "/s", ("bare freeDiameter", median([f["rate"] for _, f in pairs])),
              median([m["rate"] / f["rate"] for m, f in pairs]), ("ratio", ">=", RATIO),
              "%d/%d octets, window 128, p50 %.1f ms, p99 %.1f ms; floor p99 %.1f ms" % (
                  mine["request_octets"], mine["answer_octets"], mine["p50_us"] / 1e3, mine["p99_us"] / 1e3,
                  median([f["p99_us"] for _, f in pairs]) / 1e3))


def stock(ground, table, realm, name, restart, ask, floor):
    """The same node under a freeDiameterd without gba_fdtune.so."""
    realm.as_stock()
    restart()
    ask()
    mine = ask()
    bare = floor(mine)
    table.add(name + ", daemon's own queues", mine["rate"], "/s", ("bare freeDiameter", bare["rate"]), mine["rate"] / bare["rate"], None,
              "p99 %.1f ms" % (mine["p99_us"] / 1e3))


def zh(ground, table):
    with ground.new_realm("zh") as realm:
        ground.fill_subscribers(realm, USERS)
        realm.start_hss()

        def ask(users, **options):
            return ground.ask(realm, BSF_DIAMETER, HSS, realm.address("hss"), 3868, OPERATOR,
                              "what=mar impi=%s users=%d" % (IMPI, users), **options)

        def floor(mine):
            return ground.ask_floor(realm, mine["request_octets"], mine["answer_octets"])

        def restart():
            realm.nodes["hss"].stop()
            realm.start_hss()
        first = ask(USERS, seconds=3)
        ask(BUSY_USERS, seconds=2)
        compare(table, "Zh MAR (hss_stub.fdx)", lambda: ask(BUSY_USERS), floor, ground.rounds)
        table.add("Zh MAR, each subscriber's first since start", first["rate"], "/s", None, None, None,
                  "a durable lease of SQNs for each; p99 %.1f ms" % (first["p99_us"] / 1e3))
        others(ground, table, "hss", lambda: ask(BUSY_USERS), realm, "what=mar impi=%s users=%d" % (IMPI, BUSY_USERS), BSF_DIAMETER,
               HSS)
        stock(ground, table, realm, "Zh MAR (hss_stub.fdx)", restart, lambda: ask(BUSY_USERS), floor)


def zn(ground, table):
    with ground.new_realm("zn") as realm:
        tokens = ground.fill_contexts(realm, USERS, BSF)
        words = "what=bir btids=%s naf=%s" % (tokens, NAF_ID)
        realm.start_bsf()

        def ask():
            return ground.ask(realm, AGENT, BSF_DIAMETER, realm.address("bsf"), 3868, OPERATOR, words)

        def floor(mine):
            return ground.ask_floor(realm, mine["request_octets"], mine["answer_octets"])

        def restart():
            realm.nodes["bsf"].stop()
            realm.start_bsf()
        compare(table, "Zn BIR (bsf.fdx)", ask, floor, ground.rounds)
        with open(tokens, encoding="utf-8") as lines:
            btids = [line.split()[0] for line in lines]
        others(ground, table, "bsf", ask, realm, words, AGENT, BSF_DIAMETER, btids)
        stock(ground, table, realm, "Zn BIR (bsf.fdx)", restart, ask, floor)


def others(ground, table, mode, ours, realm, words, identity, host, btids=()):
    """The same client asks OTP's diameter with a table of the same users in memory, and us, in turns."""
    name = "OTP diameter, %s" % ("MAR" if mode == "hss" else "BIR")
    if not otp.available():
        return table.failed(name, "erlang-diameter is not installed")
    if mode == "hss":
        rows = [(IMPI.replace("%u", "%010d" % i), "11" * 16, "22" * 16, "33" * 8, "44" * 16, "55" * 16) for i in range(USERS)]
    else:
        rows = [(btid, "user@lab.test", "66" * 32, "1700000000", "1924992000") for btid in btids]
    with otp.Server(mode, rows, host=host, realm=OPERATOR) as server:
        pairs = [(ground.ask(realm, identity, host, "127.0.0.1", server.port, OPERATOR, words), ours())
                 for _ in range(ground.rounds)]
    result, _ = pairs[-1]
    table.add(name, median([o["rate"] for o, _ in pairs]), "/s", ("ours, same client", median([m["rate"] for _, m in pairs])),
              median([o["rate"] / m["rate"] for o, m in pairs]), ("ratio", "<=", 1.0),
              "p50 %.1f ms, p99 %.1f ms, %d bad" % (result["p50_us"] / 1e3, result["p99_us"] / 1e3, result["bad"]))
