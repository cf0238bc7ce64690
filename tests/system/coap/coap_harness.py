# SPDX-License-Identifier: Apache-2.0
"""gba-naf-coap between devices and applications of plain Python, and an agent of plain Python (the proxy's tests have it). Devices are
openssl s_client speaking DTLS and CoAP messages written here (RFC 7252 3): any option can be sent."""
import array
import fcntl
import json
import os
import re
import select
import socket
import struct
import subprocess
import sys
import termios
import threading
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
sys.path[:0] = [os.path.join(TOP, "tests"), os.path.join(TOP, "tools"), os.path.join(TOP, "tests", "system", "proxy")]
from lab.process import Process, free_port  # noqa: E402
from peers.fake_bsf import FakeBsf  # noqa: E402
from peers.waiting import PATIENCE, metrics_have, undisturbed, until  # noqa: E402,F401
from proxy_harness import BTID_UNKNOWN, UNREACHABLE, Application, FakeAgent, btid_of, header, q  # noqa: E402,F401

BUILD = os.environ.get("GBA_BUILD", os.path.join(TOP, "build"))
PROGRAM = os.path.join(BUILD, "naf-adapter/coap/gba-naf-coap")
HOST, NAME, GSID = "127.0.0.1", "coap.example.com", 1000001
SUITE, UA_ID = "PSK-AES128-GCM-SHA256", "01000100a8"
URI_HOST, OBSERVE, URI_PATH, CONTENT_FORMAT, URI_QUERY, ACCEPT, PROXY_URI = 3, 6, 11, 12, 15, 17, 35
IDENTITY = 65002  # doc/asp-guide.md
GET, POST, PUT, DELETE = 1, 2, 3, 4
TEXT, OCTETS, JSON, CBOR = 0, 42, 50, 60


def extended(value):
    """(nibble, octets behind it) of an option's delta or length, RFC 7252 3.1."""
    if value < 13:
        return value, b""
    return (13, bytes([value - 13])) if value < 269 else (14, struct.pack(">H", value - 269))


def message(kind, code, ident, token=b"", options=(), body=b""):
    out, last = bytearray(struct.pack(">BBH", 0x40 | kind << 4 | len(token), code, ident) + token), 0
    for number, value in sorted(options, key=lambda option: option[0]):
        (delta, more), (length, longer) = extended(number - last), extended(len(value))
        out += bytes([delta << 4 | length]) + more + longer + value
        last = number
    return bytes(out + (b"\xff" + body if body else b""))


def parsed(octets):
    """(type, code, id, token, options, body)"""
    first, code, ident = struct.unpack(">BBH", octets[:4])
    at, number, options = 4 + (first & 15), 0, []
    token = octets[4:at]

    def number_of(nibble):
        nonlocal at
        if nibble < 13:
            return nibble
        n = 1 if nibble == 13 else 2
        value = int.from_bytes(octets[at:at + n], "big") + (13 if n == 1 else 269)
        at += n
        return value
    while at < len(octets) and octets[at] != 0xff:
        head = octets[at]
        at += 1
        number += number_of(head >> 4)
        length = number_of(head & 15)
        options.append((number, octets[at:at + length]))
        at += length
    return first >> 4 & 3, code, ident, token, options, octets[at + 1:]


class Reply:
    def __init__(self, octets):
        self.octets = octets
        self.kind, code, self.ident, self.token, self.options, self.body = parsed(octets)
        self.code = "%d.%02d" % (code >> 5, code & 31)

    def option(self, number):
        return [value for n, value in self.options if n == number]


class Device:
    """One DTLS session: openssl s_client, whose input and output are datagrams."""

    def __init__(self, port, btid, key, name=NAME):
        self.process = subprocess.Popen(
            ["openssl", "s_client", "-dtls1_2", "-connect", "%s:%d" % (HOST, port), "-psk", key.hex(), "-psk_identity",
             "3GPP-bootstrapping;" + btid, "-cipher", SUITE, "-servername", name, "-quiet", "-timeout"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0)
        self.ident, self.acknowledged = int.from_bytes(os.urandom(2), "big"), []  # (code, token) of acknowledgements seen

    def has_read(self):
        """Nothing is left in the pipe: a handshake reads nothing."""
        return array.array("i", fcntl.ioctl(self.process.stdin, termios.FIONREAD, b"\0" * 4))[0] == 0

    def send(self, octets):
        """s_client makes a datagram of what it reads at once: one message at a time."""
        assert until(lambda: self.has_read() or self.process.poll() is not None), "never read"
        self.process.stdin.write(octets)

    def post(self, path):
        """Ask, and wait for nothing."""
        self.ident = (self.ident + 1) & 0xffff
        self.send(message(0, GET, self.ident, os.urandom(4), [(URI_PATH, one.encode()) for one in path.split("/")[1:]]))

    def ask(self, code=GET, path="/", options=(), body=b"", patience=PATIENCE, kind=0, token=None):
        """The answer, or None when there is none in time."""
        segments = [(URI_PATH, one.encode()) for one in path.split("?")[0].split("/")[1:] if one]
        queries = [(URI_QUERY, one.encode()) for one in path.split("?")[1].split("&")] if "?" in path else []
        self.ident, token, until_then = (self.ident + 1) & 0xffff, token or os.urandom(4), time.monotonic() + patience
        request = message(kind, code, self.ident, token, segments + queries + list(options), body)
        again = 0
        while time.monotonic() < until_then:
            if time.monotonic() >= again and (again == 0 or self.has_read()):  # RFC 7252 4.2: a confirmable message is sent again
                again = time.monotonic() + 5
                try:
                    self.send(request)
                except BrokenPipeError:
                    return None
            if not select.select([self.process.stdout], [], [], max(0.05, min(again, until_then) - time.monotonic()))[0]:
                continue
            reply = self.read()
            if reply is None or (reply.token == token and reply.code != "0.00"):
                return reply
        return None

    def read(self, rejects=False):
        """What comes next; None at the end."""
        octets = os.read(self.process.stdout.fileno(), 65536)
        if not octets:
            return None
        reply = Reply(octets)
        if reply.kind == 2:
            self.acknowledged.append((reply.octets[1], reply.token))
        if reply.kind == 0 or rejects:  # a message of its own: acknowledged (RFC 7252 5.2.2), or rejected (4.2)
            self.send(message(3 if rejects else 2, 0, reply.ident))
        return reply

    def hear(self, token, rejects=False, patience=PATIENCE):
        """The next notification for this token."""
        until_then = time.monotonic() + patience
        while time.monotonic() < until_then:
            if not select.select([self.process.stdout], [], [], max(0, until_then - time.monotonic()))[0]:
                continue
            reply = self.read(rejects)
            if reply is None or reply.token == token:
                return reply
        return None

    def close(self):
        self.process.kill()
        self.said = self.process.communicate()[1].decode(errors="replace")
        return self.said

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class CoapApplication:
    """An application that speaks CoAP and keeps requests as they came. answer: (code, options, body), or None: silence. Who observes
    (RFC 7641) is among the observers, (token, address), while it is observable; replied: (type, id) of what came back on notices."""

    def __init__(self):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((HOST, 0))
        self.port, self.requests, self.answer = self.socket.getsockname()[1], [], (69, [(CONTENT_FORMAT, b"")], b"hello")
        self.observable, self.observers, self.replied, self.noticed = False, [], [], 0
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                octets, peer = self.socket.recvfrom(65536)
            except OSError:
                return
            kind, code, ident, token, options, body = parsed(octets)
            if kind != 0 or code == 0:
                self.replied.append((kind, ident))
                continue
            self.requests.append((code, options, body))
            observe, more = [value for number, value in options if number == OBSERVE], []
            if observe == [b"\1"]:
                self.observers = [one for one in self.observers if one != (token, peer)]
            elif observe == [b""] and self.observable:
                self.observers = [one for one in self.observers if one != (token, peer)] + [(token, peer)]
                more = [(OBSERVE, b"")]
            if self.answer is not None:
                self.socket.sendto(message(2, self.answer[0], ident, token, more + self.answer[1], self.answer[2]), peer)

    def notify(self, body, kind=1, code=69):
        """Tell those who observe; an error is told without Observe, and ends it (RFC 7641 4.2)."""
        self.noticed += 1
        for token, peer in self.observers:
            options = [(OBSERVE, struct.pack(">H", 0x100 + self.noticed))] if code < 128 else []
            self.socket.sendto(message(kind, code, 0x7000 + self.noticed, token, options + [(CONTENT_FORMAT, b"")] * (code < 128), body), peer)
        if code >= 128:
            self.observers = []

    def close(self):
        self.socket.close()


class Naf:
    """gba-naf-coap in front of one application."""

    def __init__(self, folder, agent_socket, upstream, **items):
        folder.mkdir()
        self.folder, self.port, self.metrics_port = folder, free_port(), free_port()
        values = dict({"listen": q("%s:%d" % (HOST, self.port)), "fqdn": q(NAME), "upstream": q(upstream), "agent-socket": q(agent_socket),
                       "metrics-listen": q("%s:%d" % (HOST, self.metrics_port)), "gsids": '[ "%d" ]' % GSID, "wait": 5000, "wait-share": 100,
                       "agent-timeout": 30000, "upstream-timeout": 30000, "refused-life": 60,
                       "log-file": q(str(folder / "log"))}, **{name.replace("_", "-"): value for name, value in items.items()})
        (folder / "conf").write_text("".join("%s = %s;\n" % item for item in values.items()))
        self.process = Process("coap", [PROGRAM, "-c", str(folder / "conf")], str(folder / "out"), env={"GBA_COREDUMP": "1"})

    def start(self):
        self.process.start()
        assert until(lambda: not self.process.alive() or "coap.start" in self.log())
        assert self.process.alive(), self.process.log_text()
        return self

    def stop(self):
        return self.process.stop(PATIENCE)

    def log(self):
        path = self.folder / "log"
        return path.read_text(errors="replace") if path.exists() else ""

    @property
    def metrics(self):
        return "http://%s:%d/metrics" % (HOST, self.metrics_port)

    def device(self, btid, key, **more):
        return Device(self.port, btid, key, **more)


class Sessions(dict):
    """Of a BSF; told(B-TID) of each before its device hears of it."""
    told = None

    def __setitem__(self, btid, session):
        super().__setitem__(btid, session)
        if self.told:
            self.told(btid)


class Ue:
    """gba-ue with a BSF of plain Python. The agent knows its tokens from known() on, and of new ones at once where `teach` is True.
    Keys by the formulas, not by gba-ue."""
    IMPI, BSF, SUITE = "001010000000001@ims.mnc001.mcc001.3gppnetwork.org", "bsf.mnc001.mcc001.pub.3gppnetwork.org", "010001ccac"

    def __init__(self, world, folder):
        self.world, self.state, self.program = world, str(folder / "ue"), os.path.join(BUILD, "ue/gba-ue")
        self.bsf, self.teach = FakeBsf(self.BSF), False
        self.bsf.sessions = Sessions()
        self.bsf.sessions.told = lambda btid: self.teach and self.known(btid)

    def __enter__(self):
        k, opc = os.urandom(16).hex(), os.urandom(16).hex()
        self.bsf.__enter__()
        self.bsf.add(self.IMPI, k, opc)
        self.run("usim", "create", "--imsi", "001010000000001", "--key-file", "-", stdin="k=%s\nopc=%s\n" % (k, opc))
        self.run("profile", "add", "home", "--bsf", self.BSF, "--connect", self.bsf.address)
        return self

    def __exit__(self, *error):
        self.bsf.__exit__(*error)

    def command(self, *words):
        return [self.program, "--state", self.state, "--json", *words]

    def run(self, *words, stdin=None):
        """(status, what it said)"""
        done = subprocess.run(self.command(*words), input=stdin, capture_output=True, text=True, timeout=60, check=False)
        return done.returncode, json.loads(done.stdout) if done.stdout.strip() else done.stderr

    def bootstrap(self):
        return self.run("bootstrap", "--force")[1]["btid"]

    def known(self, *btids, **values):
        for btid in btids or self.bsf.order:
            key = self.bsf.sessions[btid].ks_naf(NAME, self.SUITE)
            self.world.agent.keys[(btid, NAME, self.SUITE)] = dict(dict(key=key, expiry=time.time() + 3600, life=None, impi=self.IMPI, int_key=None,
                                                                       uss={GSID: (["sip:ue@example.com"], [])}), **values)

    def get(self, naf, path="/x", *words):
        return self.run("get", "coaps://%s%s" % (NAME, path), "--connect", "%s:%d" % (HOST, naf.port), *words)


def alerts(said):
    return re.findall(r"alert [a-z ]+", said)
