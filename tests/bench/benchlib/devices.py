# SPDX-License-Identifier: Apache-2.0
"""Devices of the trust registry: records, one durable commit each and many to one; single look-ups; registrations and interrogations at
the doors of a node; an import by gba-ctl."""
import json
import os
import random
import ssl
import subprocess
import time
import urllib.request

from lab.process import wait_until
from lab.realm import OPERATOR
from peers import jose

from .registry import REGISTRY, REG_ID

CONNECTIONS = 64
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


def started(realm, conf):
    """The node over the records that conf names, with both doors; where they are."""
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", realm.path("api.key"),
                    "-out", realm.path("api.pem"), "-days", "2", "-subj", "/CN=registry"], check=True, capture_output=True)
    with open(conf, "a", encoding="ascii") as out:
        out.write('log-level = "warning";\nmetrics-listen = "%s:9100";\ndevice-socket = "%s";\napi-listen = "%s:8443";\napi-cert = "%s";\napi-key = "%s";\n'
                  'api-rate = 100000;\napi-burst = 1000000;\n'
                  % (realm.address("registry"), realm.path("door"), realm.address("registry"), realm.path("api.pem"), realm.path("api.key")))
    daemon = realm.daemon_conf("registry", REGISTRY, OPERATOR, [("dict_gba", ""), ("gba_guard", realm.guard_conf("registry", [])),
                                                                ("registry_fn", conf)], [])
    realm.start_daemon("registry", daemon, 9100)
    wait_until(lambda: realm.ready("registry"), 60, "the registry is ready")
    return realm.path("door"), "https://%s:8443" % realm.address("registry")


def session(realm, ctl, url):
    """Token of an enquirer that has answered its challenge."""
    tls = ssl.create_default_context()
    tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE

    def post(path, body, token=None):
        head = {"Content-Type": "application/json", **({"Authorization": "Bearer " + token} if token else {})}
        with urllib.request.urlopen(urllib.request.Request(url + path, json.dumps(body).encode(), head), context=tls) as answer:
            return json.loads(answer.read())

    seed = os.urandom(32)
    key = jose.public_of(seed).hex()
    ctl("enquirer", "add", "--name", "bench-" + key[:8], "--public-key", key, "--state", "approved", "--rights", "regdevid,identity")
    told = post("/v1/challenges", {"public_key": key})
    said = "gba-registry-challenge %s %s" % (told["reg_id"], told["challenge"])
    return post("/v1/sessions", {"challenge": told["challenge"], "signature": jose.sign(seed, said.encode()).hex()})["token"]


def doors(ground, table, realm, conf, count, bare):
    """The node itself, with so many devices stored. bare: records that one writer makes durable a second, with nothing in front of it."""
    def ctl(*words):
        return subprocess.run([os.path.join(ground.build, "tools/gba-ctl/gba-ctl"), "--config", conf, "registry", *words], check=True, text=True,
                              stdout=subprocess.PIPE, stdin=subprocess.DEVNULL).stdout.strip()

    def load(*words):
        done = ground.run_json("bench_doors", *words, ground.seconds)
        if done["bad"]:
            raise RuntimeError("%s: %d were refused" % (words[0], done["bad"]))
        return done

    socket, url = started(realm, conf)
    admin = json.loads(ctl("token", "issue", "--acts-as", "admin", "--name", "bench", "--json"))["token"]
    for connections in (1, CONNECTIONS):
        done = load("register", socket, 10 ** 9 * connections, connections)
        table.add("registrations, durable, %d device%s at a time" % (connections, "s" * (connections > 1)), done["rate"], "/s",
                  ("half the records above", bare / 2), done["rate"] / (bare / 2), None,
                  "Register and Set, each durable before its answer; p99 %.1f ms; %d stored" % (done["p99_us"] / 1e3, count))
    for connections in (1, CONNECTIONS):
        done = load("write", url, admin, 10 ** 11 + 10 ** 9 * connections, connections)
        table.add("devices written over REST, %d writer%s" % (connections, "s" * (connections > 1)), done["rate"], "/s",
                  ("the records above", bare), done["rate"] / bare, None,
                  "HTTPS; record, history, log of transactions and audit log durable before the answer; p99 %.1f ms; %d stored"
                  % (done["p99_us"] / 1e3, count))
    token = session(realm, ctl, url)
    floor = load("get", url, token, "/v1/self", CONNECTIONS)
    for by in ("regdevid", "identity"):
        asked = load("ask", url, token, REG_ID, count, by, CONNECTIONS)
        table.add("interrogations by " + {"regdevid": "RegDevID", "identity": "IMEI"}[by], asked["rate"], "/s",
                  ("HTTPS and session alone", floor["rate"]), asked["rate"] / floor["rate"], None,
                  "HTTPS, answer signed and durably in the log with its proof; p99 %.1f ms; %d stored" % (asked["p99_us"] / 1e3, count))


def devices(ground, table):
    count = ground.scale
    with ground.new_realm("devices") as realm:
        conf = realm._write("registry.conf", 'reg-id = "%s";\n' % REG_ID + "".join(
            '%s = "%s";\n' % (item, realm.path(name)) for item, name in
            (("database", "registry.db"), ("kek-file", "registry.kek"), ("key-file", "registry.key"), ("audit-log", "registry.audit"))))

        def fill(first, many, batch):
            return json.loads(ground.run("bench_devices", "fill", conf, first, many, batch, timeout=7200))

        one = fill(0, 2000, 1)
        table.add("records of devices, a durable commit each", one["rate"], "/s", None, None, None, "one after the other, by one writer")
        many = fill(2000, count, 20000)
        table.add("records of devices, 20,000 to a commit", many["rate"], "/s", None, None, None,
                  "%d octets per device on disk, with history, log of transactions and status" % many["octets"])
        read = ground.run_json("bench_devices", "look", conf, 2000 + count, ground.seconds)
        table.add("device by RegDevID or identity, 99th percentile", read["p99_us"], "us", None, None, ("value", "<=", READ_US),
                  "median %d us, %.0f/s, one after the other, with %d stored" % (read["p50_us"], read["rate"], count))
        cold = ground.run_json("bench_devices", "cold", conf, 2000 + count, ground.seconds)
        table.add("the same from a cold disk, 99th percentile", cold["p99_us"], "us", None, None, ("value", "<=", READ_US),
                  "median %d us; the system's cache of the file dropped, then what a node reads at its start: the upper pages of all "
                  "trees; a look-up reads a page of an index and the page of the row" % cold["p50_us"])
        doors(ground, table, realm, conf, count, one["rate"])
        realm.stop()
        imported(ground, table, realm, conf, min(count, 1000000))
