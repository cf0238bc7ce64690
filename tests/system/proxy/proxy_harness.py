# SPDX-License-Identifier: Apache-2.0
"""What the proxy's tests stand on, in plain Python and nothing of ours: an agent that speaks the local socket's protocol from its
description, an application that counts what reaches it, Digest arithmetic of RFC 7616, clients on raw sockets."""
import base64
import hashlib
import os
import re
import signal
import socket
import socketserver
import ssl
import struct
import subprocess
import sys
import threading
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
sys.path[:0] = [os.path.join(TOP, "tests"), os.path.join(TOP, "tools")]
from lab.certs import Authority  # noqa: E402
from lab.process import Process, free_port, port_open  # noqa: E402,F401
from peers.digest import parameters, response  # noqa: E402
from peers.waiting import PATIENCE, page, undisturbed, until  # noqa: E402

BUILD = os.environ.get("GBA_BUILD", os.path.join(TOP, "build"))
PROXY = os.path.join(BUILD, "naf-adapter/proxy/gba-naf-proxy")
HOST = "127.0.0.1"
NAF, NAF2, STREAM, UICC = "naf1.example.com", "naf2.example.com", "mqtt.example.com", "uicc.example.com"
BSF = "bsf.mnc001.mcc001.pub.3gppnetwork.org"
HTTP_DIGEST, TLS13_PSK = "0100000002", "0100000007"

BTID_UNKNOWN, NOT_AUTHORIZED, UNREACHABLE, BUSY = 1, 10, 20, 22  # enum gba_naf_error


def btid_of(number):
    return base64.b64encode(struct.pack(">QQ", 0x0123456789abcdef, number)).decode() + "@" + BSF


# ---- the agent

class FakeAgent(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """keys[(btid, fqdn, Ua identifier in hex)] = dict(key=..., expiry=..., int_key=..., impi=..., uss={gsid: ([uid], [flag])});
    life in place of expiry counts from the first answer. Who asks for notices (or says so with a frame of its own) is in `watching`.
    Limits of applications are kept as the real one does: `limits`, (B-TID, fqdn): instant.
    hold(btid) keeps the answers about a device back until release()."""
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, path):
        super().__init__(path, AgentHandler)
        self.sources = []
        self.keys, self.asked, self.answered, self.error, self.silent = {}, [], [], None, False
        self.limits = {}
        self.held, self.go, self.watching = None, threading.Event(), []
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def add(self, number, fqdn=NAF, ua_id=HTTP_DIGEST, **values):
        """A device's key; returns (B-TID, key)."""
        key = hashlib.sha256(("%d %s %s" % (number, fqdn, ua_id)).encode()).digest()
        entry = dict(key=key, expiry=time.time() + 3600, life=None, impi=None, uss={}, int_key=None)
        entry.update(values)
        self.keys[(btid_of(number), fqdn, ua_id)] = entry
        return btid_of(number), entry["key"]

    def revoke(self, btid, *fqdns):
        """A notice to all who watch: the B-TID has ended, or for these names what it stands for has changed."""
        out = element(0xa2, hashlib.sha256(btid.encode()).digest()) + b"".join(element(2, f.encode() + b"\0") for f in fqdns)
        for sock, lock in list(self.watching):
            try:
                with lock:
                    sock.sendall(struct.pack(">IBBHI", len(out) + 8, 1, 5, 0, 0) + out)
            except OSError:
                self.watching.remove((sock, lock))

    def hang_up(self):
        """End every connection, as a restart does."""
        gone, self.watching = self.watching, []  # who is back at once is among the new ones
        for sock, _ in gone:
            sock.shutdown(socket.SHUT_RDWR)

    def hold(self, btid):
        self.go.clear()
        self.held = btid

    def release(self):
        self.held = None
        self.go.set()

    def expire(self, btid):
        """Wait until this key has."""
        expiry = max(entry["expiry"] for (name, _, _), entry in self.keys.items() if name == btid)
        assert until(lambda: time.time() > expiry + 0.1)


def element(tag, value):
    return struct.pack(">B", tag) + struct.pack(">I", len(value))[1:] + value


def elements(body):
    while body:
        tag, length = body[0], int.from_bytes(body[1:4], "big")
        yield tag, body[4:4 + length]
        body = body[4 + length:]


class AgentHandler(socketserver.BaseRequestHandler):
    def handle(self):
        lock = threading.Lock()
        stream = self.request.makefile("rb")
        while True:
            head = stream.read(12)
            if len(head) < 12:
                return
            length, version, kind, _, ident = struct.unpack(">IBBHI", head)
            body = stream.read(length - 8)
            assert version == 1
            if kind == 6:
                self.server.watching.append((self.request, lock))
            if kind == 1:
                threading.Thread(target=self.answer, args=(lock, ident, body), daemon=True).start()

    def answer(self, lock, ident, body):
        values = {}
        if (0x88, b"") in elements(body) and (self.request, lock) not in self.server.watching:
            self.server.watching.append((self.request, lock))
        for tag, value in elements(body):
            values.setdefault(tag & 0x7f, []).append(value)
        question = (values[1][0].rstrip(b"\0").decode(), values[2][0].rstrip(b"\0").decode(), values[3][0].hex())
        self.server.asked.append(question)
        self.server.sources.append(values.get(7, [b"\0"])[0].rstrip(b"\0").decode())
        if self.server.silent:
            return
        name = question[:2]
        for until in values.get(9, []):
            self.server.limits[name] = min(struct.unpack(">q", until)[0], self.server.limits.get(name, 1 << 40))
            if self.server.limits[name] <= time.time():
                self.server.revoke(*name)
        if question[0] == self.server.held:
            self.server.go.wait()
        entry = self.server.keys.get(question)
        if entry is not None and entry["life"]:
            entry["expiry"], entry["life"] = int(time.time()) + entry["life"], None
        ended = entry is None or min(entry["expiry"], self.server.limits.get(name, 1 << 40)) <= time.time()
        error = self.server.error or (BTID_UNKNOWN if ended else None)
        if error is None and struct.unpack(">I", values.get(5, [b"\0\0\0\0"])[0])[0] & 2 and entry["int_key"] is None:
            error = 12
        if error is not None:
            kind, out = 3, element(32, struct.pack(">I", error))
        else:
            kind, out = 2, self.key_elements(entry) + element(0xa2, hashlib.sha256(question[0].encode()).digest())
        frame = struct.pack(">IBBHI", len(out) + 8, 1, kind, 0, ident) + out
        try:
            with lock:
                self.server.answered.append(question)
                self.request.sendall(frame)
        except OSError:
            pass

    @staticmethod
    def key_elements(entry):
        out = element(16, entry["key"]) + element(18, struct.pack(">q", int(entry["expiry"])))
        out += element(22, struct.pack(">I", entry.get("type", 0)))
        if entry.get("created"):
            out += element(19, struct.pack(">q", int(entry["created"])))
        if entry["int_key"]:
            out += element(17, entry["int_key"])
        if entry["impi"]:
            out += element(20, entry["impi"].encode() + b"\0")
        for gsid, (uids, flags) in entry["uss"].items():
            inner = element(3 | 0, b"")[:0] + element(4, struct.pack(">I", gsid))
            inner += b"".join(element(24, u.encode() + b"\0") for u in uids)
            inner += b"".join(element(25, struct.pack(">I", f)) for f in flags)
            out += element(23, inner)
        return out


# ---- the application

class Application:
    """An HTTP server of its own on raw sockets: keeps every request as it came, answers as told.
    answer: function of (head, body) giving octets, or None for 200 with the request's path."""

    def __init__(self):
        self.socket = socket.create_server((HOST, 0), backlog=128)
        self.port = self.socket.getsockname()[1]
        self.requests, self.connections, self.answer, self.on_connection = [], 0, None, None
        self.open = []
        threading.Thread(target=self.accept, daemon=True).start()

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()

    def drop(self):
        """End every connection, as a restart does; back when the other side has noticed and no request is being read any more."""
        for sock, _ in self.open:
            try:
                sock.shutdown(socket.SHUT_WR)
            except OSError:
                pass
        until(lambda: not any(thread.is_alive() for _, thread in self.open), 5)
        for sock, _ in self.open:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self.open.clear()

    def accept(self):
        while True:
            try:
                sock, _ = self.socket.accept()
            except OSError:
                return
            self.connections += 1
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            thread = threading.Thread(target=self.on_connection or self.serve, args=(sock,), daemon=True)
            self.open.append((sock, thread))
            thread.start()

    def serve(self, sock):
        stream = sock.makefile("rb", buffering=65536)
        try:
            while True:
                head = read_head(stream)
                if not head:
                    return
                body = read_body(stream, head)
                self.requests.append((head, body))
                out = (self.answer or self.plain)(head, body)
                if out is None:
                    return
                sock.sendall(out)
        except (OSError, ValueError):
            pass
        finally:
            stream.close()
            sock.close()

    @staticmethod
    def plain(head, body):
        first = head.split(b"\r\n")[0].split(b" ")
        text = b"path " + first[1] + b"\n"
        return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(text) + (b"" if first[0] == b"HEAD" else text)


def read_head(stream):
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        line = stream.readline()
        if not line:
            return b""
        head += line
    return head


def header(head, name):
    """All values of a header in a head."""
    found = re.findall(rb"(?im)^" + re.escape(name.encode()) + rb":[ \t]*([^\r\n]*)", head)
    return [value.decode() for value in found]


def read_body(stream, head, sink=None):
    lengths, codings = header(head, "content-length"), header(head, "transfer-encoding")
    if codings:
        pieces = []
        while True:
            size = int(stream.readline().strip(), 16)
            pieces.append(stream.read(size))
            stream.readline()
            if size == 0:
                return b"".join(pieces)
    if lengths:
        left, body = int(lengths[0]), b""
        if sink is None:
            return stream.read(left)
        while left > 0:
            piece = stream.read(min(left, 1 << 20))
            if not piece:
                raise ValueError("cut")
            left -= len(piece)
            sink(piece)
        return body
    return b""


# ---- the proxy

def q(text):
    return '"%s"' % text


class Proxy:
    """The program under test with its configuration: sites as dicts of items, other items by keyword."""

    def __init__(self, folder, agent_socket, sites, **items):
        self.folder, self.http, self.tls = str(folder), free_port(), free_port()
        self.conf = os.path.join(self.folder, "proxy.conf")
        self.listener_extra = items.pop("listener_extra", "")
        self.listeners = items.pop("listeners", None)  # {port: items}, in place of one for TLS and one for HTTP
        self.items = dict({"agent_socket": q(agent_socket), "workers": 2, "log_level": q("debug"), "agent_timeout": 30000,
                           "upstream_connect_timeout": 30000}, **items)
        self.sites = sites
        self.write()
        self.process = Process("proxy", [PROXY, "-c", self.conf], os.path.join(self.folder, "proxy.out"),
                               env={"GBA_COREDUMP": "1"})

    def write(self):
        sites = ",\n".join("  { %s }" % " ".join("%s = %s;" % item for item in site.items()) for site in self.sites)
        with open(self.conf, "w", encoding="utf-8") as out:
            out.write("listeners = ( %s );\n" % ", ".join('{ address = "%s:%d"; %s }' % (HOST, port, extra)
                                                            for port, extra in self.ports().items()))
            out.write("sites = (\n%s );\n" % sites)
            out.write("".join("%s = %s;\n" % (k.replace("_", "-"), v) for k, v in self.items.items()))

    def ports(self):
        return self.listeners or {self.tls: "tls = true; " + self.listener_extra, self.http: "tls = false; " + self.listener_extra}

    def start(self):
        self.process.start()
        assert until(lambda: not self.process.alive() or all(port_open(HOST, port) for port in self.ports()), 2 * PATIENCE)
        assert self.process.alive(), self.process.log_text()
        return self

    def stop(self):
        code = self.process.stop(PATIENCE)
        text = self.process.log_text()
        assert "ERROR: AddressSanitizer" not in text and "runtime error" not in text and "LeakSanitizer" not in text, text[-6000:]
        return code

    def reload(self, sites=None, **items):
        """Write these into the file, SIGHUP; the log's line about it."""
        self.sites = sites or self.sites
        self.items.update(items)
        self.write()
        return self.hang_up()

    def hang_up(self):
        def lines():
            return [line for line in self.log().splitlines() if "proxy.reload" in line]
        before = len(lines())
        self.process.signal(signal.SIGHUP)
        assert until(lambda: len(lines()) > before), self.log()[-3000:]
        return lines()[before]

    def metric(self, name):
        """Value of a metric of a proxy with its page on `metrics`."""
        text = page("http://%s/metrics" % self.items["metrics"].strip('"'))[1]
        return next((float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith(name + " ")), None)

    def rss(self):
        with open("/proc/%d/status" % self.process.pid, encoding="ascii") as status:
            return int(re.search(r"VmRSS:\s+(\d+)", status.read()).group(1)) * 1024

    def log(self):
        return self.process.log_text()


# ---- clients

class Reply:
    def __init__(self, head, body):
        self.head, self.body = head, body
        self.status = int(head.split(b" ")[1])

    def get(self, name):
        values = header(self.head, name)
        return values[0] if values else None


class Client:
    """One connection, raw octets."""

    def __init__(self, port, tls=None, name=NAF, source=None, timeout=PATIENCE):
        self.sock = socket.create_connection((HOST, port), timeout=timeout, source_address=(source, 0) if source else None)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls is not None:
            self.sock = tls.wrap_socket(self.sock, server_hostname=name)
        self.stream = self.sock.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.stream.close()
        self.sock.close()

    def send(self, octets):
        self.sock.sendall(octets)

    def reply(self, to_head=False):
        """Next answer, 100 passed over; None at the end of the connection."""
        while True:
            head = read_head(self.stream)
            if not head:
                return None
            if not head.startswith(b"HTTP/1.1 100"):
                break
        if to_head or b" 204 " in head[:14] or b" 304 " in head[:14]:
            return Reply(head, b"")
        if header(head, "content-length") or header(head, "transfer-encoding"):
            return Reply(head, read_body(self.stream, head))
        return Reply(head, self.stream.read())

    def ended(self):
        """Does the proxy end the connection without another octet?"""
        try:
            return self.stream.read(1) == b""
        except ConnectionResetError:
            return True

    def ask(self, method="GET", path="/", headers=(), body=b"", host=NAF):
        lines = ["%s %s HTTP/1.1" % (method, path), "Host: " + host] + list(headers)
        if body or method in ("POST", "PUT"):
            lines.append("Content-Length: %d" % len(body))
        self.send(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body)
        return self.reply(to_head=method == "HEAD")


class Digest:
    """A device's side of Ua Digest: remembers the challenge and counts."""

    def __init__(self, btid, key, algorithm="SHA-256", qop="auth"):
        self.btid, self.password, self.algorithm, self.qop = btid, base64.b64encode(key), algorithm, qop
        self.challenge, self.count, self.sent = None, 0, None

    def take(self, reply):
        assert reply.status == 401, reply.head
        for value in header(reply.head, "www-authenticate"):
            if parameters(value).get("algorithm", "MD5") == self.algorithm:
                self.challenge, self.count = parameters(value), 0
        return self

    def header(self, method="GET", uri="/", body=b"", realm=None, **change):
        self.count += 1
        c = self.challenge
        p = dict(username=self.btid, realm=realm or c["realm"], nonce=c["nonce"], uri=uri, qop=self.qop, nc="%08x" % self.count,
                 cnonce="0a4f113b9c2d7e60", opaque=c["opaque"], algorithm=self.algorithm)
        p.update({k: v for k, v in change.items() if k != "response"})
        p["response"] = change.get("response") or response(p["algorithm"], p["username"], p["realm"], self.password, p["nonce"],
                                                           p["nc"], p["cnonce"], p["qop"], method, uri, body)
        self.sent = p
        plain = ("qop", "nc", "algorithm")
        return "Authorization: Digest " + ", ".join(("%s=%s" if k in plain else '%s="%s"') % (k, v) for k, v in p.items() if v is not None)


def tls_client(ca, version=None, alpn=None):
    context = ssl.create_default_context(cafile=ca)
    if version == "1.2":
        context.maximum_version = ssl.TLSVersion.TLSv1_2
    if version == "1.3":
        context.minimum_version = ssl.TLSVersion.TLSv1_3
    if alpn:
        context.set_alpn_protocols(alpn)
    return context


SUITES12 = {"PSK-AES128-GCM-SHA256": 0x00a8, "DHE-PSK-AES128-GCM-SHA256": 0x00aa, "DHE-PSK-AES256-GCM-SHA384": 0x00ab,
            "PSK-AES256-GCM-SHA384": 0x00a9, "ECDHE-PSK-CHACHA20-POLY1305": 0xccac}


def ua_id(suite):
    return "010001%04x" % suite


def s_stream(port, identity, key, send, want, version="1.2", name=NAF):
    """openssl s_client as a stream's device: sends, reads `want` octets, goes away."""
    line = ["openssl", "s_client", "-connect", "%s:%d" % (HOST, port), "-psk_identity", identity, "-psk", key.hex(), "-quiet",
            "-servername", name] + (["-tls1_2", "-cipher", "PSK-AES128-GCM-SHA256"] if version == "1.2" else ["-tls1_3"])
    client = subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)

    def write():
        client.stdin.write(send)
        client.stdin.flush()
    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    out = client.stdout.read(want)
    writer.join(PATIENCE)
    client.kill()
    client.communicate()
    return out


def s_client(port, identity, key, send, version="1.2", suite="PSK-AES128-GCM-SHA256", name=NAF, extra=()):
    """openssl s_client with a PSK: (output, error output)."""
    line = ["openssl", "s_client", "-connect", "%s:%d" % (HOST, port), "-psk_identity", identity, "-psk", key.hex(), "-quiet"] + (["-servername", name] if name else ["-noservername"])
    line += ["-tls1_2", "-cipher", suite] if version == "1.2" else ["-tls1_3"]
    run = subprocess.run(line + list(extra), input=send, capture_output=True, timeout=2 * PATIENCE)
    return run.stdout, run.stderr.decode(errors="replace")
