# SPDX-License-Identifier: Apache-2.0
"""Around the agent: stand-in BSFs that derive keys by themselves, an application that speaks the local socket's protocol in
Python, the example server, and TLS-PSK clients. Shares nothing with the code under test."""
import importlib.util
import os
import re
import socket
import struct
import subprocess
import sys
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
sys.path.insert(0, os.path.join(TOP, "tests"))

from peers import diameter as d, keys  # noqa: E402
from peers.waiting import PATIENCE, until  # noqa: E402

_spec = importlib.util.spec_from_file_location("dia_harness", os.path.join(TOP, "tests", "system", "dia", "conftest.py"))
dia = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(dia)

NAF = "naf1.example.com"
IMPI = "001010000000001@ims.mnc001.mcc001.3gppnetwork.org"
RAND = bytes.fromhex("23553cbe9637a89d218ae64dae47bf35")
KS = bytes.fromhex("b40ba9a3c58b2a05bbf0d987b21bf8cbf769bcd751044604127672711c6d3441")
HTTP_DIGEST, TLS13 = bytes.fromhex("0100000002"), bytes.fromhex("0100000007")
USS = ('<?xml version="1.0"?><ussList><uss id="1000" type="0"><uids><uid>sip:a@one.example</uid></uids>'
       '<flags><flag>3</flag></flags></uss></ussList>')


def ks_naf(naf_id, rand=RAND, kind=keys.ME):
    return keys.ks_naf(KS, rand, IMPI, naf_id, kind)


def btid(domain, rand=RAND):
    return keys.btid_of(rand, domain)


class Bsf:
    """A BSF of one realm. `reply` changes what it says: a function of (connection, request, usual AVPs)."""

    def __init__(self, host, realm, apps=(d.ZN,)):
        self.host, self.realm, self.seen, self.reply, self.life, self.delay = host, realm, [], None, 600, 0
        self.known = {}
        self.apps = list(apps)
        self.server = d.Server(host, realm, self.apps, self.on_request)
        self.port = self.server.port

    def knows(self, name, rand=RAND, life=None):
        self.known[name.encode()] = (rand, life)
        return name

    def usual(self, request):
        context = self.known.get(request.find(401, d.TGPP).value())
        if context is None:
            return [d.experimental(5403)]
        rand, life = context
        naf_id = request.find(402, d.TGPP).value()
        avps = [d.result(2001), d.text(d.USER_NAME, IMPI), d.tgpp(405, ks_naf(naf_id, rand)),
                d.when(404, int(time.time()) + (life if life is not None else self.life), d.TGPP),
                d.when(408, int(time.time()) - 7, d.TGPP)]
        aware = request.find(407, d.TGPP)
        if aware is not None and aware.u32() == 1:
            avps.append(d.tgpp(406, ks_naf(naf_id, rand, keys.UICC)))
        if request.find(403, d.TGPP) is not None:
            avps.append(d.tgpp(400, USS))
        return avps

    def on_request(self, connection, request):
        self.seen.append(request)
        if self.delay:
            time.sleep(self.delay)
        if self.reply is not None:
            return self.reply(connection, request, self.usual(request))
        return request.answer(connection.origin(), self.usual(request))

    def naf_ids(self):
        return [r.find(402, d.TGPP).value() for r in self.seen]

    def stop(self):
        self.server.close()

    def restart(self):
        self.server = d.Server(self.host, self.realm, self.apps, self.on_request, address=("127.0.0.1", self.port))


class Agent:
    """freeDiameterd with the agent, and the BSFs it is connected to."""

    def __init__(self, folder, bsfs, realms, clients='{ user = "*"; fqdns = [ "naf1.example.com", "*.apps.example.com" ]; }',
                 extra="", guard="", y3056=False, audit=None):
        os.makedirs(folder, exist_ok=True)
        self.folder, self.socket, self.bsfs = str(folder), os.path.join(str(folder), "naf.sock"), bsfs
        self.trace = os.path.join(self.folder, "trace")
        conf = os.path.join(self.folder, "naf.conf")
        with open(conf, "w", encoding="ascii") as out:
            out.write("" if "socket =" in extra else 'socket = "%s";\n' % self.socket)
            out.write('socket-mode = "0666";\ntrace-file = "%s";\naudit-log = "%s";\nrealms = ( %s );\nclients = ( %s );\n%s\n'
                      % (self.trace, audit or os.path.join(self.folder, "audit.log"), realms, clients, extra))
        self.daemon = dia.Daemon(os.path.join(self.folder, "d"),
                                 ["dict"] + ["y3056"] * y3056 + ["guard", dia.built("naf-adapter/agent/.libs/naf.fdx") + ":" + conf],
                                 identity="naf.asp.example", realm="asp.example",
                                 servers={b.host: b.port for b in bsfs}, guard=guard)
        for bsf in bsfs:
            assert bsf.server.wait_connected(PATIENCE), self.daemon.log()
        self.settle()

    def settle(self):
        """Until the connections are open on the daemon's side too: a question no longer ends as unreachable."""
        for bsf in self.bsfs:
            domain = bsf.host.split(".", 1)[1]
            assert until(lambda: self.ask(btid("x." + domain), fqdn=NAF, flags=4)[0] != 20), self.daemon.log()
            bsf.seen.clear()

    def ask(self, name, **kw):
        with Local(self.socket) as local:
            return local.ask(name, **kw)

    def log(self):
        return self.daemon.log()

    def events(self, name, count=0):
        """Log lines of one event, as soon as there are so many: a line may come after the answer it is about."""
        def lines():
            return [line for line in self.log().splitlines() if re.search(r" %s( |$)" % re.escape(name), line)]

        until(lambda: len(lines()) >= count)
        return lines()

    def stop(self):
        return self.daemon.stop()


# The local socket's protocol, written from its description in naf-adapter/libnaf/wire.h -----------------------------------
ERRORS = {1: "BTID_UNKNOWN", 2: "BTID_SYNTAX", 10: "NOT_AUTHORIZED", 11: "REALM", 12: "NO_INT_KEY", 20: "UNREACHABLE",
          21: "TIMEOUT", 22: "BUSY", 23: "PEER", 25: "PROTOCOL", 30: "DENIED", 31: "ARGUMENT"}


def element(tag, value):
    return bytes([tag]) + len(value).to_bytes(3, "big") + value


def elements(body):
    out, at = [], 0
    while at < len(body):
        n = int.from_bytes(body[at + 1:at + 4], "big")
        out.append((body[at], body[at + 4:at + 4 + n]))
        at += 4 + n
    return out


def frame(kind, number, body=b"", version=1):
    return struct.pack("!IBBHI", 8 + len(body), version, kind, 0, number) + body


def question(name, fqdn=NAF, ua_id=TLS13, gsids=(), flags=0, timeout=20000, source=None, notices=False):
    body = element(1, name.encode() + b"\0") + element(2, fqdn.encode() + b"\0") + element(3, ua_id)
    body += b"".join(element(4, struct.pack("!I", g)) for g in gsids)
    body += element(5, struct.pack("!I", flags)) + element(6, struct.pack("!I", timeout))
    return body + (element(0x87, source.encode() + b"\0") if source else b"") + (element(0x88, b"") if notices else b"")


class Local:
    """An application. Answers are (error, elements): error 0 and a dict of tag -> value, or the number and its name."""

    def __init__(self, path):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(2 * PATIENCE)
        self.sock.connect(path)
        self.number = 0

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.sock.close()

    def send(self, octets):
        self.sock.sendall(octets)

    def begin(self, name, **kw):
        self.number += 1
        self.send(frame(1, self.number, question(name, **kw)))
        return self.number

    def _read(self, n):
        data = b""
        while len(data) < n:
            got = self.sock.recv(n - len(data))
            if not got:
                raise ConnectionError("end of the connection")
            data += got
        return data

    def answer(self):
        """(number, error, elements)"""
        length = int.from_bytes(self._read(4), "big")
        rest = self._read(length)
        kind, number = rest[1], int.from_bytes(rest[4:8], "big")
        found = dict(elements(rest[8:]))
        if kind == 5:
            return number, 0, elements(rest[8:])
        if kind == 2:
            return number, 0, found
        assert kind == 3
        return number, int.from_bytes(found[32], "big"), found

    def ask(self, name, **kw):
        self.begin(name, **kw)
        return self.answer()[1:]

    def at_end(self):
        try:
            return self.sock.recv(1) == b""
        except ConnectionError:
            return True


# An application with libgba-naf-openssl, and devices -------------------------------------------------------------------
class Echo:
    """naf-adapter/libnaf/examples/tls-echo."""

    def __init__(self, agent_socket, names=(NAF,)):
        self.process = subprocess.Popen([dia.built("naf-adapter/libnaf/examples/tls-echo"), agent_socket, "0", *names],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.port = int(self.process.stdout.readline().split()[1])

    def line(self):
        return self.process.stdout.readline().strip()

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


def s_client(port, key, identity, version, suite=None, name=NAF, text=b"zebra\n"):
    """What openssl s_client got from the server, and whether the handshake was good."""
    command = ["openssl", "s_client", "-connect", "127.0.0.1:%d" % port, "-psk", key.hex(), "-psk_identity", identity,
               "-tls1_2" if version == "1.2" else "-tls1_3", "-quiet", "-no_ign_eof"]
    command += ["-servername", name] if name else ["-noservername"]
    if suite:
        command += ["-cipher" if version == "1.2" else "-ciphersuites", suite]
    return talk(command, text)


def gnutls_cli(port, key, identity, priority, name=NAF, text=b"zebra\n"):
    return talk(["gnutls-cli", "--insecure", "--port", str(port), "--sni-hostname", name, "--pskusername", identity,
                 "--pskkey", key.hex(), "--priority", priority, "127.0.0.1"], text)


def talk(command, text):
    """Send text once the server has greeted; end when it has come back, or the client ends by itself."""
    client = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    os.set_blocking(client.stdout.fileno(), False)
    got, sent, end = b"", False, time.monotonic() + PATIENCE
    while time.monotonic() < end and text.strip() not in got:
        if not sent and b"hello" in got:
            client.stdin.write(text)
            client.stdin.flush()
            sent = True
        got += client.stdout.read() or b""
        if client.poll() is not None:
            got += client.stdout.read() or b""
            break
        time.sleep(0.02)
    client.kill()
    client.wait()
    client.stdin.close()
    client.stdout.close()
    return got.decode(errors="replace")
