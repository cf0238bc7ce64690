# SPDX-License-Identifier: Apache-2.0
"""A TCP application that reads who connects from a PROXY protocol v2 header and sends every line back. Run: lines.py ADDRESS PORT."""
import socketserver
import struct
import sys

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
IDENTITIES = 0xe0


def tlvs(octets):
    while len(octets) >= 3:
        kind, n = struct.unpack("!BH", octets[:3])
        yield kind, octets[3:3 + n]
        octets = octets[3 + n:]


class Lines(socketserver.StreamRequestHandler):
    def handle(self):
        head = self.rfile.read(16)
        if head[:12] != SIGNATURE:
            return
        body = self.rfile.read(struct.unpack("!H", head[14:])[0])
        addresses = {1: 12, 2: 36}.get(head[13] >> 4, 0)  # of IPv4, of IPv6
        who = dict(tlvs(body[addresses:])).get(IDENTITIES, b"").decode()
        self.wfile.write(("hello %s\n" % who.strip('"')).encode())
        for line in self.rfile:
            self.wfile.write(line)


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True


if __name__ == "__main__":
    Server((sys.argv[1], int(sys.argv[2])), Lines).serve_forever()
