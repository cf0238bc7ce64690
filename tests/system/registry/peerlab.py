# SPDX-License-Identifier: Apache-2.0
"""Registries that peer with each other: freeDiameterd with the registry alone, over TLS, on free ports of the loopback; and what
stands outside of them: Ed25519 and the text of an event by openssl and json, from doc/registry-peering.md."""
import hashlib
import json
import os
import ssl
import subprocess
import sys
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
sys.path[:0] = [os.path.join(TOP, "tests"), os.path.join(TOP, "tools")]

from lab.certs import Authority  # noqa: E402
from lab.process import free_port, port_open  # noqa: E402
from peers import diameter as d  # noqa: E402
from peers.waiting import PATIENCE, until  # noqa: E402
from store import File, Schema  # noqa: E402

BUILD = os.environ.get("GBA_BUILD", os.path.join(TOP, "build"))
REALM, REG, RSR, S13, ECR = "registries.test", 4294901764, 8388646, 16777252, 324
REG_ID, STEP, HAVE, ACCEPTS, EVENT = 28, 29, 30, 31, 32
HELLO, EVENTS = 1, 2
MODERN = "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"
PKCS8 = bytes.fromhex("302e020100300506032b657004220420")  # RFC 8410: in front of the 32 octets of a private key


def host_of(reg_id):
    return reg_id.lower() + "." + REALM


class Key:
    """An Ed25519 key of openssl's."""

    def __init__(self, folder, name, seed=None):
        self.seed, self.der = seed or os.urandom(32), os.path.join(folder, name + ".der")
        with open(self.der, "wb") as out:
            out.write(PKCS8 + self.seed)
        public = subprocess.run(["openssl", "pkey", "-inform", "DER", "-in", self.der, "-pubout", "-outform", "DER"],
                                capture_output=True, check=True).stdout
        self.public = public[-32:].hex()

    def write(self, path):
        with open(path, "w", opener=lambda p, f: os.open(p, f, 0o600), encoding="ascii") as out:
            out.write(self.seed.hex() + "\n")

    def sign(self, text):
        path = self.der + ".text"
        with open(path, "wb") as out:
            out.write(text)
        return subprocess.run(["openssl", "pkeyutl", "-sign", "-keyform", "DER", "-inkey", self.der, "-rawin", "-in", path],
                              capture_output=True, check=True).stdout


class Origin:
    """A registry of ours: makes events, stream by stream."""

    def __init__(self, reg_id, key):
        self.reg_id, self.key, self.streams = reg_id, key, {}

    def event(self, kind, subject, body, keep=True, **change):
        stream = kind.split(".")[0]
        number, previous = self.streams.get(stream, (0, "0" * 64))
        members = {"at": int(time.time()), "body": body, "kind": kind, "lamport": int(time.time() * 1000) - 1000 + number,
                   "number": number + 1, "origin": self.reg_id, "previous": previous, "subject": subject}
        members.update(change)
        text = json.dumps(members, sort_keys=True, separators=(",", ":")).encode()
        if keep:
            self.streams[stream] = (number + 1, hashlib.sha256(text).hexdigest())
        return self.key.sign(text) + text


def our(code, data):
    if isinstance(data, int):
        return d.u32(code, data, d.Y3056, m=False)
    return d.Avp(code, data.encode() if isinstance(data, str) else data, d.Y3056, m=False)


def app_avps(peer, app, vendor):
    """Head of a request in an application of any vendor."""
    avps = peer.header_avps(app, REALM, None)
    return [a if a.code != 260 else d.Avp(260, [d.u32(266, vendor), d.u32(258, app)]) for a in avps]


def rsr(peer, reg_id, step, haves=(), accepts=(), events=()):
    avps = app_avps(peer, REG, d.Y3056) + [our(REG_ID, reg_id), our(STEP, step)] + [our(HAVE, h) for h in haves]
    return d.Message(RSR, REG, avps + [our(ACCEPTS, a) for a in accepts] + [our(EVENT, e) for e in events])


def texts(answer, code):
    return [a.value().decode() for a in answer.avps if a.vendor == d.Y3056 and a.code == code]


class Registry:
    """One daemon. neighbours: [(Registry or Origin-like with .reg_id .key .kind, bond, extra text)]"""

    def __init__(self, lab, reg_id, kind, parent=""):
        self.lab, self.reg_id, self.kind, self.parent = lab, reg_id, kind, parent
        self.folder = os.path.join(lab.folder, reg_id)
        os.makedirs(self.folder, mode=0o700)
        self.key, self.port, self.metrics, self.neighbours, self.process = Key(self.folder, "registry"), free_port(), free_port(), [], None
        self.plain_port = free_port()
        self.key.write(self.path("registry.key"))
        self.store = Schema(lab.server) if lab.server else File(self.path("registry.db"))
        self.extra, self.priority, self.others = "", MODERN, []

    def path(self, name):
        return os.path.join(self.folder, name)

    @property
    def database(self):
        return self.store.url

    def _write(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as out:
            out.write(text)
        return self.path(name)

    def conf(self):
        groups = ",\n".join('  { reg-id = "%s"; host = "%s"; key = "%s"; reg-type = "%s"; bond = "%s"; %s }'
                            % (n.reg_id, host_of(n.reg_id), n.key.public, n.kind, bond, extra) for n, bond, extra in self.neighbours)
        return ('log-level = "info";\nlog-file = "%s";\nreg-id = "%s";\nreg-type = "%s";\nparent = "%s";\ndatabase = "%s";\n'
                'kek-file = "%s";\nkey-file = "%s";\nmetrics-listen = "127.0.0.1:%d";\nstore-timeout = 20000;\nneighbours = (\n%s\n);\n%s'
                % (self.path("log"), self.reg_id, self.kind, self.parent, self.database, self.path("registry.kek"),
                   self.path("registry.key"), self.metrics, groups, self.extra))

    def daemon_conf(self):
        cert, key = self.lab.authority.issue(host_of(self.reg_id))
        guard = self._write("guard.conf", 'listen = [ "127.0.0.1" ];\n')
        tree = [("dict/.libs/dict_gba.fdx", ""), ("dict/.libs/dict_y3056.fdx", ""), ("lib/dia/guard/.libs/gba_guard.fdx", guard),
                ("registry-fn/.libs/registry_fn.fdx", self._write("registry.conf", self.conf()))]
        lines = ['Identity = "%s";' % host_of(self.reg_id), 'Realm = "%s";' % REALM, "Port = %d;" % self.plain_port,
                 "SecPort = %d;" % self.port, "No_SCTP;", "No_IPv6;", "NoRelay;", "AppServThreads = 2;", "TcTimer = 1;", "TwTimer = 6;",
                 'TLS_Cred = "%s", "%s";' % (cert, key), 'TLS_CA = "%s";' % self.lab.authority.ca, 'TLS_Prio = "%s";' % self.priority]
        lines += ['LoadExtension = "%s"%s;' % (os.path.join(BUILD, path), ' : "%s"' % arg if arg else "") for path, arg in tree]
        for other, _, _ in self.neighbours:
            lines.append('ConnectPeer = "%s" { ConnectTo = "127.0.0.1"; Port = %d; No_SCTP; };' % (host_of(other.reg_id), other.port))
        for name, options in self.others:
            lines.append('ConnectPeer = "%s" { ConnectTo = "127.0.0.1"; Port = 9; No_SCTP; TcTimer = 3600; %s };' % (name, options))
        return self._write("fd.conf", "\n".join(lines) + "\n")

    def start(self, wait=True):
        # as gba-registry does it: without it two threads share a GnuTLS session at a connection's end
        tune = os.path.join(BUILD, "lib", "dia", ".libs", "gba_fdtune.so")
        preload = " ".join(filter(None, [os.environ.get("LD_PRELOAD"), tune if os.path.exists(tune) else None]))
        with open(self.path("out"), "ab") as out:
            self.process = subprocess.Popen(["freeDiameterd", "-c", self.daemon_conf()], stdin=subprocess.DEVNULL, stdout=out,
                                            stderr=subprocess.STDOUT,
                                            env=dict(os.environ, PATH=os.environ["PATH"] + ":/usr/sbin", LD_PRELOAD=preload))
        return self.started() if wait else self

    def started(self):
        assert until(lambda: self.process.poll() is not None or port_open("127.0.0.1", self.metrics), 2 * PATIENCE), self.out()
        assert self.process.poll() is None and until(lambda: port_open("127.0.0.1", self.port)), self.out()
        return self

    def out(self):
        text = ""
        for name in ("out", "log"):
            if os.path.exists(self.path(name)):
                with open(self.path(name), encoding="utf-8", errors="replace") as log:
                    text += log.read()
        return text

    def kill(self):
        self.process.kill()
        self.process.wait()

    def rows(self, sql, *args):
        return self.store.rows(sql, *args)

    def status(self, subject):
        """0 grey, 1 white, 2 black; None: never heard of."""
        rows = self.rows("SELECT status FROM event_subject WHERE subject = ?", subject)
        return rows[0][0] if rows else None

    def state(self):
        """All that it says of subjects and streams."""
        return (self.rows("SELECT subject, registry, removed, status, lamport, origin FROM event_subject ORDER BY subject"),
                self.rows("SELECT origin, class, number, digest FROM event_stream WHERE class <> 0 ORDER BY origin, class"),
                self.rows("SELECT count(*) FROM event WHERE class <> 0"))

    def link(self, other):
        rows = self.rows("SELECT state FROM peering WHERE reg_id = ?", other.reg_id)
        return rows[0][0] if rows else None

    def tool(self):
        return Tool(self)

    def tls(self, name=None, version=None):
        """A context of a client with a certificate of the CA."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(self.lab.authority.ca)
        context.check_hostname = False
        if name is not None:
            context.load_cert_chain(*self.lab.authority.issue(name))
        context.minimum_version = context.maximum_version = version or ssl.TLSVersion.TLSv1_2
        if version in (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1):
            context.set_ciphers("DEFAULT@SECLEVEL=0")
        return context

    def client(self, host, apps=(REG,), secure=True, on_request=None):
        return d.Client(("127.0.0.1", self.port if secure else self.plain_port), host, REALM, list(apps), on_request=on_request,
                        tls=self.tls(host) if secure else None, server_hostname=host_of(self.reg_id) if secure else None)


class Tool:
    """Says something in the registry's name, in its database."""

    def __init__(self, registry):
        self.process = subprocess.Popen([os.path.join(BUILD, "tests/system/registry/eventtool"), registry.database,
                                         registry.path("registry.key"), registry.reg_id, registry.kind],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def say(self, kind, subject, body=None):
        """What came of it; a store that is busy is asked again."""
        def said():
            self.process.stdin.write("%s %s %s\n" % (kind, subject, json.dumps(body if body is not None else {})))
            self.process.stdin.flush()
            answer = self.process.stdout.readline().strip()
            return answer if answer != "GBA_E_BUSY" else None

        return until(said, 2 * PATIENCE)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.process.stdin.close()
        self.process.wait(PATIENCE)
        self.process.stdout.close()


class Lab:
    def __init__(self, folder, server=None):
        self.folder, self.server = str(folder), server
        os.makedirs(self.folder, exist_ok=True)
        self.authority, self.registries = Authority(os.path.join(self.folder, "ca")), {}

    def registry(self, reg_id, kind, parent=""):
        self.registries[reg_id] = Registry(self, reg_id, kind, parent)
        return self.registries[reg_id]

    def bond(self, above, below, extra=""):
        above.neighbours.append((below, "child", extra))
        below.neighbours.append((above, "parent", extra))

    def peers(self, one, other, extra=""):
        one.neighbours.append((other, "peer", extra))
        other.neighbours.append((one, "peer", extra))

    def start(self):
        for one in self.registries.values():
            one.start(wait=False)
        for one in self.registries.values():
            one.started()
        return self

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        running = [r.process for r in self.registries.values() if r.process is not None and r.process.poll() is None]
        for process in running:
            process.terminate()
        for process in running:
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
