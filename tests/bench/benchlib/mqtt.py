# SPDX-License-Identifier: Apache-2.0
"""Debian's mosquitto with our plugin, keys from the agent, against the same mosquitto with a psk_file of the same keys: handshakes with
keys it has and keys it must fetch, and messages of one device through PSK-TLS 1.3 to a program of the ASP. Programs are mosquitto's own."""
import base64
import os
import subprocess
import time

from lab.process import Process, free_port, port_open, wait_until
from lab.realm import BSF, GSID, NAF, q

from peers.keys import ks_naf

from .ground import Stopwatch
from .table import median

TOKENS, WARM_KEYS, COLD = 4000, 200, 1000
MESSAGES = 20000
UA_ID = "0100000007"  # PSK-TLS 1.3
FLOOR = "mosquitto with psk_file"
BROKER = "/usr/sbin/mosquitto"


def key_of(line):
    """(B-TID, key in hex) of a line of tokens: TS 33.220 Annex B."""
    btid, impi, ks = line.split()
    rand = base64.b64decode(btid.split("@")[0])
    return btid, ks_naf(bytes.fromhex(ks), rand, impi, NAF.encode() + bytes.fromhex(UA_ID)).hex()


class Broker:
    def __init__(self, realm, name, text):
        self.port, self.inner = free_port(), free_port()
        conf = realm.path(name + ".conf")
        with open(conf, "w", encoding="utf-8") as out:
            out.write("%slog_type error\nallow_anonymous true\nset_tcp_nodelay true\nmax_queued_messages 0\nacl_file %s\n%slistener %d 127.0.0.1\n"
                      "psk_hint 3GPP-bootstrapping\nciphers PSK\nlistener %d 127.0.0.1\n"
                      % ("user root\n" if os.getuid() == 0 else "", realm.path("acl"), text, self.port, self.inner))
        self.process = Process(name, [BROKER, "-c", conf], realm.path(name + ".out"), env=realm.tree.environment()).start()
        wait_until(lambda: port_open("127.0.0.1", self.inner) or not self.process.alive(), 20, name)
        if not self.process.alive():
            raise RuntimeError("%s: %s" % (name, self.process.log_text()[-300:]))

    def stop(self):
        self.process.stop(20)

    def handshakes(self, ground, tokens, *words):
        return ground.run_json("psk_load", "1.3", "127.0.0.1:%d" % self.port, "sni=" + NAF, "tokens=" + tokens, *words, timeout=60)

    def messages(self, btid, key):
        """Messages a second of one device to one program of the ASP, QoS 1 from the device's side."""
        at = ["mosquitto_sub", "-h", "127.0.0.1", "-p", str(self.inner), "-i", "backend", "-c", "-q", "1", "-t", "devices/#"]
        subprocess.run([*at, "-E"], check=True, timeout=20, capture_output=True)  # its subscription stays, and its messages wait for it
        began = time.monotonic()
        with subprocess.Popen([*at, "-C", str(MESSAGES)], stdout=subprocess.DEVNULL) as sub:
            subprocess.run(["mosquitto_pub", "-h", "127.0.0.1", "-p", str(self.port), "--psk", key, "--psk-identity", "3GPP-bootstrapping;" + btid,
                            "--tls-version", "tlsv1.3", "-q", "1", "-t", "devices/x/reading", "-l"], input=b"47.1\n" * MESSAGES, check=True,
                           timeout=60, capture_output=True)
            sub.wait(60)
        return MESSAGES / (time.monotonic() - began)


def brokers(realm, lines):
    with open(realm.path("acl"), "w", encoding="utf-8") as out:
        out.write("topic readwrite devices/#\n")  # who has no name
    with open(realm.path("psk"), "w", encoding="utf-8") as out:
        out.writelines("3GPP-bootstrapping;%s:%s\n" % key_of(line) for line in lines)
    plugin = realm._write("naf-mqtt.conf", "fqdns = [ %s ];\ngsids = [ %s ];\nagent-socket = %s;\nidentity = \"uids-impi\";\nlog-level = \"warning\";\n"
                          "rights = ( { topic = \"devices/#\"; } );\n" % (q(NAF), q(GSID), q(realm.path("naf.sock"))))
    return (Broker(realm, "floor", "psk_file %s\n" % realm.path("psk")),
            Broker(realm, "mqtt", "plugin %s\nplugin_opt_conf %s\n" % (realm.tree.plugin("gba_mqtt.so"), plugin)))


def mqtt(ground, table):
    if not os.path.exists(BROKER):
        raise RuntimeError("mosquitto is not installed")
    with ground.new_realm("mqtt") as realm:
        realm.impi_allowed = True
        with open(ground.fill_contexts(realm, TOKENS, BSF), encoding="utf-8") as tokens:
            lines = tokens.readlines()
        realm.start_bsf()
        realm.start_agent()
        warm, cold = realm.path("tokens.warm"), realm.path("tokens.cold")
        for path, some in ((warm, lines[:WARM_KEYS]), (cold, lines[WARM_KEYS:WARM_KEYS + COLD])):
            with open(path, "w", encoding="utf-8") as out:
                out.writelines(some)
        floor, mine = brokers(realm, lines[:WARM_KEYS])
        try:
            measure(ground, table, floor, mine, warm, cold, lines[0])
        finally:
            floor.stop()
            mine.stop()


def measure(ground, table, floor, mine, warm, cold, line):
    wait_until(lambda: mine.handshakes(ground, warm, "count=1", "connections=1")["good"] == 1, 30, "a first handshake")
    wait_until(lambda: mine.handshakes(ground, warm, "count=%d" % WARM_KEYS, "connections=1")["bad"] == 0, 60, "warm keys")
    rounds = []
    for _ in range(ground.rounds):
        ratio = [broker.handshakes(ground, warm, "connections=8", "seconds=%d" % ground.seconds) for broker in (floor, mine)]
        watch = Stopwatch(mine.process.pid)
        rate = [broker.messages(*key_of(line)) for broker in (floor, mine)]
        rounds.append((*ratio, *rate, watch.seconds()))
    shaken, bad = [median([one[at]["rate"] for one in rounds]) for at in (0, 1)], rounds[-1][1]["bad"]
    table.add("MQTT handshake TLS 1.3, warm key", shaken[1], "/s", (FLOOR, shaken[0]), median([one[1]["rate"] / one[0]["rate"] for one in rounds]), None,
              "p99 %.1f ms, %d bad; the broker has one thread" % (rounds[-1][1]["p99_us"] / 1e3, bad))
    result = mine.handshakes(ground, cold, "count=%d" % COLD, "connections=1")
    table.add("MQTT handshake TLS 1.3, cold key, one device at a time", result["rate"], "/s", (FLOOR, shaken[0]), result["rate"] / shaken[0], None,
              "at the first attempt %d of %d, p50 %.1f ms, p99 %.1f ms" % (result["good"], COLD, result["p50_us"] / 1e3, result["p99_us"] / 1e3))
    sent = [median([one[at] for one in rounds]) for at in (2, 3)]
    table.add("MQTT messages of one device, QoS 1", sent[1], "/s", (FLOOR, sent[0]), median([one[3] / one[2] for one in rounds]), None,
              "%.1f us of the broker's time each" % (median([one[4] for one in rounds]) / MESSAGES * 1e6))
