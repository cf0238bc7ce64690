# SPDX-License-Identifier: Apache-2.0
"""Devices of the trust registry: registrations, one durable commit each and many to one; an import by gba-ctl; single look-ups."""
import json
import os
import random
import subprocess
import time

IMPORT_SECONDS, READ_US = 300, 2000  # per million devices; the 99th percentile


def imei(digits):
    total = sum(sum(divmod(int(d) * (2 - i % 2), 10)) for i, d in enumerate(reversed(digits)))
    return digits + str(-total % 10)


def imported(ground, table, realm, conf, count):
    """In an order of chance: the worst for an index."""
    draw = random.Random(1)
    with open(realm.path("devices.csv"), "w", encoding="ascii") as out:
        out.write("scheme,identity,make,model,kind,root_of_trust\n")
        out.writelines("imei,%s,Maker %d,Model %d,meter,euicc\n" % (imei("36%012d" % number), number % 8, number % 40)
                       for number in draw.sample(range(10 ** 12), count))
    began = time.monotonic()
    subprocess.run([os.path.join(ground.build, "tools/gba-ctl/gba-ctl"), "--config", conf, "registry", "device", "import", "--from", "csv",
                    realm.path("devices.csv")], check=True, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
    took = time.monotonic() - began
    table.add("import of {:,} devices".format(count), took, "s", None, None, ("value", "<=", IMPORT_SECONDS * count / 1000000),
              "%.0f/s with history, log of transactions and status" % (count / took))


def devices(ground, table):
    count = ground.scale
    with ground.new_realm("devices") as realm:
        conf = realm._write("registry.conf", 'reg-id = "IN1";\n' + "".join(
            '%s = "%s";\n' % (item, realm.path(name)) for item, name in
            (("database", "registry.db"), ("kek-file", "registry.kek"), ("key-file", "registry.key"), ("audit-log", "registry.audit"))))

        def fill(first, many, batch):
            return json.loads(ground.run("bench_devices", "fill", conf, first, many, batch, timeout=7200))

        one = fill(0, 2000, 1)
        table.add("registrations, a durable commit each", one["rate"], "/s", None, None, None, "one after the other, by one writer")
        many = fill(2000, count, 20000)
        table.add("registrations, 20,000 to a commit", many["rate"], "/s", None, None, None,
                  "%d octets per device on disk, with history, log of transactions and status" % many["octets"])
        imported(ground, table, realm, conf, min(count, 1000000))
        read = ground.run_json("bench_devices", "look", conf, 2000 + count, ground.seconds)
        table.add("device by RegDevID or identity, 99th percentile", read["p99_us"], "us", None, None, ("value", "<=", READ_US),
                  "median %d us, %.0f/s, one after the other, with %d stored" % (read["p50_us"], read["rate"], count))
