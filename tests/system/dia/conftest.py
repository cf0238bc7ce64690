# SPDX-License-Identifier: Apache-2.0
"""Where things are, and what every test of this folder starts: diatool, and freeDiameterd on free loopback ports."""
import glob
import os
import subprocess
import sys

import pytest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
sys.path[:0] = [os.path.join(TOP, "tests"), os.path.join(TOP, "tools")]

from lab.process import free_port, port_open  # noqa: E402
from lab.realm import Tree  # noqa: E402
from peers import diameter as d  # noqa: E402
from peers.waiting import PATIENCE, until  # noqa: E402

BUILD = os.environ.get("GBA_BUILD", os.path.join(TOP, "build"))


def built(path):
    """A product of the build tree."""
    full = os.path.join(BUILD, path)
    assert os.path.exists(full), f"{full}: not built (make check-programs?)"
    return full


def run_diatool(mode, lines=""):
    """(name, rest) of each line diatool prints."""
    out = subprocess.run([built("tests/system/dia/diatool"), mode], input=lines, capture_output=True, text=True, timeout=120)
    assert out.returncode == 0, out.stderr
    return [tuple(line.split(" ", 1)) for line in out.stdout.splitlines()]


@pytest.fixture(scope="session")
def encoded():
    """Messages with every AVP as lib/dia writes them: name -> octets."""
    return {name: bytes.fromhex(octets) for name, octets in run_diatool("encode")}


# GBA_VALGRIND=1: every daemon runs under memcheck, and what it finds fails the test that stops the daemon.
VALGRIND = ["valgrind", "-q", "--error-exitcode=99", "--num-callers=20", "--suppressions=" + os.path.join(
    os.path.dirname(os.path.abspath(__file__)), "freediameter.supp")] if os.environ.get("GBA_VALGRIND") else []


class Daemon:
    """freeDiameterd with the extensions named: "dict", "guard", "echo" or "echo:delay=400", or the path of another.
    clients may connect to it; servers is {identity: port} of peers it connects to; wrap: a command that runs it."""

    EXTENSIONS = {"dict": "dict/.libs/dict_gba.fdx", "y3056": "dict/.libs/dict_y3056.fdx", "guard": "lib/dia/guard/.libs/gba_guard.fdx",
                  "echo": "tests/system/dia/.libs/echo.fdx", "asker": "tests/system/dia/.libs/asker.fdx",
                  "newer": "tests/system/dia/.libs/newer_dict.fdx"}

    def __init__(self, folder, extensions, identity="bsf.lab.test", realm="lab.test", clients=(), servers=None, guard="",
                 options="", environment=None, listen=True, wrap=()):
        os.makedirs(folder, exist_ok=True)
        self.folder, self.identity, self.realm, self.port = str(folder), identity, realm, free_port()
        self.log_path = os.path.join(self.folder, "log")
        with open(os.path.join(self.folder, "guard.conf"), "w", encoding="ascii") as conf:
            conf.write(('listen = [ "127.0.0.1" ];\n' if listen else "") + guard)
        with open(os.path.join(self.folder, "fd.conf"), "w", encoding="ascii") as conf:
            conf.write(self._conf(extensions, clients, servers or {}, options))
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen([*VALGRIND, *wrap, "freeDiameterd", "-c", os.path.join(self.folder, "fd.conf")],
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                                            env={**Tree(BUILD).preload(), **os.environ,
                                                 "PATH": os.environ["PATH"] + ":/usr/sbin:/usr/bin", **(environment or {})})
        until(lambda: not self.alive() or port_open("127.0.0.1", self.port), 2 * PATIENCE)
        if not self.alive():
            raise RuntimeError(f"freeDiameterd ended with {self.process.returncode}:\n{self.log()[-3000:]}")
        if "guard" in extensions:
            self._wait_for_peers(clients)

    def _wait_for_peers(self, clients):
        """A peer is not served until its own thread has begun: it tries to connect and says that it cannot."""
        until(lambda: not self.alive() or all(f"peer.down peer={peer} " in self._logs() for peer in clients))

    def _logs(self):
        """A role that has a log of its own has the guard's lines in it, too."""
        return self.log() + "".join(open(path, encoding="utf-8", errors="replace").read()
                                    for path in glob.glob(os.path.join(self.folder, "*.log")))

    def _conf(self, extensions, clients, servers, options):
        lines = [f'Identity = "{self.identity}";', f'Realm = "{self.realm}";', f"Port = {self.port};", "SecPort = 0;",
                 "No_SCTP;", "No_IPv6;", "AppServThreads = 2;", "TwTimer = 6;", options or "NoRelay;"]
        for extension in extensions:
            name, _, conf = extension.partition(":")
            path = built(self.EXTENSIONS[name]) if name in self.EXTENSIONS else name
            conf = os.path.join(self.folder, "guard.conf") if name == "guard" else conf
            lines.append(f'LoadExtension = "{path}"' + (f' : "{conf}";' if conf else ";"))
        for peer in clients:
            lines.append(f'ConnectPeer = "{peer}" {{ ConnectTo = "127.0.0.1"; Port = 9; No_TLS; No_SCTP; TcTimer = 3600; }};')
        for peer, port in servers.items():
            lines.append(f'ConnectPeer = "{peer}" {{ ConnectTo = "127.0.0.1"; Port = {port}; No_TLS; No_SCTP; TcTimer = 1; }};')
        return "\n".join(lines) + "\n"

    def alive(self):
        return self.process.poll() is None

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as log:
            return log.read()

    def ended(self):
        """Does the daemon end by itself?"""
        return until(lambda: not self.alive())

    def stop(self):
        """End it as an operator does; True when it ended cleanly."""
        if self.alive():
            self.process.terminate()
        try:
            self.process.wait(2 * PATIENCE)
            assert not VALGRIND or "==    at 0x" not in self.log(), self.log()
            return self.process.returncode == 0
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return False

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.stop()

    def client(self, host="naf.lab.test", realm="lab.test", apps=(d.ZN,), **kw):
        """A connection as soon as one is taken: the framework listens a moment before it does."""
        def connected():
            try:
                return d.Client(("127.0.0.1", self.port), host, realm, list(apps), **kw)
            except (d.NoCea, ConnectionResetError):
                return None

        made = until(connected)
        if made is None:
            raise d.NoCea(self.log())
        return made


@pytest.fixture
def daemon(tmp_path):
    """daemon(extensions, ...) starts one; all are ended after the test."""
    started = []

    def start(extensions, **kw):
        kw.setdefault("clients", ["naf.lab.test"])
        started.append(Daemon(tmp_path / f"d{len(started)}", extensions, **kw))
        return started[-1]

    yield start
    for one in started:
        one.stop()


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    """A daemon with guard and echo for a whole file."""
    with Daemon(tmp_path_factory.mktemp("stack"), ["guard", "dict", "echo"], clients=["naf.lab.test"]) as one:
        yield one


@pytest.fixture(scope="module")
def connected(stack):
    """A peer of it."""
    with stack.client() as peer:
        yield peer
