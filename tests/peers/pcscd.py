# SPDX-License-Identifier: Apache-2.0
"""Debian's pcscd with virtual readers (vsmartcard-vpcd), apart from any that the machine has: in a mount namespace with a /run of its
own where the system lets us make one, else in the system's /run if nobody else is there."""
import os
import signal
import socket
import subprocess

from .uicc import Reader
from .waiting import until

DRIVER = "/usr/lib/pcsc/drivers/serial/libifdvpcd.so"
PROGRAM, SHARED = "/usr/sbin/pcscd", "/run/pcscd/pcscd.comm"


def _own_namespace():
    """What to put before a command so that it has its own /run; None: the system does not let us."""
    for options in (["--mount"], ["--user", "--map-root-user", "--mount"]):
        words = ["unshare", *options, "sh", "-c", 'mount -t tmpfs tmpfs /run && exec "$@"', "sh"]
        if subprocess.run([*words, "true"], capture_output=True, check=False).returncode == 0:
            return words
    return None


def available():
    """May a test have one?"""
    return (os.path.exists(PROGRAM) and os.path.exists(DRIVER) and
            (_own_namespace() is not None or (os.getuid() == 0 and not os.path.exists(SHARED))))


def _two_ports():
    """The driver makes two places: at a port, and at the one behind it."""
    for _ in range(100):
        with socket.create_server(("127.0.0.1", 0)) as first:
            port = first.getsockname()[1]
            try:
                socket.create_server(("127.0.0.1", port + 1)).close()
                return port
            except OSError:
                continue
    raise OSError("no two free ports side by side")


class Pcscd:
    """`first` and `second`: two readers (uicc.Reader), empty. without: it has none."""

    def __init__(self, folder, name="Virtual PCD", without=False):
        self.folder, self.process, self.without = str(folder), None, without
        self.name, self.conf, self.before = name, os.path.join(self.folder, "reader.conf.d"), _own_namespace()
        self.first, self.second = Reader(name + " 00 00", 0), Reader(name + " 00 01", 0)
        os.makedirs(self.conf, exist_ok=True)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()
        self.first.remove()
        self.second.remove()

    @property
    def socket(self):
        return "/proc/%d/root%s" % (self.process.pid, SHARED) if self.before else SHARED

    @property
    def environment(self):
        """For its clients."""
        return {"PCSCLITE_CSOCK_NAME": self.socket}

    def start(self):
        """On other ports each time: somebody may have taken those that were free."""
        for _ in range(5):
            self.first.port = _two_ports()
            self.second.port = self.first.port + 1
            with open(os.path.join(self.conf, "virtual"), "w", encoding="ascii") as out:
                out.write("" if self.without else 'FRIENDLYNAME "%s"\nDEVICENAME /dev/null:%d\nLIBPATH %s\nCHANNELID %d\n' %
                          (self.name, self.first.port, DRIVER, self.first.port))
            if self.run():
                return
            self.stop()
        raise OSError("pcscd does not start:\n" + self.said())

    def run(self):
        """Is it up, with both readers?"""
        self.log = open(os.path.join(self.folder, "pcscd.log"), "wb")
        self.process = subprocess.Popen([*(self.before or []), PROGRAM, "--foreground", "--info", "--config", self.conf],
                                        stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        until(lambda: "daemon ready" in self.said() or self.process.poll() is not None)
        return self.process.poll() is None and self.said().count("Waiting for virtual ICC") == 2 * (not self.without)

    def said(self):
        with open(os.path.join(self.folder, "pcscd.log"), encoding="utf-8", errors="replace") as log:
            return log.read()

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait()
        if self.process:
            self.log.close()
