# SPDX-License-Identifier: Apache-2.0
"""The mapping function with many permissions: an import through gba-ctl, then single reads by key."""
import os
import subprocess
import time

from .ground import IMPI

APPLICATIONS = 10
IMPORT_SECONDS, READ_US = 180, 2000  # per million permissions; the 99th percentile


def onboard(ground, realm):
    def ctl(*words):
        subprocess.run([os.path.join(ground.build, "tools/gba-ctl/gba-ctl"), "--db", realm.path("hss.db"), "--kek", realm.path("hss.kek"),
                        *words], check=True, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
    ctl("realm", "add", "--realm", "example.net", "--name", "Example", "--bsf-identity", "bsf.example.net", "--bsf-url",
        "http://bsf.example.net/", "--hss-identity", "hss.example.net", "--alias-domain", "apps.example.net", "--registered-only", "false")
    ctl("asp", "add", "--type", "cin", "--identity", "L17110MH1973PLC019786", "--name", "Meters")
    for number in range(APPLICATIONS):
        ctl("app", "add", "--asp", "1", "--type", "fqdn", "--identity", "app%d.example.com" % number, "--name", "Meter")
    return ctl


def permissions(ground, table):
    count, subscribers = ground.scale, max(1, ground.scale // APPLICATIONS)
    with ground.new_realm("permissions") as realm:
        ground.fill_subscribers(realm, subscribers)
        ctl = onboard(ground, realm)
        with open(realm.path("permissions.csv"), "w", encoding="ascii") as out:
            out.write("impi,application\n")
            for number in range(subscribers):
                impi = IMPI.replace("%u", "%010d" % number)
                out.writelines("%s,app%d.example.com\n" % (impi, app) for app in range(APPLICATIONS))
        began = time.monotonic()
        ctl("permission", "import", "--from", "csv", realm.path("permissions.csv"))
        took = time.monotonic() - began
        table.add("import of {:,} permissions".format(count), took, "s", None, None, ("value", "<=", IMPORT_SECONDS * count / 1000000),
                  "%.0f/s with history, GUSS and notices; database of %.0f MiB" % (count / took, os.path.getsize(realm.path("hss.db")) / 2**20))
        for what, text in (("query", "permission query (IMPI, NAF FQDN)"), ("record", "permission record by key")):
            read = ground.run_json("bench_mapping", what, realm.path("hss.db"), realm.path("hss.kek"), IMPI, subscribers, APPLICATIONS,
                                   ground.seconds)
            table.add(text + ", 99th percentile", read["p99_us"], "us", None, None, ("value", "<=", READ_US),
                      "median %d us, %.0f/s, one after the other, with %d stored" % (read["p50_us"], read["rate"], count))
