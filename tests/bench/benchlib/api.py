# SPDX-License-Identifier: Apache-2.0
"""The provisioning API: permissions imported row by row over REST, then read by id and by natural key, one caller, one TLS connection."""
import os
import random
import subprocess
import sys
import time

from . import TOP

sys.path[:0] = [os.path.join(TOP, "tests/system/api")]

APPLICATIONS, BODY_ROWS, READS = 10, 50000, 3000
IMPORT_SECONDS, READ_MS = 180, 2  # for a million


def subscribers(node, count):
    """As one file of gba-ctl subscriber import; IMPIs u0@lab.test ..."""
    path = os.path.join(node.folder, "subscribers.csv")
    with open(path, "w", encoding="ascii") as out:
        out.write("impi,k,opc\n")
        for n in range(count):
            out.write("u%d@lab.test,%032x,%032x\n" % (n, n + 1, n + 2))
    node.ctl("subscriber", "import", "--from", "csv", path)


def rows(count, applications):
    """NDJSON bodies; the permissions of a subscriber stand together, as in a file sorted by subscriber."""
    for first in range(0, count, BODY_ROWS):
        yield "".join('{"impi":"u%d@lab.test","application":%d}\n' % (n // APPLICATIONS, applications[n % APPLICATIONS])
                      for n in range(first, min(first + BODY_ROWS, count))).encode()


def quantile(values, part):
    return sorted(values)[min(len(values) - 1, int(len(values) * part))]


def timed_reads(caller, paths):
    took = []
    for path in paths:
        began = time.monotonic()
        caller.get(path)
        took.append((time.monotonic() - began) * 1000)
    return took


def api(ground, table):
    os.environ["GBA_BUILD"] = ground.build  # before apilab is read
    import apilab
    count = ground.scale
    node = apilab.Api(os.path.join(ground.folder, "api"), conf="api-open-rate = 1000;\napi-rate = 100000;\napi-burst = 1000000;\napi-import-max = 64;\n"
                      'log-level = "warning";\n', ca=False)
    subscribers(node, count // APPLICATIONS)
    invitation = node.invite()
    node.start_quiet()
    try:
        admin = apilab.Caller(node, apilab.Caller(node, invitation).post("/v1/invitation", {"name": "bench"}).json()["token"])
        admin.post("/v1/realm", dict(apilab.REALM, registered_only=False))
        owner, _ = apilab.asp(admin, node)
        applications = [admin.post("/v1/applications", {"asp": owner["id"], "type": "fqdn", "identity": "a%d.example" % n, "name": "A"})
                        .json()["id"] for n in range(APPLICATIONS)]
        began, added = time.monotonic(), 0
        for body in rows(count, applications):
            got = admin.call("POST", "/v1/permissions/import?mode=rows", raw=body, headers={"Content-Type": "application/x-ndjson"},
                             want=200).json()
            if got["rejected"]:
                raise RuntimeError("rejected: %s" % got["rejections"][0]["errors"])
            added += got["added"]
        took = time.monotonic() - began
        table.add("permissions imported over REST", added / took, "/s", None, None, ("value", ">=", 1000000 / IMPORT_SECONDS),
                  "%d in %.0f s" % (added, took))
        chance = random.Random(1)
        numbers = [chance.randrange(count) for _ in range(READS)]
        timed_reads(admin, ["/v1/permissions/%d" % (n + 1) for n in numbers[:100]])
        by_id = timed_reads(admin, ["/v1/permissions/%d" % (n + 1) for n in numbers])
        by_key = timed_reads(admin, ["/v1/permissions/key:u%d@lab.test,%d" % (n // APPLICATIONS, applications[n % APPLICATIONS])
                                     for n in numbers])
        bare = timed_reads(admin, ["/openapi.json" for _ in range(300)])
        for name, figures in (("id", by_id), ("natural key", by_key)):
            table.add("read by %s over HTTPS, p99, %d permissions" % (name, count), quantile(figures, 0.99), "ms",
                      ("the contract, no database, p50", quantile(bare, 0.5)), None, ("value", "<=", READ_MS),
                      "p50 %.2f ms, Python's client included" % quantile(figures, 0.5))
    finally:
        node.stop()
        subprocess.run(["rm", "-rf", node.folder], check=False)
