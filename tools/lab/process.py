# SPDX-License-Identifier: Apache-2.0
"""Processes of a laboratory: each dies with us, each is ended by its own pid, each leaves its log in the state folder."""
import ctypes
import os
import random
import signal
import socket
import subprocess
import sys
import time

PR_SET_PDEATHSIG = 1
NO_ROOT = "unshare -rn sh -c 'ip link set lo up && exec %s'"
_libc = ctypes.CDLL(None, use_errno=True)


def _die_with_parent():
    os.setpgid(0, 0)  # Ctrl-C of the terminal reaches us only; we then end the nodes in order
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Process:
    """A started program. Its standard output and error go to `log`."""

    def __init__(self, name, argv, log, env=None, cwd=None):
        self.name, self.argv, self.log = name, [str(a) for a in argv], log
        self._env, self._cwd = env, cwd
        self._proc = None

    def start(self):
        out = open(self.log, "ab")
        try:
            self._proc = subprocess.Popen(self.argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd=self._cwd,
                                          env=dict(os.environ, **(self._env or {})), preexec_fn=_die_with_parent)
        finally:
            out.close()
        return self

    @property
    def pid(self):
        return self._proc.pid if self._proc else None

    def alive(self):
        return self._proc is not None and self._proc.poll() is None

    def exit_code(self):
        return self._proc.poll() if self._proc else None

    def signal(self, number):
        if self.alive():
            self._proc.send_signal(number)

    def kill(self):
        """SIGKILL, as a crash would."""
        if self._proc:
            self._proc.kill()
            self._proc.wait()

    def stop(self, timeout=5.0):
        """SIGTERM, then SIGKILL for who does not listen."""
        if not self.alive():
            return self.exit_code()
        self._proc.terminate()
        try:
            return self._proc.wait(timeout)
        except subprocess.TimeoutExpired:
            self._proc.kill()
            return self._proc.wait()

    def log_text(self):
        try:
            with open(self.log, encoding="utf-8", errors="replace") as log:
                return log.read()
        except FileNotFoundError:
            return ""


def wait_until(condition, timeout, what, every=0.02):
    """Poll condition(); its first true value is returned."""
    end = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise TimeoutError("%s: not within %g s" % (what, timeout))
        time.sleep(every)


def port_open(address, port):
    try:
        with socket.create_connection((address, port), timeout=0.5):
            return True
    except OSError:
        return False


_reserved = []


def free_port(address="127.0.0.1"):
    """A port for a server still to be started. It lies below the ports the kernel gives away by itself, and an abstract socket
    with its number keeps other laboratories off it until this process ends: nobody takes it in between."""
    while True:
        port = random.randrange(15000, 32000)
        claim = socket.socket(socket.AF_UNIX)
        try:
            claim.bind("\0gba-port-%d" % port)
            with socket.socket() as probe:
                probe.bind((address, port))
            _reserved.append(claim)
            return port
        except OSError:
            claim.close()


def started_as():
    """What a person types: run-lab, or the installed program."""
    top = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    return os.path.join(top, "run-lab") if os.environ.get("GBA_BUILD") else sys.argv[0]


def way_in():
    """The command that enters the network of a laboratory started as NO_ROOT says; None where everybody is in it."""
    with open("/proc/self/uid_map", encoding="ascii") as users:
        if users.read().split()[2:] != ["1"]:
            return None
    return "nsenter -t %d -U -n --preserve-credentials" % os.getpid()


class LoopbackBlock:
    """A /24 of loopback addresses nobody else of us uses: well-known ports can then be the same in every laboratory."""

    def __init__(self):
        start = os.getpid()
        for attempt in range(2000):
            number = (start * 7 + attempt * 13) % (126 * 250) + 256
            self.prefix = "127.%d.%d" % (number // 250 + 1, number % 250 + 1)
            self._lock = socket.socket()
            try:
                self._lock.bind((self.prefix + ".1", 9))
                self._lock.listen(1)
                return
            except PermissionError:
                self._lock.close()
                raise RuntimeError("the nodes have well-known ports, for which root is needed; or give the laboratory a network of its "
                                   "own: " + NO_ROOT % " ".join([started_as()] + sys.argv[1:])) from None
            except OSError:
                self._lock.close()
        raise RuntimeError("no free block of loopback addresses")

    def address(self, host):
        return "%s.%d" % (self.prefix, host)

    def release(self):
        self._lock.close()
