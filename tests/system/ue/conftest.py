# SPDX-License-Identifier: Apache-2.0
"""gba-ue on a state folder of its own, in front of peers of tests/peers."""
import json
import os
import subprocess
import sys

import pytest

TOP = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..", ".."))
BUILD = os.environ.get("GBA_BUILD", os.path.join(TOP, "build"))
sys.path[:0] = [os.path.join(TOP, "tests"), os.path.join(TOP, "tools")]

from peers.fake_bsf import FakeBsf  # noqa: E402

EXAMPLE = json.load(open(os.path.join(os.path.dirname(__file__), "ub-worked-example.json"), encoding="utf-8"))
IMPI, BSF = EXAMPLE["input"]["impi"], EXAMPLE["input"]["bsf_fqdn"]
NAF = EXAMPLE["input"]["naf_fqdn"]
K, OPC = EXAMPLE["input"]["k"], EXAMPLE["input"]["opc"]


class Ue:
    def __init__(self, folder):
        self.state = str(folder)
        self.program = os.path.join(BUILD, "ue", "gba-ue")

    def command(self, *args):
        return [self.program, "--state", self.state, *args]

    def run(self, *args, stdin=None, timeout=120, env=None):
        return subprocess.run(self.command(*args), input=stdin, capture_output=True, timeout=timeout,
                              env=dict(os.environ, **(env or {})))

    def json(self, *args, status=0, stdin=None):
        done = self.run("--json", *args, stdin=stdin)
        assert done.returncode == status, (done.returncode, done.stdout, done.stderr)
        return json.loads(done.stdout)

    def equip(self, bsf, *options, sqn=None, name="home", usim=True, gba_u=False):
        """A USIM with the worked example's keys and a profile for bsf."""
        if usim:
            self.json("usim", "create", "--imsi", EXAMPLE["input"]["imsi"], "--key-file", "-", *(["--sqn", sqn] if sqn else []),
                      *(["--gba-u"] if gba_u else []), stdin=("k=%s\nopc=%s\n" % (K, OPC)).encode())
        self.json("profile", "add", name, "--bsf", bsf.fqdn, "--connect", bsf.address, *options)
        return self


@pytest.fixture
def ue(tmp_path):
    return Ue(tmp_path / "state")


@pytest.fixture
def bsf():
    with FakeBsf(BSF) as server:
        server.add(IMPI, K, OPC)
        yield server


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    """Self-signed for the NAF and the BSF: (certificate, key)."""
    folder = tmp_path_factory.mktemp("certificate")
    cert, key = str(folder / "cert.pem"), str(folder / "key.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", cert, "-days", "2", "-subj",
                    "/CN=" + NAF, "-addext", "subjectAltName=DNS:%s,DNS:%s" % (NAF, BSF)], check=True, capture_output=True)
    return cert, key
