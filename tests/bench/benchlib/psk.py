# SPDX-License-Identifier: Apache-2.0
"""PSK handshakes on the proxy with keys it has and keys it must fetch, against bare OpenSSL with one fixed key."""
from lab.process import wait_until
from lab.realm import BSF, NAF

from .ground import Stopwatch
from .table import median

CONTEXTS = 60000
WARM_KEYS = 200
WARM = 0.85


def psk(ground, table):
    with ground.new_realm("psk") as realm:
        tokens = ground.fill_contexts(realm, CONTEXTS, BSF)
        with open(tokens, encoding="utf-8") as lines:
            all_lines = lines.readlines()
        realm.start_bsf()
        realm.start_agent()
        realm.start_application()
        realm.start_proxy()
        cold = Cold(realm, all_lines[WARM_KEYS:])
        warm = realm.path("tokens.warm")
        with open(warm, "w", encoding="utf-8") as out:
            out.writelines(all_lines[:WARM_KEYS])
        wait_until(lambda: serves(ground, realm, warm), 30, "a first handshake")
        for version in ("1.2", "1.3"):
            one_version(ground, table, realm, version, warm, cold)


class Cold:
    """Tokens nobody has asked for yet, handed out once."""

    def __init__(self, realm, lines):
        self._realm, self._lines, self._at, self._files = realm, lines, 0, 0

    def take(self, count):
        lines = self._lines[self._at:self._at + count]
        self._at += count
        self._files += 1
        path = self._realm.path("tokens.cold.%d" % self._files)
        with open(path, "w", encoding="utf-8") as out:
            out.writelines(lines)
        return path, len(lines)


def shake(ground, realm, version, *words):
    return ground.run_json("psk_load", version, realm.address("proxy") + ":443", "sni=" + NAF, *words)


def serves(ground, realm, warm):
    """The agent has its connection to the bsf."""
    try:
        return shake(ground, realm, "1.2", "tokens=" + warm, "count=1", "connections=1")["good"] == 1
    except RuntimeError:
        return False


def one_version(ground, table, realm, version, warm, cold):
    results = []
    shake(ground, realm, version, "tokens=" + warm, "count=%d" % WARM_KEYS)
    for _ in range(ground.rounds):
        with ground.serve("psk_floor", 2) as server:
            floor = ground.run_json("psk_load", version, "127.0.0.1:%d" % server.port, "seconds=%d" % ground.seconds)
        watch = Stopwatch(realm.nodes["proxy"].pid)
        mine = shake(ground, realm, version, "tokens=" + warm, "seconds=%d" % ground.seconds)
        results.append((mine, floor, watch.share()))
    mine = results[-1][0]
    if mine["bad"] > mine["good"] / 1000:
        raise RuntimeError("TLS %s, warm key: %s" % (version, mine))
    floor_rate = median([f["rate"] for _, f, _ in results])
    floor_name = "bare OpenSSL, TLS " + version
    table.add("PSK handshake TLS %s, warm key" % version, median([m["rate"] for m, _, _ in results]), "/s", (floor_name, floor_rate),
              median([m["rate"] / f["rate"] for m, f, _ in results]), ("ratio", ">=", WARM),
              "p50 %.1f ms, p99 %.1f ms, floor p99 %.1f ms; proxy uses %.2f cores"
              % (mine["p50_us"] / 1e3, mine["p99_us"] / 1e3, results[-1][1]["p99_us"] / 1e3, results[-1][2]))
    path, count = cold.take(4000)
    result = shake(ground, realm, version, "tokens=" + path, "count=%d" % count)
    table.add("PSK handshake TLS %s, cold key" % version, result["rate"], "/s", (floor_name, floor_rate),
              result["rate"] / floor_rate, None, "each key fetched over Zn: p50 %.1f ms, p99 %.1f ms, %d bad"
              % (result["p50_us"] / 1e3, result["p99_us"] / 1e3, result["bad"]))
