# SPDX-License-Identifier: Apache-2.0
"""As much of an MME as asks a registry for an equipment: S13 (TS 29.272 6.2.1) over Diameter and TLS, nothing of ours in it."""
import contextlib
import itertools
import socket
import ssl
import struct

S13, ECR, CER, DWR, DPR, TGPP = 16777252, 324, 257, 280, 282, 10415
EQUIPMENT = {0: "whitelisted", 1: "blacklisted", 2: "greylisted"}  # Equipment-Status, TS 29.272 7.3.51


def avp(code, data, vendor=0):
    if isinstance(data, int):
        data = struct.pack("!I", data)
    elif isinstance(data, str):
        data = data.encode()
    head = struct.pack("!IB", code, 0x40 | (0x80 if vendor else 0)) + (8 + 4 * bool(vendor) + len(data)).to_bytes(3, "big")
    return head + (struct.pack("!I", vendor) if vendor else b"") + data + b"\0" * (-len(data) % 4)


def avps(data):
    """[(vendor, code, value)]"""
    found = []
    while data:
        code, flags = struct.unpack("!IB", data[:5])
        length, at = int.from_bytes(data[5:8], "big"), 12 if flags & 0x80 else 8
        found.append((struct.unpack("!I", data[8:12])[0] if flags & 0x80 else 0, code, data[at:length]))
        data = data[length + -length % 4:]
    return found


class Mme:
    def __init__(self, address, identity, realm, authority, asked):
        """asked: the realm of the registry."""
        context = ssl.create_default_context(cafile=authority.ca)
        context.check_hostname = False
        context.load_cert_chain(*authority.issue(identity))
        self.origin, self.realm, self.identity = avp(264, identity) + avp(296, realm), asked, identity
        self.numbers = itertools.count(1)
        self.sock = context.wrap_socket(socket.create_connection((address, 5868), timeout=30))
        self.ask(CER, 0, 0x80, self.origin + avp(257, b"\0\1" + socket.inet_aton("127.0.0.1")) + avp(266, 0) + avp(269, "MME")
                 + avp(265, TGPP) + avp(260, avp(266, TGPP) + avp(258, S13)))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(OSError):
            self.ask(DPR, 0, 0x80, self.origin + avp(273, 2))
            self.sock.unwrap()
        self.sock.close()

    def _read(self, count):
        data = b""
        while len(data) < count:
            more = self.sock.recv(count - len(data))
            if not more:
                raise OSError("the registry ended the connection")
            data += more
        return data

    def ask(self, code, app, flags, body):
        number = next(self.numbers)
        self.sock.sendall(b"\1" + (20 + len(body)).to_bytes(3, "big") + bytes([flags]) + code.to_bytes(3, "big")
                          + struct.pack("!III", app, number, number) + body)
        while True:
            head = self._read(20)
            answer = avps(self._read(int.from_bytes(head[1:4], "big") - 20))
            if not head[4] & 0x80:
                return answer
            if int.from_bytes(head[5:8], "big") == DWR:
                body = avp(268, 2001) + self.origin
                self.sock.sendall(b"\1" + (20 + len(body)).to_bytes(3, "big") + b"\0" + head[5:20] + body)

    def check(self, imei):
        """What the registry says of an equipment."""
        answer = self.ask(ECR, S13, 0xc0, avp(263, "%s;1;%d" % (self.identity, next(self.numbers))) + avp(277, 1) + self.origin
                          + avp(283, self.realm) + avp(1401, avp(1402, imei, TGPP), TGPP))
        status = [struct.unpack("!I", value)[0] for vendor, code, value in answer if (vendor, code) == (TGPP, 1445)]
        return EQUIPMENT.get(status[0], "%d" % status[0]) if status else "unknown"
