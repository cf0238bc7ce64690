# SPDX-License-Identifier: Apache-2.0
"""A Diameter peer in plain Python (RFC 6733), for tests: it shares nothing with the code under test.

    with Client(("127.0.0.1", 3868), "naf.lab.test", "lab.test", [ZN]) as peer:
        answer = peer.request(bir(peer, btid=b"...", naf_id=b"..."))
        assert answer.result() == (0, 2001)

Server answers a daemon that connects to us (a stand-in HSS or BSF). Both answer CER, DWR and DPR by themselves.
"""
import itertools
import os
import queue
import socket
import struct
import threading
import time

from .waiting import PATIENCE

TGPP, Y3056 = 10415, 32473
ZN, ZH, ZPN, RELAY = 16777220, 16777221, 16777268, 0xFFFFFFFF
CER, DWR, DPR, MAR, BIR, GPR = 257, 280, 282, 303, 310, 312
R, P, E, T = 0x80, 0x40, 0x20, 0x10  # command flags
V, M = 0x80, 0x40  # AVP flags

USER_NAME, SESSION_ID, ORIGIN_HOST, ORIGIN_REALM = 1, 263, 264, 296
DEST_HOST, DEST_REALM, RESULT_CODE, EXPERIMENTAL_RESULT, EXPERIMENTAL_RESULT_CODE = 293, 283, 268, 297, 298
VENDOR_ID, VENDOR_APP, AUTH_APP, AUTH_SESSION_STATE = 266, 260, 258, 277
FAILED_AVP, ERROR_MESSAGE, ROUTE_RECORD, PROXY_INFO, PROXY_HOST, PROXY_STATE = 279, 281, 282, 284, 280, 33
HOST_IP, PRODUCT_NAME, SUPPORTED_VENDOR, DISCONNECT_CAUSE, ORIGIN_STATE_ID = 257, 269, 265, 273, 278

EPOCH_1900 = 2208988800


class Avp:
    """One AVP; data is octets, or a list of Avp for a group."""

    def __init__(self, code, data=b"", vendor=0, m=True, flags=None):
        self.code, self.vendor = code, vendor
        self.flags = flags if flags is not None else (V if vendor else 0) | (M if m else 0)
        self.data = data

    def value(self):
        return b"".join(a.encode() for a in self.data) if isinstance(self.data, list) else self.data

    def encode(self):
        value = self.value()
        vendor = struct.pack("!I", self.vendor) if self.flags & V else b""
        length = 8 + len(vendor) + len(value)
        head = struct.pack("!II", self.code, self.flags << 24 | length) + vendor
        return head + value + b"\0" * (-len(value) % 4)

    def group(self):
        """The AVPs inside."""
        return self.data if isinstance(self.data, list) else decode_avps(self.data)

    def find(self, code, vendor=0):
        return next((a for a in self.group() if (a.code, a.vendor) == (code, vendor)), None)

    def u32(self):
        return struct.unpack("!I", self.value())[0]

    def text(self):
        return self.value().decode()

    def time(self):
        """Seconds since 1970, both eras (RFC 6733 4.3.1)."""
        raw = self.u32()
        return raw - EPOCH_1900 + (0 if raw & 0x80000000 else 1 << 32)

    def __repr__(self):
        return f"<{self.code}{'/%d' % self.vendor if self.vendor else ''} {self.flags:02x} {self.value().hex()}>"


def u32(code, number, vendor=0, m=True):
    return Avp(code, struct.pack("!I", number & 0xFFFFFFFF), vendor, m)


def text(code, string, vendor=0, m=True):
    return Avp(code, string.encode() if isinstance(string, str) else string, vendor, m)


def tgpp(code, data, m=True):
    """An AVP of 3GPP: number, octets, text or list."""
    if isinstance(data, int):
        data = struct.pack("!I", data)
    elif isinstance(data, str):
        data = data.encode()
    return Avp(code, data, TGPP, m)


def when(code, seconds, vendor=0, m=True):
    return u32(code, seconds + EPOCH_1900, vendor, m)


def decode_avps(data):
    out, at = [], 0
    while at < len(data):
        if len(data) - at < 8:
            raise ValueError("truncated AVP header")
        code, second = struct.unpack_from("!II", data, at)
        flags, length = second >> 24, second & 0xFFFFFF
        head, vendor = 8, 0
        if flags & V:
            vendor, head = struct.unpack_from("!I", data, at + 8)[0], 12
        if length < head or at + length > len(data):
            raise ValueError(f"AVP {code}: length {length}")
        out.append(Avp(code, data[at + head:at + length], vendor, flags=flags))
        at += length + -length % 4
    return out


class Message:
    def __init__(self, code, app, avps=(), flags=R | P, hbh=0, e2e=0):
        self.code, self.app, self.avps, self.flags, self.hbh, self.e2e = code, app, list(avps), flags, hbh, e2e

    def encode(self):
        body = b"".join(a.encode() for a in self.avps)
        return struct.pack("!IIIII", 1 << 24 | 20 + len(body), self.flags << 24 | self.code, self.app, self.hbh,
                           self.e2e) + body

    @classmethod
    def decode(cls, data):
        first, second, app, hbh, e2e = struct.unpack_from("!IIIII", data)
        if first >> 24 != 1 or first & 0xFFFFFF != len(data):
            raise ValueError("header")
        return cls(second & 0xFFFFFF, app, decode_avps(data[20:]), second >> 24, hbh, e2e)

    def find(self, code, vendor=0):
        return next((a for a in self.avps if (a.code, a.vendor) == (code, vendor)), None)

    def find_all(self, code, vendor=0):
        return [a for a in self.avps if (a.code, a.vendor) == (code, vendor)]

    def without(self, code, vendor=0):
        """The same message less these AVPs."""
        avps = [a for a in self.avps if (a.code, a.vendor) != (code, vendor)]
        return Message(self.code, self.app, avps, self.flags, self.hbh, self.e2e)

    def result(self):
        """(vendor, code): (0, Result-Code) or the Experimental-Result; (None, None) when it has neither."""
        simple, experimental = self.find(RESULT_CODE), self.find(EXPERIMENTAL_RESULT)
        if simple and not experimental:
            return 0, simple.u32()
        if experimental and not simple:
            return experimental.find(VENDOR_ID).u32(), experimental.find(EXPERIMENTAL_RESULT_CODE).u32()
        return None, None

    def failed(self):
        """AVPs inside Failed-AVP."""
        failed = self.find(FAILED_AVP)
        return failed.group() if failed else []

    def answer(self, origin, avps=(), flags=None):
        """An answer of ours to this request; origin is (host, realm)."""
        head = [a for a in self.avps if a.code == SESSION_ID and not a.vendor]
        head += [text(ORIGIN_HOST, origin[0]), text(ORIGIN_REALM, origin[1])]
        flags = self.flags & P if flags is None else flags
        return Message(self.code, self.app, head + list(avps), flags, self.hbh, self.e2e)


def vendor_app(app):
    """dict_y3056's applications are of its own vendor."""
    vendor = Y3056 if 4294901760 < app < RELAY else TGPP
    return Avp(VENDOR_APP, [u32(VENDOR_ID, vendor), u32(AUTH_APP, app)])


def result(code):
    """Result-Code AVP; 5401 and relatives: Experimental-Result of 3GPP."""
    return u32(RESULT_CODE, code)


def experimental(code, vendor=TGPP):
    return Avp(EXPERIMENTAL_RESULT, [u32(VENDOR_ID, vendor), u32(EXPERIMENTAL_RESULT_CODE, code)])


class Connection:
    """A connection with its reader thread: matches answers, answers DWR and DPR, hands requests to on_request."""

    _ids = itertools.count(int.from_bytes(os.urandom(3), "big"))

    def __init__(self, sock, host, realm, apps, on_request=None):
        self.sock, self.host, self.realm, self.apps, self.on_request = sock, host, realm, apps, on_request
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.closed = threading.Event()
        self.unmatched = queue.Queue()  # answers nobody waited for
        self.requests = queue.Queue()  # requests received, when on_request is None
        self.watchdogs = 0
        self.answer_watchdogs = self.answer_disconnects = True
        self.disconnects = 0
        self.peer_host = None
        self._waiting, self._lock = {}, threading.Lock()

    # identity ----------------------------------------------------------------------------------------------------
    def origin(self):
        return self.host, self.realm

    def capabilities(self):
        own = [text(ORIGIN_HOST, self.host), text(ORIGIN_REALM, self.realm),
               Avp(HOST_IP, b"\0\1" + socket.inet_aton("127.0.0.1")), u32(VENDOR_ID, TGPP),
               text(PRODUCT_NAME, "test peer", m=False), u32(SUPPORTED_VENDOR, TGPP)]
        relay = [u32(AUTH_APP, RELAY)] if RELAY in self.apps else []
        return own + relay + [vendor_app(a) for a in self.apps if a != RELAY]

    def session_id(self):
        return f"{self.host};{int(time.time())};{next(self._ids)};test"

    def header_avps(self, app, dest_realm, dest_host=None, session_id=None):
        """What every request starts with."""
        avps = [text(SESSION_ID, session_id or self.session_id()), vendor_app(app), u32(AUTH_SESSION_STATE, 1),
                text(ORIGIN_HOST, self.host), text(ORIGIN_REALM, self.realm), text(DEST_REALM, dest_realm)]
        return avps + ([text(DEST_HOST, dest_host)] if dest_host else [])

    # octets ------------------------------------------------------------------------------------------------------
    def send_raw(self, octets):
        with self._lock:
            self.sock.sendall(octets)

    def read_message(self):
        """Octets of one message, b"" at the end of the connection."""
        head = self._read(4)
        if len(head) < 4:
            return b""
        rest = self._read((struct.unpack("!I", head)[0] & 0xFFFFFF) - 4)
        return head + rest

    def _read(self, n):
        data = b""
        while len(data) < n:
            try:
                got = self.sock.recv(n - len(data))
            except OSError:
                return b""
            if not got:
                return b""
            data += got
        return data

    # messages ----------------------------------------------------------------------------------------------------
    def expect(self, message):
        """The queue that the answer to a request sent by send_raw() will come into; its hop-by-hop id is set."""
        with self._lock:
            return self._waiting.setdefault(message.hbh, queue.Queue())

    def send(self, message):
        """Send a request; its answer is what wait() returns for it."""
        message.hbh = message.hbh or next(self._ids) & 0xFFFFFFFF
        message.e2e = message.e2e or int.from_bytes(os.urandom(4), "big") or 1
        with self._lock:
            self._waiting.setdefault(message.hbh, queue.Queue())
        self.send_raw(message.encode())
        return message

    def wait(self, message, timeout=PATIENCE):
        """The answer; None when none came in time."""
        try:
            return self._waiting[message.hbh].get(timeout=timeout)
        except queue.Empty:
            return None

    def request(self, message, timeout=PATIENCE):
        return self.wait(self.send(message), timeout)

    def _run(self):
        while True:
            octets = self.read_message()
            if not octets:
                break
            try:
                self._take(Message.decode(octets))
            except (ValueError, OSError, struct.error):
                break
        self.closed.set()

    def _take(self, message):
        if not message.flags & R:
            with self._lock:
                waiting = self._waiting.get(message.hbh, self.unmatched)
            waiting.put(message)
        elif message.code == DWR:
            self.watchdogs += 1
            if self.answer_watchdogs:
                self.send_raw(message.answer(self.origin(), [result(2001)]).encode())
        elif message.code == DPR:
            self.disconnects += 1
            if self.answer_disconnects:
                self.send_raw(message.answer(self.origin(), [result(2001)]).encode())
        elif self.on_request is None:
            self.requests.put(message)
        else:
            reply = self.on_request(self, message)
            if reply is not None:
                self.send_raw(reply.encode() if isinstance(reply, Message) else reply)

    def start(self):
        threading.Thread(target=self._run, daemon=True).start()

    def close(self, abrupt=False):
        """End the connection: politely (DPR) or as a crash does (RST)."""
        if self.sock.fileno() < 0:
            return
        if abrupt:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        elif not self.closed.is_set():
            try:
                dpr = Message(DPR, 0, [text(ORIGIN_HOST, self.host), text(ORIGIN_REALM, self.realm),
                                       u32(DISCONNECT_CAUSE, 2)], R)
                self.request(dpr, 1)
            except OSError:
                pass
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.sock.close()
        self.closed.wait(2)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close(abrupt=True)


class NoCea(ConnectionError):
    """The other side closed the connection instead of answering."""


class Client(Connection):
    """Connect and exchange capabilities. cea holds the answer; tls is an ssl.SSLContext."""

    def __init__(self, address, host, realm, apps, on_request=None, tls=None, timeout=PATIENCE, server_hostname=None):
        sock = socket.create_connection(address, timeout=timeout)
        if tls is not None:
            sock = tls.wrap_socket(sock, server_hostname=server_hostname)
        super().__init__(sock, host, realm, apps, on_request)
        self.sock.settimeout(timeout)
        cer = Message(CER, 0, self.capabilities(), R, next(self._ids) & 0xFFFFFFFF, 1)
        self.send_raw(cer.encode())
        octets = self.read_message()
        if not octets:
            self.sock.close()
            raise NoCea("no CEA")
        self.cea = Message.decode(octets)
        self.sock.settimeout(None)
        if self.cea.result() != (0, 2001):
            self.sock.close()
            raise ConnectionError(f"CEA {self.cea.result()}")
        self.peer_host = self.cea.find(ORIGIN_HOST).text()
        self.start()


class Server:
    """Listen for daemons that connect to us. on_request(connection, message) gives a Message, octets or None."""

    def __init__(self, host, realm, apps, on_request=None, address=("127.0.0.1", 0), tls=None):
        self.host, self.realm, self.apps, self.on_request, self.tls = host, realm, apps, on_request, tls
        self.sock = socket.create_server(address)
        self.port = self.sock.getsockname()[1]
        self.connections, self.connected = [], threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                sock, _ = self.sock.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock):
        try:
            if self.tls is not None:
                sock = self.tls.wrap_socket(sock, server_side=True)
            peer = Connection(sock, self.host, self.realm, self.apps, self.on_request)
            octets = peer.read_message()
            if not octets:
                return
            cer = Message.decode(octets)
            peer.peer_host = cer.find(ORIGIN_HOST).text()
            cea = Message(CER, 0, [result(2001)] + peer.capabilities(), 0, cer.hbh, cer.e2e)
            peer.send_raw(cea.encode())
        except (OSError, ValueError):
            sock.close()
            return
        self.connections.append(peer)
        self.connected.set()
        peer._run()

    def wait_connected(self, timeout=PATIENCE):
        return self.connected.wait(timeout)

    def close(self, abrupt=True):
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.sock.close()
        for peer in self.connections:
            peer.close(abrupt=abrupt)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()


# Requests of Zh and Zn -------------------------------------------------------------------------------------------------
def mar(peer, impi, dest_realm=None, dest_host=None, resync=None, guss_timestamp=None, extra=()):
    """Multimedia-Auth-Request (TS 29.109 4.2); resync is RAND || AUTS."""
    avps = peer.header_avps(ZH, dest_realm or peer.realm, dest_host)
    if impi is not None:
        avps.append(text(USER_NAME, impi))
    if resync is not None:
        avps.append(tgpp(612, [tgpp(608, "Digest-AKAv1-MD5"), tgpp(610, resync)]))
    if guss_timestamp is not None:
        avps.append(when(409, guss_timestamp, TGPP, m=False))
    return Message(MAR, ZH, avps + list(extra))


def bir(peer, btid, naf_id, dest_realm=None, dest_host=None, gsids=(), gba_u_aware=None, extra=()):
    """Bootstrapping-Info-Request (TS 29.109 5.2)."""
    avps = peer.header_avps(ZN, dest_realm or peer.realm, dest_host) + [tgpp(403, g) for g in gsids]
    if btid is not None:
        avps.append(tgpp(401, btid))
    if naf_id is not None:
        avps.append(tgpp(402, naf_id))
    if gba_u_aware is not None:
        avps.append(tgpp(407, gba_u_aware))
    return Message(BIR, ZN, avps + list(extra))


def maa_view(answer):
    """The parts of a Multimedia-Auth-Answer as a dict of octets (absent ones left out)."""
    item = answer.find(612, TGPP)
    view = {}
    if item is not None:
        names = {608: "scheme", 609: "authenticate", 610: "authorization", 625: "ck", 626: "ik"}
        view = {names[a.code]: a.value() for a in item.group() if a.code in names}
    if answer.find(400, TGPP):
        view["guss"] = answer.find(400, TGPP).value()
    if answer.find(USER_NAME):
        view["user_name"] = answer.find(USER_NAME).value()
    return view


def bia_view(answer):
    """The parts of a Bootstrapping-Info-Answer as a dict (absent ones left out)."""
    octets = {400: "uss", 405: "me_key", 406: "uicc_key"}
    times = {404: "expires", 408: "created"}
    view = {octets[a.code]: a.value() for a in answer.avps if a.vendor == TGPP and a.code in octets}
    view.update({times[a.code]: a.time() for a in answer.avps if a.vendor == TGPP and a.code in times})
    if answer.find(410, TGPP):
        view["gba_type"] = answer.find(410, TGPP).u32()
    if answer.find(USER_NAME):
        view["user_name"] = answer.find(USER_NAME).value()
    return view
