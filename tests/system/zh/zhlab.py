# SPDX-License-Identifier: Apache-2.0
"""hss_stub.fdx on a live daemon with a database of its own, asked by tests/peers/diameter.py; cards by tests/peers/aka.py."""
import contextlib
import importlib.util
import json
import os
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
sys.path.insert(0, os.path.join(TOP, "tests"))

from peers import aka, diameter as d  # noqa: E402

_spec = importlib.util.spec_from_file_location("dia_daemon", os.path.join(TOP, "tests/system/dia/conftest.py"))
dia_daemon = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(dia_daemon)
Daemon, built, free_port, until = dia_daemon.Daemon, dia_daemon.built, dia_daemon.free_port, dia_daemon.until

REALM, HSS, BSF, BSF2, STRANGER = "lab.test", "hss.lab.test", "bsf.lab.test", "bsf2.lab.test", "other.lab.test"
IND, IND2 = 5, 9
# TS 35.208 4.3.1 set 1, and a K of our own; both name what must show up nowhere else.
K, OP = bytes.fromhex("465b5ce8b199b49faa5f0a2ee238a6bc"), bytes.fromhex("cdc202d5123e20f62b6d676ac72cb318")
TUAK_K, TUAK_TOP = bytes(range(32)), bytes(range(100, 132))
GUSS = ('<guss id="%s"><bsfInfo><uiccType>GBA_U</uiccType><lifeTime>3600</lifeTime></bsfInfo><ussList><uss id="1" type="1">'
        '<uids><uid>sip:u@lab.test</uid></uids><flags><flag>1</flag></flags></uss></ussList></guss>')


class Node:
    """A folder with hss.conf, subscribers put in by gba-ctl, and the daemon."""

    def __init__(self, folder, conf="", guard="", bsfs=None, start=True, data=None, db=None, identity=HSS, apps=(d.ZH,)):
        self.folder = str(folder)
        os.makedirs(self.folder, exist_ok=True)
        self.data, self.identity, self.apps = data or self.folder, identity, apps
        self.db, self.kek = db or os.path.join(self.data, "hss.db"), os.path.join(self.data, "hss.kek")
        self.trace = os.path.join(self.folder, "trace.jsonl")
        self.conf = os.path.join(self.folder, "hss.conf")
        bsfs = bsfs or ('( { identity = "%s"; ind = %d; realms = [ "lab.test" ]; }, '
                        '{ identity = "%s"; ind = %d; realms = [ ".other.test" ]; } )' % (BSF, IND, BSF2, IND2))
        with open(self.conf, "w", encoding="ascii") as out:
            out.write('database = "%s";\nkek-file = "%s";\ntrace-file = "%s";\nbsfs = %s;\n%s' %
                      (self.db, self.kek, self.trace, bsfs, conf))
        self.guard, self.daemon, self.peers = guard, None, {}
        if start:
            self.start()

    def start(self):
        self.daemon = Daemon(self.folder, ["guard", "dict"] + ["y3056"] * (self.apps != (d.ZH,)) + ["%s:%s" % (built("hss-stub/.libs/hss_stub.fdx"), self.conf)],
                             identity=self.identity, realm=REALM, clients=[BSF, BSF2, STRANGER], guard=self.guard)
        return self

    def stop(self):
        self._hang_up()
        return self.daemon.stop() if self.daemon else True

    def kill(self):
        self.daemon.process.kill()
        self.daemon.process.wait()
        self._hang_up()

    def _hang_up(self):
        for peer in self.peers.values():
            peer.close(abrupt=True)
        self.peers = {}

    @contextlib.contextmanager
    def peer(self, host=BSF):
        """The connection of this peer. It stays: one that comes back after an abrupt end is only served again after three
        watchdogs (RFC 3539 REOPEN)."""
        def connected():  # the daemon listens a moment before it takes CERs
            try:
                return self.daemon.client(host=host, realm=REALM, apps=self.apps)
            except ConnectionError:
                return None

        if host not in self.peers:
            made = until(connected)
            assert made, self.log()
            self.peers[host] = made
        yield self.peers[host]

    def log(self):
        return self.daemon.log()

    def ctl(self, *words, stdin=None, want=0):
        """gba-ctl on this database; its standard output."""
        out = subprocess.run([built("tools/gba-ctl/gba-ctl"), "--db", self.db, "--kek", self.kek, *words], input=stdin,
                             capture_output=True, text=True, timeout=120, check=False)
        assert out.returncode == want, (out.returncode, out.stdout, out.stderr)
        return out.stdout

    def add(self, impi, *options, k=K, op=OP):
        return self.ctl("subscriber", "add", impi, "--k-file", "-", "--op-file", "-", *options,
                        stdin="%s\n%s\n" % (k.hex(), op.hex()))

    def record(self, impi):
        return json.loads(self.ctl("subscriber", "show", impi, "--json"))

    def records(self):
        return [json.loads(line) for line in self.ctl("subscriber", "export", "--json").splitlines()]


def fill(node):
    """The subscribers of most tests."""
    node.add("alice@lab.test", "--amf", "1234", "--impu", "sip:alice.a@lab.test", "--sqn", "32000")
    node.add("tuak@lab.test", "--algorithm", "tuak", "--res-len", "16", "--tuak-iterations", "2", k=TUAK_K, op=TUAK_TOP)
    node.add("barred@lab.test", "--state", "barred")
    node.add("carol@sub.other.test")
    guss = os.path.join(node.folder, "guss.xml")
    with open(guss, "w", encoding="ascii") as out:
        out.write(GUSS % "gbau@lab.test")
    node.add("gbau@lab.test", "--guss", guss)


def card(impi="alice@lab.test"):
    if impi == "tuak@lab.test":
        return aka.Tuak(TUAK_K, top=TUAK_TOP, res_len=16, iterations=2)
    return aka.Milenage(K, op=OP)


class Vector:
    """A MAA's vector, checked by the card."""

    def __init__(self, answer, usim):
        assert answer.result() == (0, 2001), answer.result()
        view = d.maa_view(answer)
        assert view["scheme"] == b"Digest-AKAv1-MD5" and len(view["authenticate"]) == 32
        self.rand, self.autn = view["authenticate"][:16], view["authenticate"][16:]
        res, ck, ik, self.sqn, good = usim.challenge(self.rand, self.autn)
        assert good, "MAC of AUTN"
        assert (view["authorization"], view["ck"], view["ik"]) == (res, ck, ik)
        self.guss, self.user_name, self.ck, self.ik = view.get("guss"), view.get("user_name"), ck, ik
        self.seq, self.ind = self.sqn >> 5, self.sqn & 31
