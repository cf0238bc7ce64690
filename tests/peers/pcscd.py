# SPDX-License-Identifier: Apache-2.0
"""Debian's pcscd with virtual readers (vsmartcard-vpcd), apart from any that the machine has: in a mount namespace with a /run of its
own where the system lets us make one, else in the system's /run if nobody else is there."""
import os
import shutil
import signal
import socket
import subprocess

from .uicc import Reader
from .waiting import until

DRIVER = "/usr/lib/pcsc/drivers/serial/libifdvpcd.so"
SHARED = "/run/pcscd/pcscd.comm"


def _own_namespace():
    """What to put before a command so that it has its own /run; None: the system does not let us."""
    for options in (["--mount"], ["--user", "--map-root-user", "--mount"]):
        words = ["unshare", *options, "sh", "-c", 'mount -t tmpfs tmpfs /run && exec "$@"', "sh"]
        if subprocess.run([*words, "true"], capture_output=True, check=False).returncode == 0:
            return words
    return None


def available():
    """May a test have one?"""
    return bool(shutil.which("pcscd", path="/usr/sbin:" + os.environ.get("PATH", ""))) and os.path.exists(DRIVER)


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
    """`first` and `second`: two readers (uicc.Reader), empty."""

    def __init__(self, folder, name="Virtual PCD"):
        self.folder, self.process = str(folder), None
        self.conf, self.before, port = os.path.join(self.folder, "reader.conf.d"), _own_namespace(), _two_ports()
        self.first, self.second = Reader(name + " 00 00", port), Reader(name + " 00 01", port + 1)
        os.makedirs(self.conf, exist_ok=True)
        with open(os.path.join(self.conf, "virtual"), "w", encoding="ascii") as out:
            out.write('FRIENDLYNAME "%s"\nDEVICENAME /dev/null:%d\nLIBPATH %s\nCHANNELID %d\n' % (name, port, DRIVER, port))

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
        assert self.before or not os.path.exists(SHARED), "another pcscd has /run/pcscd"
        self.log = open(os.path.join(self.folder, "pcscd.log"), "ab")
        self.process = subprocess.Popen([*(self.before or []), "/usr/sbin/pcscd", "--foreground", "--info", "--config", self.conf],
                                        stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        assert until(lambda: os.path.exists(self.socket) or self.process.poll() is not None) and self.process.poll() is None, \
            open(self.log.name, encoding="utf-8", errors="replace").read()

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait()
        if self.process:
            self.log.close()
