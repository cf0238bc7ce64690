# SPDX-License-Identifier: Apache-2.0
"""osmo-hlr's vectors per second on disk: an AuC other people run, asked over GSUP (IPA framing) by a small client of ours."""
import os
import select
import shutil
import socket
import struct
import time

from lab.process import LoopbackBlock, Process, port_open, wait_until

from .ground import K, OPC

IPA_CCM, IPA_OSMO, OSMO_GSUP = 0xFE, 0xEE, 5
CCM_PING, CCM_PONG, CCM_ID_GET, CCM_ID_RESP, CCM_ID_ACK = 0, 1, 4, 5, 6
GSUP_AUTH_REQUEST, GSUP_AUTH_RESULT, IE_IMSI, IE_AUTH_TUPLE = 0x08, 0x0A, 0x01, 0x03
VTY, GSUP = 4258, 4222
USERS, WINDOW = 500, 32


def imsi(i):
    return "00101%010d" % i


def bcd(digits):
    digits += "F" * (len(digits) % 2)
    return bytes(int(digits[i + 1] + digits[i], 16) for i in range(0, len(digits), 2))


class Gsup:
    def __init__(self, address):
        self._socket = socket.create_connection((address, GSUP), timeout=5)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._in = b""

    def _send(self, proto, body):
        self._socket.sendall(struct.pack("!HB", len(body), proto) + body)

    def frames(self, timeout):
        """The complete frames there are, after waiting for some."""
        if select.select([self._socket], [], [], timeout)[0]:
            got = self._socket.recv(262144)
            if not got:
                raise RuntimeError("osmo-hlr closed the connection")
            self._in += got
        at, found = 0, []
        while len(self._in) - at >= 3:
            length, proto = struct.unpack_from("!HB", self._in, at)
            if len(self._in) - at < 3 + length:
                break
            found.append((proto, self._in[at + 3:at + 3 + length]))
            at += 3 + length
        self._in = self._in[at:]
        return found

    def control(self, body):
        if body[0] == CCM_ID_GET:
            tags = b"".join(struct.pack("!HB", 6, tag) + b"bench\0"[:5] for tag in (0, 1, 8))
            self._send(IPA_CCM, bytes([CCM_ID_RESP]) + tags)
        elif body[0] == CCM_ID_ACK:
            self._send(IPA_CCM, bytes([CCM_ID_ACK]))
        elif body[0] == CCM_PING:
            self._send(IPA_CCM, bytes([CCM_PONG]))

    def greet(self):
        end = time.monotonic() + 2
        while time.monotonic() < end:
            for proto, body in self.frames(0.2):
                if proto == IPA_CCM:
                    self.control(body)
                    if body[0] == CCM_ID_ACK:
                        return

    def ask(self, number):
        digits = bcd(imsi(number))
        self._send(IPA_OSMO, bytes([OSMO_GSUP, GSUP_AUTH_REQUEST, IE_IMSI, len(digits)]) + digits)

    def close(self):
        self._socket.close()


def tuples(body):
    """Vectors in an answer."""
    at, count = 1, 0
    while at + 2 <= len(body):
        count += body[at] == IE_AUTH_TUPLE
        at += 2 + body[at + 1]
    return count


def load(gsup, seconds):
    """(requests, vectors, bad) per `seconds`, WINDOW in flight."""
    sent = requests = vectors = bad = 0
    for sent in range(WINDOW):
        gsup.ask(sent % USERS)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for proto, body in gsup.frames(1):
            if proto == IPA_CCM:
                gsup.control(body)
                continue
            if body[1] != GSUP_AUTH_RESULT:
                bad += 1
            requests, vectors, sent = requests + 1, vectors + tuples(body[1:]), sent + 1
            gsup.ask(sent % USERS)
    return requests, vectors, bad


def provision(address):
    with socket.create_connection((address, VTY), timeout=5) as vty:
        text = "enable\n" + "".join("subscriber imsi %s create\nsubscriber imsi %s update aud3g milenage k %s opc %s ind-bitlen 5\n"
                                    % (imsi(i), imsi(i), K, OPC) for i in range(USERS)) + "show uptime\nexit\nexit\n"
        vty.sendall(text.encode())
        while vty.recv(65536):
            pass


def osmo(ground, table):
    if shutil.which("osmo-hlr") is None:
        return table.failed("osmo-hlr, vectors", "osmo-hlr is not installed")
    block = LoopbackBlock()
    address = block.address(1)
    conf = os.path.join(ground.folder, "osmo-hlr.cfg")
    with open(conf, "w", encoding="utf-8") as out:
        out.write("line vty\n bind %s\nctrl\n bind %s\nhlr\n gsup\n  bind ip %s\n" % (address, address, address))
    process = Process("osmo-hlr", ["osmo-hlr", "-c", conf, "-l", os.path.join(ground.folder, "osmo-hlr.db")],
                      os.path.join(ground.folder, "osmo-hlr.out"), cwd=ground.folder).start()
    try:
        wait_until(lambda: port_open(address, VTY) and port_open(address, GSUP), 10, "osmo-hlr")
        provision(address)
        gsup = Gsup(address)
        gsup.greet()
        load(gsup, 1)
        requests, vectors, bad = load(gsup, ground.seconds)
        gsup.close()
    finally:
        process.stop()
        block.release()
    if bad > requests / 100 or vectors == 0:
        raise RuntimeError("osmo-hlr: %d of %d answers are refusals" % (bad, requests))
    table.add("osmo-hlr, AKA vectors on disk", vectors / ground.seconds, "/s", None, None, None,
              "%.0f requests/s, window %d" % (requests / ground.seconds, WINDOW))
