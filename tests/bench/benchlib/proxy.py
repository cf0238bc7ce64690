# SPDX-License-Identifier: Apache-2.0
"""gba-naf-proxy with a BSF that is far away, with requests on sessions that stay, and with sessions at rest.

- Distance: a relay between agent and BSF passes octets on later. Each handshake needs a key that nobody has asked for yet.
- Requests: nginx from Debian as TLS reverse proxy is the floor: two workers as ours, certificate in place of PSK, the same suite,
  the same client, and the same application behind both, another nginx that answers by itself. Neither writes an access log."""
import os
import resource
import subprocess
import sys
import threading
import urllib.request

from lab.process import free_port, port_open, wait_until
from lab.realm import BSF, NAF, q

from .ground import memory
from .psk import Cold, shake
from .table import median

DISTANCES = (0, 5, 50)  # [ms] there and back
HANDSHAKES, AT_ONCE = 4000, 1000
WAITING, WAITING_MS = 10000, 8000
SESSIONS = 64
REQUESTS, IDLE_KIB = 0.7, 40.0
IDLE = 4000
CALM = "max-per-source = 100000;\nkey-cache = 100000;\n"


class Relay:
    def __init__(self, realm, ms):
        self.address = realm.block.address(240)
        script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "relay.py")
        self._process = subprocess.Popen([sys.executable, script, self.address, "3868", realm.address("bsf"), "3868", str(ms)],
                                         stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._process.stdout.readline()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.stdin.close()
        self._process.wait(20)


def distance(ground, table):
    """One realm for each distance: a connection keeps the way it was made."""
    rates = []
    for ms in DISTANCES:
        with ground.new_realm("distance-%d" % ms) as realm:
            cold = start(ground, realm, HANDSHAKES + 1000)
            with Relay(realm, ms) as relay:
                realm.start_agent(bsf=relay.address)
                serving(ground, realm, cold)
                path, count = cold.take(HANDSHAKES)
                result = shake(ground, realm, "1.3", "tokens=" + path, "count=%d" % count, "connections=%d" % AT_ONCE)
                rates.append(result["rate"])
                table.add("cold PSK handshakes, Zn %d ms away" % ms, result["rate"], "/s", ("Zn at 0 ms", rates[0]),
                          result["rate"] / rates[0], None, "%d at once: p50 %.0f ms, p99 %.0f ms, %d bad"
                          % (AT_ONCE, result["p50_us"] / 1e3, result["p99_us"] / 1e3, result["bad"]))


def waiting(ground, table):
    """All of them wait for their keys at the same time, for longer than they need to arrive."""
    with ground.new_realm("waiting") as realm:
        limits = "handshake-timeout = 120000;\nagent-timeout = 60000;\nmax-waiting = 20000;\n"
        cold = start(ground, realm, WAITING + 1000, limits)
        with Relay(realm, WAITING_MS) as relay:
            realm.start_agent(bsf=relay.address, extra="zn-timeout = 60000;\nzn-window = 4096;\nzn-queue = 20000;\n"
                              "requests-max = 20000;\n")
            serving(ground, realm, cold)
            path, count = cold.take(WAITING)
            with Highest(realm.address("proxy"), "gba_naf_proxy_waiting") as most:
                result = shake(ground, realm, "1.3", "tokens=" + path, "count=%d" % count, "connections=%d" % WAITING)
            table.add("handshakes that wait at once", most.value, "", None, None, ("value", ">=", WAITING),
                      "of the proxy's own count, Zn %d ms away; one process, %d good, %d bad; all done after %.1f s"
                      % (WAITING_MS, result["good"], result["bad"], result["max_us"] / 1e6))


class Highest:
    """The highest value a gauge of a node has meanwhile."""

    def __init__(self, address, name):
        self._page, self._name, self.value, self._end = "http://%s:9100/metrics" % address, name, 0, threading.Event()
        self._thread = threading.Thread(target=self._look)

    def _look(self):
        while not self._end.wait(0.1):
            with urllib.request.urlopen(self._page, timeout=30) as page:
                for line in page.read().decode().splitlines():
                    if line.startswith(self._name + " "):
                        self.value = max(self.value, int(float(line.split()[1])))

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._end.set()
        self._thread.join()


def start(ground, realm, contexts, proxy=""):
    tokens = ground.fill_contexts(realm, contexts, BSF)
    with open(tokens, encoding="utf-8") as lines:
        cold = Cold(realm, lines.readlines())
    realm.start_bsf()
    realm.start_application()
    realm.start_proxy(extra=CALM + proxy)
    return cold


def serving(ground, realm, cold):
    path, _ = cold.take(1)

    def one():
        try:
            return shake(ground, realm, "1.3", "tokens=" + path, "count=1", "connections=1")["good"] == 1
        except RuntimeError:
            return False
    wait_until(one, 60, "a first handshake")


NGINX = """daemon off; worker_processes 2; pid %(folder)s/nginx.pid; error_log %(folder)s/error.log crit;
events { worker_connections 8192; }
http {
  access_log off; keepalive_requests 100000000; client_body_temp_path %(folder)s/body; proxy_temp_path %(folder)s/proxy;
  fastcgi_temp_path %(folder)s/fastcgi; uwsgi_temp_path %(folder)s/uwsgi; scgi_temp_path %(folder)s/scgi;
  upstream application { server 127.0.0.1:%(application)d; keepalive 64; keepalive_requests 100000000; }
  %(server)s
}
"""
APPLICATION = 'server { listen 127.0.0.1:%d; location / { default_type text/plain; return 200 "a few words to a device\\n"; } }'
REVERSE = """server { listen 127.0.0.1:%d ssl; ssl_certificate %s; ssl_certificate_key %s; ssl_protocols TLSv1.3;
    location / { proxy_pass http://application; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host; } }"""

ALONE = """server { listen 127.0.0.1:%d ssl; ssl_certificate %s; ssl_certificate_key %s; ssl_protocols TLSv1.3;
    location / { default_type text/plain; return 200 "a few words to a device\\n"; } }"""


class Nginx:
    def __init__(self, realm, name, port, application, server):
        folder = realm.path(name)
        os.makedirs(folder)
        with open(os.path.join(folder, "nginx.conf"), "w", encoding="utf-8") as conf:
            conf.write(NGINX % {"folder": folder, "application": application, "server": server})
        self._process = subprocess.Popen(["nginx", "-p", folder, "-c", os.path.join(folder, "nginx.conf")], stdin=subprocess.DEVNULL,
                                         stderr=subprocess.DEVNULL, env=dict(os.environ, PATH=os.environ["PATH"] + ":/usr/sbin"))
        wait_until(lambda: port_open("127.0.0.1", port), 20, name)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.terminate()
        self._process.wait(20)


def requests(ground, table):
    with ground.new_realm("requests") as realm:
        application, reverse, alone_at = free_port(), free_port(), free_port()
        cold = start_with(ground, realm, application)
        path, _ = cold.take(SESSIONS)
        cert, key = realm.authority.issue(NAF)
        mine, floor, alone = [], [], []
        common = ("path=/", "seconds=%d" % ground.seconds)
        with Nginx(realm, "nginx-application", application, application, APPLICATION % application), \
                Nginx(realm, "nginx-reverse", reverse, application, REVERSE % (reverse, q(cert), q(key))), \
                Nginx(realm, "nginx-alone", alone_at, application, ALONE % (alone_at, q(cert), q(key))):
            def ours(sessions):
                return shake(ground, realm, "1.3", "tokens=" + path, "connections=%d" % sessions, *common)

            def bare(sessions, at=reverse):
                return ground.run_json("psk_load", "1.3", "127.0.0.1:%d" % at, "sni=" + NAF, "certificate=1",
                                       "connections=%d" % sessions, *common)

            for _ in range(ground.rounds):
                floor.append(bare(SESSIONS))
                mine.append(ours(SESSIONS))
                alone.append((ours(1), bare(1), bare(1, alone_at)))
        table.add("HTTP requests on PSK-TLS sessions", median([m["rate"] for m in mine]), "/s",
                  ("nginx as TLS reverse proxy", median([f["rate"] for f in floor])),
                  median([m["rate"] / f["rate"] for m, f in zip(mine, floor)]), ("ratio", ">=", REQUESTS),
                  "%d sessions: p50 %.2f ms, p99 %.2f ms, %d bad; nginx %.2f, %.2f ms"
                  % (SESSIONS, *(median([r[name] for r in runs]) / 1e3 for runs, name in ((mine, "p50_us"), (mine, "p99_us"))),
                     sum(m["bad"] for m in mine), *(median([f[name] for f in floor]) / 1e3 for name in ("p50_us", "p99_us"))))
        for name in ("p50_us", "p99_us"):
            took, floor_took, direct = (median([run[i][name] for run in alone]) for i in range(3))
            table.add("  a request alone, %s" % name[:3], took, "us", ("the same through nginx", floor_took), took / floor_took)
            table.add("  latency added, %s" % name[:3], took - direct, "us", ("added by nginx", floor_took - direct), None, None,
                      "to an application that ends TLS itself: %.0f us" % direct)


def start_with(ground, realm, application):
    """The realm's proxy in front of the application at this port."""
    tokens = ground.fill_contexts(realm, SESSIONS + IDLE + 100, BSF)
    with open(tokens, encoding="utf-8") as lines:
        cold = Cold(realm, lines.readlines())
    realm.start_bsf()
    realm.start_agent()
    conf = realm.proxy_conf(extra=CALM + "workers = 2;\nidle-timeout = 3600000;\n")
    with open(conf, encoding="utf-8") as text:
        changed = text.read().replace(q(realm.address("application") + ":8080"), q("127.0.0.1:%d" % application))
    with open(conf, "w", encoding="utf-8") as out:
        out.write(changed)
    realm.start_program("proxy", "gba-naf-proxy", conf, 443)
    serving(ground, realm, cold)
    return cold


def idle(ground, table):
    with ground.new_realm("idle") as realm:
        cold = start_with(ground, realm, free_port())
        path, _ = cold.take(IDLE)
        # every worker has the keys, and the heap has grown
        shake(ground, realm, "1.3", "tokens=" + path, "count=%d" % (4 * IDLE), "connections=64")
        before = memory(realm.nodes["proxy"].pid)[1]
        with ground.hold("1.3", realm.address("proxy") + ":443", "sni=" + NAF, "tokens=" + path, "connections=%d" % IDLE,
                         "count=%d" % IDLE) as held:
            after = memory(realm.nodes["proxy"].pid)[1]
            if held.port != IDLE:
                raise RuntimeError("%d of %d sessions" % (held.port, IDLE))
        table.add("memory of an idle session", (after - before) / IDLE / 1024, "kB", None, None, ("value", "<=", IDLE_KIB),
                  "anonymous memory of the proxy, %d sessions more" % IDLE)


def proxy(ground, table):
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    for part in (distance, waiting, requests, idle):
        try:
            part(ground, table)
        except Exception as error:  # the next part can be measured all the same
            table.failed(part.__name__, error)
