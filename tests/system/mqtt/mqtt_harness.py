# SPDX-License-Identifier: Apache-2.0
"""Debian's mosquitto with the plugin, its own clients, and an agent in plain Python (the proxy's tests have it)."""
import json
import os
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
sys.path[:0] = [os.path.join(TOP, "tests"), os.path.join(TOP, "tools"), os.path.join(TOP, "tests", "system", "proxy")]
from lab.process import Process, free_port, port_open, wait_until  # noqa: E402,F401
from lab.realm import Tree  # noqa: E402
from peers.waiting import PATIENCE, metrics_have, page, undisturbed, until  # noqa: E402,F401
from proxy_harness import BSF, BTID_UNKNOWN, FakeAgent, NOT_AUTHORIZED, TLS13_PSK, UNREACHABLE, btid_of  # noqa: E402,F401

BUILD = os.environ.get("GBA_BUILD", os.path.join(TOP, "build"))
PLUGIN = os.path.join(BUILD, "naf-adapter/mosquitto/.libs/gba_mqtt.so")
CHECKER = os.path.join(BUILD, "naf-adapter/mosquitto/gba-naf-mqtt")
HOST, NAME, OTHER_NAME = "127.0.0.1", "mqtt.example.com", "mqtt2.example.com"
GSID = 1000001
SUITES = {"PSK-AES128-GCM-SHA256": "01000100a8", "ECDHE-PSK-CHACHA20-POLY1305": "010001ccac", "DHE-PSK-AES256-GCM-SHA384": "01000100ab"}
RIGHTS = """  { topic = "devices/%%u/#"; },
  { topic = "fleet/+/position"; access = "read"; gsid = "%d"; flag = 7; },
  { topic = "alarms"; access = "write"; gsid = "%d"; }""" % (GSID, GSID)


class Broker:
    """mosquitto: one listener for devices, one for the ASP's own programs with a password."""

    def __init__(self, folder, agent_socket, listener="", acl=None, tail="", per_listener=False, rights=RIGHTS, **items):
        folder.mkdir()
        self.folder, self.port, self.inner, self.metrics_port = folder, free_port(), free_port(), free_port()
        self.plugin_log, self.items, self.rights, self.agent_socket = folder / "plugin.log", items, rights, agent_socket
        subprocess.run(["mosquitto_passwd", "-b", "-c", str(folder / "passwords"), "backend", "secret"], check=True, capture_output=True)
        (folder / "acl").write_text(acl or "user backend\ntopic readwrite #\n")
        self.write()
        text = "user root\nlog_dest file %s\nlog_type all\n%s" % (folder / "mosquitto.log", "per_listener_settings true\n" * per_listener)
        plugin = "plugin %s\nplugin_opt_conf %s\n" % (PLUGIN, folder / "naf-mqtt.conf")
        shared = "allow_anonymous false\npassword_file %s\n" % (folder / "passwords")
        shared += "acl_file %s\n" % (folder / "acl") if acl is not False else ""
        devices = "listener %d %s\npsk_hint 3GPP-bootstrapping\nciphers PSK\n%s" % (self.port, HOST, listener)
        inner = "listener %d %s\n" % (self.inner, HOST)
        if per_listener:
            text += devices + "allow_anonymous false\n" + plugin + inner + shared
        else:
            text += shared + plugin + devices + inner
        (folder / "mosquitto.conf").write_text(text + tail)
        self.process = Process("mosquitto", [Tree().program("mosquitto"), "-c", str(folder / "mosquitto.conf")], str(folder / "out"),
                               env={"GBA_COREDUMP": "1", "LD_LIBRARY_PATH": os.environ.get("LD_LIBRARY_PATH", "")})

    def write(self):
        items = dict({"wait": 5000, "wait-share": 100, "agent-timeout": 30000, "refused-life": 60, "log-level": '"debug"', "fqdns": '[ "%s", "%s" ]' % (NAME, OTHER_NAME), "gsids": '[ "%d" ]' % GSID,
                      "agent-socket": '"%s"' % self.agent_socket, "log-file": '"%s"' % self.plugin_log,
                      "metrics-listen": '"%s:%d"' % (HOST, self.metrics_port)},
                     **{name.replace("_", "-"): value for name, value in self.items.items()})
        text = "".join("%s = %s;\n" % item for item in items.items()) + "rights = (\n%s\n);\n" % self.rights
        (self.folder / "naf-mqtt.conf").write_text(text)

    def start(self):
        self.process.start()
        assert until(lambda: not self.process.alive() or (port_open(HOST, self.port) and port_open(HOST, self.inner)))
        assert self.process.alive(), self.process.log_text() + self.log("mosquitto.log")
        return self

    def stop(self):
        return self.process.stop(PATIENCE)

    def log(self, name="plugin.log"):
        path = self.folder / name
        return path.read_text(errors="replace") if path.exists() else ""

    @property
    def metrics(self):
        return "http://%s:%d/metrics" % (HOST, self.metrics_port)

    # ---- clients
    def client(self, program, device, *args, suite=None, host=HOST):
        """Command line and environment of a device's client. device: (B-TID, key); suite: TLS 1.2 with it, None: TLS 1.3."""
        identity, key = device
        line = [program, "-h", host, "-p", str(self.port), "--psk", key.hex(), "--psk-identity", "3GPP-bootstrapping;" + identity]
        env = dict(os.environ)
        if suite:
            line += ["--ciphers", suite]
            env["OPENSSL_CONF"] = self.only_tls12()
        else:
            line += ["--tls-version", "tlsv1.3"]
        return line + list(args), env

    def only_tls12(self):
        """A configuration of OpenSSL for a client that knows no TLS 1.3: mosquitto_pub --tls-version tlsv1.2 takes it all the same."""
        path = self.folder / "tls12.cnf"
        if not path.exists():
            path.write_text("openssl_conf = a\n[a]\nssl_conf = b\n[b]\nsystem_default = c\n[c]\nMaxProtocol = TLSv1.2\n")
        return str(path)

    def publish(self, device, topic, text="hello", *args, **kw):
        line, env = self.client("mosquitto_pub", device, "-t", topic, "-m", text, "-q", "1", "-V", "5", *args, **kw)
        return subprocess.run(line, env=env, capture_output=True, text=True, timeout=2 * PATIENCE)

    def subscribe(self, device, topic, *args, **kw):
        line, env = self.client("mosquitto_sub", device, "-t", topic, "-F", "%j", "-V", "5", *args, **kw)
        return Subscriber(self, line, env)

    def backend(self, topic="#"):
        return Subscriber(self, ["mosquitto_sub", "-h", HOST, "-p", str(self.inner), "-u", "backend", "-P", "secret", "-t", topic,
                                 "-q", "1", "-F", "%j", "-i", "backend-" + os.urandom(4).hex()], None)

    def backend_publish(self, topic, text):
        done = subprocess.run(["mosquitto_pub", "-h", HOST, "-p", str(self.inner), "-u", "backend", "-P", "secret", "-t", topic, "-m", text,
                               "-q", "1"], capture_output=True, text=True, timeout=PATIENCE)
        assert done.returncode == 0, done.stderr


class Subscriber:
    """mosquitto_sub in the background; back when the broker has acknowledged its subscription, or it has ended."""

    def __init__(self, broker, line, env):
        before = broker.log("mosquitto.log").count("Sending SUBACK")
        self.process = subprocess.Popen(line, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        until(lambda: broker.log("mosquitto.log").count("Sending SUBACK") > before or self.process.poll() is not None)

    def message(self):
        line = self.process.stdout.readline()
        found = json.loads(line) if line else None
        return found and (found["topic"], found["payload"])

    def ended(self):
        """(status, its standard error), once it has."""
        until(lambda: self.process.poll() is not None)
        return self.process.poll(), self.stop()

    def stop(self):
        if not self.process.stderr.closed:
            self.process.kill()
            self.said = self.process.communicate()[1]
        return self.said

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
