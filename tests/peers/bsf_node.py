# SPDX-License-Identifier: Apache-2.0
"""A real BSF (freeDiameterd with dict_gba, gba_guard, bsf) between a stand-in HSS and NAFs of ours: what the system tests of Ub
and Zn run on. Keys are computed here once more, from the formulas of TS 33.220 Annex B."""
import base64
import contextlib
import itertools
import os
import sys
import threading

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "tools"))

from lab.realm import AGENT, ASP, BSF, BSF_DIAMETER, HSS, IMPI_REALM, NAF, OPERATOR, Realm, Tree, q  # noqa: E402
from lab.process import port_open  # noqa: E402

from . import diameter as d  # noqa: E402
from .keys import ME, ks_naf  # noqa: E402
from .ub import Ub  # noqa: E402
from .waiting import page, until  # noqa: E402

UB_PORT = 8080  # needs no privilege
HTTP_DIGEST = b"\1\0\0\0\2"
IMPI = "001010000000001@" + IMPI_REALM


def impi_of(number):
    return "%015d@%s" % (1010000000000 + number, IMPI_REALM)


class FakeHss:
    """Answers MARs with random vectors and remembers them: vectors[rand] = (impi, autn, xres, ck, ik). behave may be replaced:
    it gets the connection and the MAR and returns a Message, octets, or None (silence)."""

    def __init__(self, address, host=HSS, realm=OPERATOR, apps=(d.ZH,)):
        self.vectors, self.asked, self.resyncs = {}, [], []
        self.guss, self.delay = {}, 0
        self.behave = self.vector
        self.server = d.Server(host, realm, list(apps), self._on, address)

    def _on(self, conn, mar):
        if mar.code != d.MAR:
            return None
        self.asked.append(mar.find(d.USER_NAME).text())
        item = mar.find(612, d.TGPP)
        if item is not None:
            self.resyncs.append(item.find(610, d.TGPP).value())
        if not self.delay:
            return self.behave(conn, mar)
        threading.Timer(self.delay, lambda: conn.send_raw(self.behave(conn, mar).encode())).start()
        return None

    def item(self, rand, autn, xres, ck, ik, scheme="Digest-AKAv1-MD5"):
        return d.tgpp(612, [d.tgpp(608, scheme), d.tgpp(609, rand + autn), d.tgpp(610, xres), d.tgpp(625, ck), d.tgpp(626, ik)])

    def maa(self, conn, mar, *avps):
        return mar.answer(conn.origin(), [d.vendor_app(d.ZH), d.u32(d.AUTH_SESSION_STATE, 1), *avps])

    def vector(self, conn, mar):
        impi = mar.find(d.USER_NAME).text()
        rand, autn, xres, ck, ik = (os.urandom(n) for n in (16, 16, 8, 16, 16))
        self.vectors[rand] = (impi, autn, xres, ck, ik)
        avps = [d.result(2001), d.text(d.USER_NAME, impi), self.item(rand, autn, xres, ck, ik)]
        if impi in self.guss:
            avps.append(d.tgpp(400, self.guss[impi]))
        return self.maa(conn, mar, *avps)

    def fail(self, avp):
        """From now on every MAR is answered with this result."""
        self.behave = lambda conn, mar: self.maa(conn, mar, avp)

    def silent(self):
        self.behave = lambda conn, mar: None

    def res(self, rand, _autn=None):
        return self.vectors[rand][2]

    def ks(self, rand):
        return self.vectors[rand][3] + self.vectors[rand][4]

    def close(self):
        self.server.close()


class Node:
    """The BSF and its surroundings; `extra` goes into bsf.conf. It waits long for the HSS, which is Python on a busy machine; a
    test about a silent one gives its own zh-timeout [ms]."""

    def __init__(self, folder, extra="", nafs=None, naf_peers=(AGENT,), hosts=None, hss=True, env=None, wrap=(), start=True,
                 y3056=False, make_hss=None, zh_timeout=20000):
        self.realm = Realm(str(folder), tree=Tree(os.environ.get("GBA_BUILD") or os.path.join(TOP, "build")), tls=False)
        self.extra, self.zh_timeout = extra, zh_timeout
        self.nafs, self.naf_peers, self.hosts, self.wrap = nafs, naf_peers, hosts, wrap
        self.realm.extra_env = dict(self.realm.tree.preload(), **(env or {}))
        self.y3056, self.make_hss = y3056, make_hss or FakeHss
        self.nafs_connected = {}
        self.ub_more = ""  # another listener of Ub, as bsf.conf has it
        self.hss = self.start_hss() if hss else None
        if start:
            self.start()

    def start_hss(self, node="hss", host=HSS):
        self.hss = self.make_hss((self.realm.address(node), 3868), host)
        return self.hss

    def start(self, ready=None):
        r = self.realm
        address = r.address("bsf")
        peers = self.hosts or [(HSS, r.address("hss"))]
        more = {"Zh": ', "4294901762"', "Zn": ', "4294901761"'} if self.y3056 else {}
        rows = [(h, "Zh") for h, _ in peers] + [(n, "Zn") for n in self.naf_peers]
        guard = r._write("bsf.guard.conf", "listen = [ %s ];\npeers = (\n%s\n);\n" % (q(address), ",\n".join(
            "  { identity = %s; applications = [ %s%s ]; }" % (q(h), q(app), more.get(app, "")) for h, app in rows)))
        conf = r.bsf_conf(extra=self.extra + "zh-timeout = %d;\n" % self.zh_timeout, nafs=self.nafs)
        text = open(conf, encoding="utf-8").read().replace(q(address + ":80"), "%s" % q("%s:%d" % self.address))
        if self.ub_more:
            text = text.replace("ub = ( {", "ub = ( %s, {" % self.ub_more)
        if self.hosts:
            hosts = ", ".join(q(h) for h, _ in self.hosts)
            text = text.replace("destination-realm = %s;" % q(OPERATOR), "destination-realm = %s; hosts = [ %s ];" % (q(OPERATOR), hosts))
        open(conf, "w", encoding="utf-8").write(text)
        daemon = r.daemon_conf("bsf", BSF_DIAMETER, OPERATOR,
                               [("dict_gba", "")] + [("dict_y3056", "")] * self.y3056 + [("gba_guard", guard), ("bsf", conf)],
                               peers + [(n, None) for n in self.naf_peers])
        if self.wrap:
            self._start_wrapped(daemon)
        else:
            r.start_daemon("bsf", daemon, UB_PORT)
        assert until(lambda: port_open(address, 3868)), "the BSF does not listen for NAFs\n" + self.process.log_text()
        if self.hss is not None if ready is None else ready:
            assert until(self.ready), "the BSF does not see its HSS\n" + self.log()

    def _start_wrapped(self, daemon):
        from lab.process import Process
        r = self.realm
        process = Process("bsf", [*self.wrap, r.tree.program("freeDiameterd"), "-c", daemon], r.path("bsf.out"),
                          env=dict(r.tree.environment(), **r.extra_env))
        r.start_process("bsf", process, r.address("bsf"), UB_PORT)

    def _get(self, name):
        return page("http://%s:9100/%s" % (self.realm.address("bsf"), name))

    def ready(self):
        return self._get("readyz")[0] == 200

    def metric(self, name):
        """Value of a metric, 0 when it is not there."""
        for line in self._get("metrics")[1].splitlines():
            if line.startswith(name + " "):
                return float(line.rsplit(" ", 1)[1])
        return 0

    @property
    def address(self):
        return (self.realm.address("bsf"), UB_PORT)

    @property
    def process(self):
        return self.realm.nodes["bsf"]

    def ue(self, impi=IMPI, **kw):
        return Ub(self.address, impi, self.hss.res, realm=BSF, **kw)

    def ue_without_hss(self, impi=IMPI):
        """A UE that can only begin."""
        return Ub(self.address, impi, lambda rand, autn: b"", realm=BSF)

    def naf(self, host=AGENT, realm=ASP, apps=(d.ZN,), on_request=None):
        """The connection of this NAF, made when there is none; `with` leaves it open: a peer that comes back after an abrupt
        end has to exchange watchdogs first (RFC 3539)."""
        if host not in self.nafs_connected or self.nafs_connected[host].closed.is_set():
            self.nafs_connected[host] = until(lambda: self._naf_client(host, realm, list(apps), on_request))
        return contextlib.nullcontext(self.nafs_connected[host])

    def _naf_client(self, *peer):
        """None: freeDiameter, while it starts, listens already but ends what comes without a word; peers come again."""
        try:
            return d.Client((self.realm.address("bsf"), 3868), *peer)
        except (d.NoCea, ConnectionResetError):
            return None

    def bir(self, naf, btid, fqdn=NAF, ua=HTTP_DIGEST, **kw):
        naf_id = kw.pop("naf_id", fqdn.encode() + ua)
        return naf.request(d.bir(naf, btid, naf_id, dest_realm=OPERATOR, **kw))

    def key_of(self, btid, fqdn=NAF, ua=HTTP_DIGEST, kind=ME):
        """What the NAF must get, computed from the vector that the HSS gave."""
        rand = base64.b64decode(btid.split("@")[0])
        impi = self.hss.vectors[rand][0]
        return ks_naf(self.hss.ks(rand), rand, impi, fqdn.lower().encode() + ua, kind)

    def log(self):
        try:
            with open(self.realm.path("bsf.log"), encoding="utf-8", errors="replace") as text:
                return text.read()
        except FileNotFoundError:
            return ""

    def kill(self):
        self.process.kill()
        self.nafs_connected.clear()

    def stop_daemon(self):
        self.nafs_connected.clear()
        return self.realm.nodes.pop("bsf").stop(60)

    def close(self):
        self.realm.stop()
        if self.hss is not None:
            self.hss.close()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()


@contextlib.contextmanager
def nodes_below(folder):
    """A function that starts Nodes in folders of their own; all end with the context."""
    with contextlib.ExitStack() as started:
        count = itertools.count()
        yield lambda **kw: started.enter_context(Node(folder / ("n%d" % next(count)), **kw))


def rss_kib(pid):
    with open("/proc/%d/status" % pid, encoding="ascii") as text:
        return next(int(line.split()[1]) for line in text if line.startswith("VmRSS"))
