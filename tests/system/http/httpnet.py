# SPDX-License-Identifier: Apache-2.0
"""Raw octets to httptool and back; reads answers with a parser of its own, so that a second answer hides nowhere."""
import os
import socket
import ssl
import subprocess
import threading
import time

from peers.waiting import PATIENCE

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
BUILD = os.environ.get("GBA_BUILD", os.path.join(TOP, "build"))
TOOL = os.path.join(BUILD, "tests/system/http/httptool")


class Server:
    """One httptool; options as its command line has them."""

    def __init__(self, **options):
        assert os.path.exists(TOOL), TOOL + ": not built (make check)"
        arguments = [text for name, value in options.items() for text in (name.replace("_", "-"), str(value))]
        self.process = subprocess.Popen([TOOL] + arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        first = self.process.stdout.readline().split(" ", 1)
        self.error = first[1].strip() if first[0] == "error" else None
        self.port = int(first[1]) if self.error is None else None
        self.pages = int(self.process.stdout.readline().split()[1]) if self.error is None else None
        self.host = "::1" if options.get("listen", "").startswith("[") else "127.0.0.1"

    def stop(self):
        """Milliseconds the stop took; fails when the process did not end as it should."""
        self.process.stdin.close()
        last = self.process.stdout.read().split()
        assert self.process.wait(PATIENCE) == 0, "exit status %d" % self.process.returncode
        return int(last[-1])

    def taken(self, count=1):
        """Wait until so many more requests are in work (with announce=1)."""
        for _ in range(count):
            assert self.process.stdout.readline() == "taken\n"

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if self.process.poll() is None:
            if kind is None:
                self.stop()
            else:
                self.process.kill()
                self.process.wait()

    def connect(self, port=None, tls=None):
        sock = socket.create_connection((self.host, port or self.port), PATIENCE)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return tls.wrap_socket(sock, server_hostname="localhost") if tls else sock

    def talk(self, raw, port=None, tls=None, pieces=None, count=None, quiet=0.15):
        """Send, then read until the server closes; or, when it is to keep the connection, until it has answered `count` times and
        is quiet then. -> Answers"""
        with self.connect(port, tls) as sock:
            try:
                for piece in pieces or [raw]:
                    sock.sendall(piece)
            except (BrokenPipeError, ConnectionResetError, ssl.SSLError):
                pass  # it may well have closed before the end
            return Answers(*read_all(sock, count, quiet))


def read_all(sock, count=None, quiet=0.15):
    """(octets, closed). A reset counts as closed; `quiet` seconds without anything after `count` answers end the reading."""
    data, end = b"", time.monotonic() + PATIENCE
    while time.monotonic() < end:
        sock.settimeout(quiet if count and answers_in(data) >= count else max(0.01, end - time.monotonic()))
        try:
            got = sock.recv(65536)
        except (socket.timeout, TimeoutError, ssl.SSLWantReadError):
            return data, False
        except (ConnectionResetError, ssl.SSLError, OSError):
            return data, True
        if not got:
            return data, True
        data += got
    return data, False


def split_one(data):
    """(answer or None, rest)"""
    head, blank, rest = data.partition(b"\r\n\r\n")
    if not blank:
        return None, data
    lines = head.split(b"\r\n")
    status = int(lines[0].split(b" ")[1])
    fields = {}
    for line in lines[1:]:
        name, _, value = line.partition(b":")
        fields.setdefault(name.decode().lower(), []).append(value.strip().decode())
    length = int(fields.get("content-length", ["0"])[0])
    if len(rest) < length and status not in (100, 204, 304):
        return None, data
    return Answer(status, fields, rest[:length]), rest[length:]


def answers_in(data):
    """How many complete ones."""
    count = 0
    while data:
        answer, data = split_one(data)
        if answer is None:
            break
        count += 1
    return count


class Answer:
    def __init__(self, status, fields, body):
        self.status, self.fields, self.body = status, fields, body

    def said(self, name):
        """What httptool's handler got: "target" -> "[/x]"."""
        for line in self.body.decode("latin-1").split("\n"):
            if line.startswith(name + " "):
                return line[len(name) + 1:]
        return None


class Answers:
    def __init__(self, data, closed):
        self.data, self.closed, self.list = data, closed, []
        while data:
            answer, rest = split_one(data)
            if answer is None:
                break
            self.list.append(answer)
            data = rest
        self.rest = data

    @property
    def statuses(self):
        return [answer.status for answer in self.list]


class Background(threading.Thread):
    """A function in a thread; result() waits for what it returned and raises what it raised."""

    def __init__(self, function, *arguments):
        super().__init__(daemon=True)
        self.function, self.arguments, self.value, self.error = function, arguments, None, None
        self.start()

    def run(self):
        try:
            self.value = self.function(*self.arguments)
        except BaseException as error:  # handed to the test
            self.error = error

    def done(self):
        return not self.is_alive()

    def result(self):
        self.join(2 * PATIENCE)
        if self.error:
            raise self.error
        return self.value
