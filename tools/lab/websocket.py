# SPDX-License-Identifier: Apache-2.0
"""Both ends of WebSocket (RFC 6455), as much as a laboratory needs: text in whole frames, close. Run: websocket.py ADDRESS PORT is an
application that knows nothing of GBA: it greets who it is told is calling and sends every text back; websocket.py ADDRESS PORT HOST is a
client that prints the greeting."""
import base64
import hashlib
import os
import socket
import socketserver
import struct
import sys

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
TEXT, CLOSE = 1, 8


def accept_of(key):
    return base64.b64encode(hashlib.sha1(key.encode() + GUID).digest()).decode()


def read_head(stream):
    """(first line, headers in lower case)"""
    first, headers = stream.readline().decode().strip(), {}
    for line in iter(lambda: stream.readline().decode().strip(), ""):
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    return first, headers


def frame(kind, payload, masked):
    n = len(payload)
    head = bytes([0x80 | kind]) + (struct.pack("!B", n | masked << 7) if n < 126 else struct.pack("!BH", 126 | masked << 7, n)
                                   if n < 65536 else struct.pack("!BQ", 127 | masked << 7, n))
    mask = os.urandom(4) if masked else b""
    return head + mask + (bytes(c ^ mask[i % 4] for i, c in enumerate(payload)) if masked else payload)


def read_frame(stream):
    """(kind, payload); (CLOSE, b"") at the end of the stream."""
    head = stream.read(2)
    if len(head) < 2:
        return CLOSE, b""
    n = head[1] & 127
    n = struct.unpack("!H", stream.read(2))[0] if n == 126 else struct.unpack("!Q", stream.read(8))[0] if n == 127 else n
    mask = stream.read(4) if head[1] & 128 else bytes(4)
    return head[0] & 15, bytes(c ^ mask[i % 4] for i, c in enumerate(stream.read(n)))


class Client:
    """An open connection; `status` is the answer's when it was not 101."""

    def __init__(self, address, port, host, path="/", timeout=20):
        self.sock = socket.create_connection((address, port), timeout=timeout)
        self.stream = self.sock.makefile("rb")
        key = base64.b64encode(os.urandom(16)).decode()
        self.sock.sendall(("GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: %s\r\n"
                           "Sec-WebSocket-Version: 13\r\n\r\n" % (path, host, key)).encode())
        first, headers = read_head(self.stream)
        self.status = int(first.split()[1]) if first else 0
        if self.status == 101 and headers.get("sec-websocket-accept") != accept_of(key):
            raise OSError("the answer to the opening handshake is not for us")

    def send(self, text):
        self.sock.sendall(frame(TEXT, text.encode(), True))

    def receive(self):
        kind, payload = read_frame(self.stream)
        return payload.decode() if kind == TEXT else None

    def close(self):
        try:
            self.sock.sendall(frame(CLOSE, b"", True))
        except OSError:
            pass
        self.stream.close()
        self.sock.close()


class Application(socketserver.StreamRequestHandler):
    def handle(self):
        _, headers = read_head(self.rfile)
        if "sec-websocket-key" not in headers:
            self.wfile.write(b"HTTP/1.1 426 Upgrade Required\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            return
        self.wfile.write(("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n"
                          % accept_of(headers["sec-websocket-key"])).encode())
        who = headers.get("x-3gpp-asserted-identity", "").strip('"')
        self.wfile.write(frame(TEXT, ("hello " + who).encode(), False))
        for kind, payload in iter(lambda: read_frame(self.rfile), (CLOSE, b"")):
            if kind != TEXT:
                break
            self.wfile.write(frame(TEXT, payload, False))


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True


if __name__ == "__main__":
    if len(sys.argv) > 3:
        client = Client(sys.argv[1], int(sys.argv[2]), sys.argv[3])
        sys.exit("status %d" % client.status if client.status != 101 else print(client.receive()))
    Server((sys.argv[1], int(sys.argv[2])), Application).serve_forever()
