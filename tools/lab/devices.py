# SPDX-License-Identifier: Apache-2.0
"""Subscribers and their simulated USIMs: the same keys go into the authentication centre and into the device."""
import json
import os
import secrets

from .realm import BSF, GSID, IMPI_REALM

# Published test data: TS 35.208 set 1 and TS 35.233 set 1 (TUAK). The others are drawn at random.
TS_35208_SET_1 = ("465b5ce8b199b49faa5f0a2ee238a6bc", "cd63cb71954a9f4e48a5994e37a02baf")
TS_35233_SET_1 = ("abababababababababababababababab", "bd04d9530e87513c5d837ac2ad954623a8e2330c115305a73eb45d1f40cccbff")

GUSS = """<?xml version="1.0" encoding="UTF-8"?>
<guss id="%(impi)s">
  <bsfInfo><uiccType>%(uicc)s</uiccType>%(life)s</bsfInfo>
  <ussList><uss id="%(gsid)d" type="0"><uids><uid>%(uid)s</uid></uids></uss></ussList>
</guss>
"""

class Device:
    """A subscriber and, in a state folder of its own, the device that holds its USIM."""

    def __init__(self, realm, name, imsi, keys=None, algorithm="milenage", gba_u=False, life_time=0, res_len=8, usim_sqn=None):
        self.realm, self.name, self.imsi, self.algorithm = realm, name, imsi, algorithm
        self.k, self.opc = keys or (secrets.token_hex(16), secrets.token_hex(16))
        self.gba_u, self.life_time, self.res_len, self.usim_sqn = gba_u, life_time, res_len, usim_sqn
        self.impi = "%s@%s" % (imsi, IMPI_REALM)
        self.state = realm.path("devices", name)

    def _secret_file(self, name, text):
        path = os.path.join(self.state, name)
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.write(fd, text.encode())
        os.close(fd)
        return path

    def guss(self):
        return GUSS % {"impi": self.impi, "uicc": "GBA_U" if self.gba_u else "GBA", "gsid": GSID, "uid": "sip:%s@example.com" % self.name,
                       "life": "<lifeTime>%d</lifeTime>" % self.life_time if self.life_time else ""}

    def provision(self, guss=True):
        """Enter the subscriber into the authorization element, with settings of its own or without."""
        os.makedirs(self.state, mode=0o700, exist_ok=True)
        k, opc = self._secret_file("k", self.k), self._secret_file("opc", self.opc)
        settings = ["--guss", self._secret_file("guss.xml", self.guss())] if guss else []
        self.realm.ctl("subscriber", "add", self.impi, "--imsi", self.imsi, "--k-file", k, "--opc-file", opc, "--algorithm",
                       self.algorithm, "--res-len", str(self.res_len), *settings)
        for path in (k, opc):
            os.unlink(path)

    def personalise(self, *profile):
        """Make the USIM and the operator's profile in the device."""
        os.makedirs(self.state, mode=0o700, exist_ok=True)
        options = ["--imsi", self.imsi, "--impi", self.impi, "--key-file", "-", "--algorithm", self.algorithm, "--res-len", str(self.res_len)]
        options += ["--gba-u"] if self.gba_u else []
        options += ["--sqn", self.usim_sqn] if self.usim_sqn else []
        self.must("usim", "create", *options, stdin="k=%s\nopc=%s\n" % (self.k, self.opc))
        self.must("profile", "add", "operator", "--bsf", BSF, "--connect", self.realm.address("bsf") + ":80", *profile)

    def ue(self, *args, stdin=None, timeout=60):
        """Run gba-ue on this device; returns (exit status, parsed JSON or None, text of standard error)."""
        trace = ["--trace", self.realm.trace] if self.realm.trace else []
        done = self.realm.run("gba-ue", "--state", self.state, "--json", *trace, *args, stdin=stdin, timeout=timeout)
        try:
            result = json.loads(done.stdout) if done.stdout.strip() else None
        except json.JSONDecodeError:
            result = done.stdout
        return done.returncode, result, done.stderr.strip()

    def must(self, *args, stdin=None):
        status, result, error = self.ue(*args, stdin=stdin)
        if status != 0:
            raise RuntimeError("gba-ue %s: status %d: %s" % (" ".join(args), status, error or result))
        return result

    def bootstrap(self, *options):
        return self.must("bootstrap", *options)

    def get(self, url, *options):
        return self.ue("get", url, *options)
