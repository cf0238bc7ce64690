# SPDX-License-Identifier: Apache-2.0
"""Packets of a laboratory: dumpcap on lo, only the laboratory's block of addresses, TLS secrets of Diameter put inside."""
import os
import shutil
import subprocess
import time

from .process import Process


class Capture:
    """Does nothing, and says why in `reason`, where capturing is not possible."""

    def __init__(self, folder, prefix):
        self.folder, self.file, self.reason = folder, os.path.join(folder, "lab.pcapng"), ""
        self.keys = os.path.join(folder, "tls-keys.log")
        self._raw = os.path.join(folder, "raw.pcapng")
        self._process = None
        dumpcap = shutil.which("dumpcap")
        if dumpcap is None:
            self.reason = "dumpcap is not installed"
            return
        log = os.path.join(folder, "dumpcap.log")
        self._process = Process("dumpcap", [dumpcap, "-q", "-i", "lo", "-f", "net %s.0/24" % prefix, "-w", self._raw], log).start()
        for _ in range(100):
            if os.path.exists(self._raw) and os.path.getsize(self._raw) > 0:
                return
            if not self._process.alive():
                break
            time.sleep(0.02)
        self._process.stop()
        self._process, self.reason = None, "dumpcap may not capture here"

    def environment(self):
        """For nodes whose TLS secrets belong into the capture (GnuTLS reads this variable)."""
        return {"SSLKEYLOGFILE": self.keys} if self._process else {}

    def stop(self):
        """Finish; returns the file's path or None."""
        if self._process is None:
            return None
        time.sleep(0.3)  # the kernel hands packets over in blocks
        self._process.signal(2)
        self._process.stop()
        self._process = None
        editcap = shutil.which("editcap")
        done = 1
        if editcap and os.path.exists(self.keys):
            done = subprocess.run([editcap, "--inject-secrets", "tls," + self.keys, self._raw, self.file],
                                  capture_output=True).returncode
        if done != 0:
            os.replace(self._raw, self.file)
        for leftover in (self._raw, self.keys):
            if os.path.exists(leftover):
                os.unlink(leftover)
        return self.file
