# SPDX-License-Identifier: Apache-2.0
"""A UICC with USIM and ISIM in plain Python (TS 102 221, TS 31.102, TS 31.103), in a virtual reader: it speaks what vsmartcard's vpcd
speaks (two octets of length, then a command; a command of one octet is the reader's own). T=0 and T=1 differ as they do on real
cards. It shares nothing with the code under test.

    reader = Reader(name, port)             # as pcscd.py makes them
    card = reader.insert(Uicc(imsi, k, opc))
    ... card.log: commands as they came; card.tries, card.pin, card.fault: what it does wrong on purpose
    reader.remove()
"""
import hashlib
import socket
import threading

from . import keys
from .aes import xor
from .aka import Milenage
from .waiting import until

RID = bytes.fromhex("a000000087")
USIM_AID = RID + bytes.fromhex("1002ffffffff8907190000")
ISIM_AID = RID + bytes.fromhex("1004ffffffff8907190000")
OK, NOT_FOUND, PIN_WANTED, BLOCKED, MAC_WRONG = 0x9000, 0x6a82, 0x6982, 0x6983, 0x9862


def tlv(tag, value):
    assert len(value) < 128
    return bytes([tag, len(value)]) + value


def lv(value):
    return bytes([len(value)]) + value


def bcd(digits):
    digits += "f" * (len(digits) % 2)
    return bytes(int(digits[i + 1] + digits[i], 16) for i in range(0, len(digits), 2))


def imsi_file(imsi):
    body = bcd(("9" if len(imsi) % 2 else "1") + imsi)
    return lv(body).ljust(9, b"\xff")


def table(size, *services):
    out = bytearray(size)
    for service in services:
        out[(service - 1) // 8] |= 1 << (service - 1) % 8
    return bytes(out)


class Removed(Exception):
    """The card leaves the reader instead of answering."""


class File:
    def __init__(self, content, records=None, pin=False, locked=False):
        self.content, self.records = content, records  # records: a list instead of content
        self.pin, self.locked = pin, locked            # read after the PIN only; never written by a person

    def fcp(self):
        if self.records:
            return tlv(0x62, tlv(0x82, bytes([0x42, 0x21, 0, len(self.records[0]), len(self.records)])))
        return tlv(0x62, tlv(0x82, b"\x41\x21") + tlv(0x80, len(self.content).to_bytes(2, "big")))


class Uicc:
    def __init__(self, imsi, k, opc, sqn=0, impi=None, mnc_digits=2, gba=False, isim=False, pin=None, t0=False, gbabp=128,
                 writes_rand=True, locked=False):
        self.aka, self.sqn, self.t0, self.pin, self.tries = Milenage(bytes.fromhex(k), bytes.fromhex(opc)), sqn, t0, pin, 3
        self.gba, self.writes_rand = gba, writes_rand
        self.log, self.fault, self.resets = [], None, 0  # fault: (command) -> None, (status, data), or raises Removed
        self.contexts = {0x81, 0x84} if gba else {0x81}
        self.ks = self.ks_rand = self.ks_int = None
        common = {0x6fad: File(bytes([0, 0, 0, mnc_digits]))}
        gbabp_file = File(b"\xff" * gbabp, pin=True, locked=locked)
        usim = {0x6f07: File(imsi_file(imsi), pin=True), 0x6f38: File(table(17, 27, *([68] if gba else [])), pin=True), **common}
        self.isim_impi = impi or imsi + "@isim.example"
        nai = tlv(0x80, self.isim_impi.encode())
        app = {0x6f02: File(nai.ljust(len(nai) + 5, b"\xff"), pin=True), 0x6f07: File(table(2, *([2] if gba else [])), pin=True), **common}
        if gba:
            usim[0x6fd6] = app[0x6fd5] = gbabp_file
        self.apps = {USIM_AID: usim}
        if isim:
            self.apps[ISIM_AID] = app
        if isim == "only":
            del self.apps[USIM_AID]
        records = [tlv(0x61, tlv(0x4f, aid) + tlv(0x50, b"label")).ljust(34, b"\xff") for aid in self.apps] + [b"\xff" * 34]
        self.iccid = "8988211000000000001"
        self.mf = {0x3f00: File(b""), 0x2f00: File(None, records), 0x2fe2: File(bcd(self.iccid))}
        self.reset()

    # ---- the reader's side
    @property
    def atr(self):
        if self.t0:
            return b"\x3b\x04usim"
        body = b"\x84\x01usim"
        check = 0
        for octet in body:
            check ^= octet
        return b"\x3b" + body + bytes([check])

    def reset(self):
        self.resets += 1
        self.folder, self.aid, self.file, self.verified, self.waiting = self.mf, None, None, False, b""

    def command(self, octets):
        """Answer of one command as the protocol has it."""
        self.log.append(octets)
        ins, body, le = octets[1], octets[5:], None
        if ins != 0xc0:
            self.waiting = b""
        if len(octets) == 5:
            body, le = b"", octets[4]
        elif len(octets) > 5:
            body = octets[5:5 + octets[4]]
            rest = octets[5 + octets[4]:]
            assert len(rest) == 0 or (len(rest) == 1 and not self.t0), "T=0 has no Le behind data"
            le = rest[0] if rest else None
        done = self.fault(octets) if self.fault else None
        status, data = done or self.act(ins, octets[2], octets[3], body, le)
        if ins == 0xc0:
            return data + status.to_bytes(2, "big")
        if self.t0 and body and data:
            self.waiting = data
            return bytes([0x61, len(data) & 0xff])
        if self.t0 and le and data and le != len(data):
            return bytes([0x6c, len(data) & 0xff])
        return data + status.to_bytes(2, "big")

    # ---- the card's
    def act(self, ins, p1, p2, body, le):
        if ins == 0xc0:
            data, self.waiting = self.waiting[:le or 256], self.waiting[le or 256:]
            return (OK, data) if data else (0x6f00, b"")
        if ins == 0x20:
            return self.verify(p2, body)
        acts = {0xa4: self.select, 0xb0: self.read, 0xb2: self.read_record, 0xd6: self.update, 0x88: self.authenticate}
        return acts[ins](p1, p2, body, le) if ins in acts else (0x6d00, b"")

    def select(self, p1, _p2, body, _le):
        if p1 == 4:
            aid = next((aid for aid in self.apps if aid.startswith(body)), None)
            if aid is None:
                return NOT_FOUND, b""
            self.folder, self.aid, self.file = self.apps[aid], aid, None
            status = tlv(0xc6, tlv(0x90, b"\x80" if self.pin else b"\0") + tlv(0x83, b"\x01"))
            return OK, tlv(0x62, tlv(0x82, b"\x78\x21") + tlv(0x84, aid) + status)
        fid = int.from_bytes(body, "big")
        if fid == 0x3f00:
            self.folder, self.aid = self.mf, None
        self.file = self.folder.get(fid)
        return (OK, self.file.fcp()) if self.file else (NOT_FOUND, b"")

    def closed(self, wanted):
        return wanted and self.pin and not self.verified

    def read(self, p1, p2, _body, le):
        if self.file is None or self.file.content is None:
            return 0x6986, b""
        if self.closed(self.file.pin):
            return PIN_WANTED, b""
        at = p1 << 8 | p2
        return OK, self.file.content[at:at + (le or 256)]

    def read_record(self, p1, _p2, _body, _le):
        if self.file is None or self.file.records is None or not 1 <= p1 <= len(self.file.records):
            return 0x6a83, b""
        return OK, self.file.records[p1 - 1]

    def update(self, p1, p2, body, _le):
        if self.file is None or self.file.locked or self.closed(True):
            return PIN_WANTED, b""
        at = p1 << 8 | p2
        if at + len(body) > len(self.file.content):
            return 0x6700, b""
        self.file.content = self.file.content[:at] + body + self.file.content[at + len(body):]
        return OK, b""

    def verify(self, p2, body):
        if p2 != 1:
            return 0x6a88, b""
        if self.tries == 0:
            return BLOCKED, b""
        if not body:
            return 0x63c0 | self.tries, b""
        if body.rstrip(b"\xff") == (self.pin or "").encode():
            self.tries, self.verified = 3, True
            return OK, b""
        self.tries, self.verified = self.tries - 1, False
        return (0x63c0 | self.tries, b"") if self.tries else (BLOCKED, b"")

    @property
    def gbabp(self):
        return (self.apps.get(USIM_AID) or self.apps[ISIM_AID])[0x6fd6 if USIM_AID in self.apps else 0x6fd5]

    def authenticate(self, _p1, p2, body, _le):
        if self.aid is None:
            return 0x6985, b""
        if p2 not in self.contexts:
            return 0x6a86, b""
        if self.closed(True):
            return PIN_WANTED, b""
        if p2 == 0x84 and body[0] == 0xde:
            return self.derive(body[1:])
        if p2 == 0x84 and body[0] != 0xdd:
            return 0x6a80, b""
        body = body[1:] if p2 == 0x84 else body
        if len(body) != 34 or body[0] != 16 or body[17] != 16:
            return 0x6700, b""
        rand, autn = body[1:17], body[18:]
        if p2 == 0x84:
            autn = autn[:8] + xor(autn[8:], hashlib.sha1(self.aka.f2345(rand)[2]).digest()[:8])
        res, ck, ik, sqn, good = self.aka.challenge(rand, autn)
        if not good:
            return MAC_WRONG, b""
        if sqn <= self.sqn:
            return OK, b"\xdc" + lv(self.aka.auts(rand, self.sqn))
        self.sqn = sqn
        if p2 == 0x81:
            return OK, b"\xdb" + lv(res) + lv(ck) + lv(ik) + lv(bytes(8))
        self.ks, self.ks_rand, self.ks_int = ck + ik, rand, {}
        if self.writes_rand:
            self.gbabp.content = (lv(rand) + b"\0\0").ljust(len(self.gbabp.content), b"\xff")
        return OK, b"\xdb" + lv(res)

    def derive(self, body):
        naf_id = body[1:1 + body[0]]
        rest = body[1 + body[0]:]
        impi = rest[1:1 + rest[0]]
        if self.ks is None or len(rest) != 1 + rest[0]:
            return 0x6985, b""
        self.ks_int[naf_id] = keys.ks_naf(self.ks, self.ks_rand, impi.decode(), naf_id, keys.UICC)
        return OK, b"\xdb" + lv(keys.ks_naf(self.ks, self.ks_rand, impi.decode(), naf_id))

    def sent(self, ins):
        """Commands of this instruction."""
        return [octets for octets in self.log if octets[1] == ins]


class Reader:
    """A place of the driver, which listens at `port`: a card in it is a connection to it."""

    def __init__(self, name, port):
        self.name, self.port, self.connection = name, port, None

    def insert(self, card):
        self.remove()

        def connect():
            try:
                return socket.create_connection(("127.0.0.1", self.port))
            except OSError:
                return None
        self.connection = until(connect)
        threading.Thread(target=self.talk, args=(self.connection, card), daemon=True).start()
        return card

    def remove(self):
        if self.connection:
            try:
                self.connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            self.connection = None

    @staticmethod
    def talk(connection, card):
        def read(n):
            octets = b""
            while len(octets) < n:  # the driver sends a length and waits, by Nagle's rule, for us to have seen it
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
                part = connection.recv(n - len(octets))
                if not part:
                    raise Removed
                octets += part
            return octets
        with connection:
            try:
                while True:
                    octets = read(int.from_bytes(read(2), "big"))
                    if octets in (b"\1", b"\2"):
                        card.reset()
                    if len(octets) == 1 and octets != b"\4":
                        continue
                    answer = card.atr if octets == b"\4" else card.command(octets)
                    connection.sendall(len(answer).to_bytes(2, "big") + answer)
            except (OSError, Removed):
                pass
