# SPDX-License-Identifier: Apache-2.0
"""Ub when things go wrong: HSS down, slow, talking nonsense; kill -9 under load; floods; a full disk."""
import base64
import os
import random
import resource
import socket
import threading
import time

import pytest

from peers import diameter as d
from peers.bsf_node import AGENT, BSF, HSS, IMPI_REALM, OPERATOR, impi_of, rss_kib
from peers.keys import kdf
from peers.ub import Http, Refused, authorization
from peers.waiting import PATIENCE, until


def test_hss_down_then_up(own):
    node = own(hss=False)
    answer = node.ue_without_hss().first()
    assert answer.status == 503 and int(answer.get("Retry-After")) > 0
    assert not node.ready()
    node.start_hss()
    assert until(node.ready)
    node.ue().bootstrap()


def test_hss_lost_and_back(own):
    node = own()
    node.ue().bootstrap()
    node.hss.close()
    assert until(lambda: not node.ready())
    answer = node.ue().first()
    assert answer.status == 503 and answer.get("WWW-Authenticate") is None
    node.start_hss()
    assert until(node.ready)
    node.ue().bootstrap()


def test_hss_silent(own):
    """T11: the answer comes by our own timer, not by the watchdog."""
    node = own(zh_timeout=900)
    node.hss.silent()
    assert node.ue().first().status == 503
    assert until(lambda: "GBA_E_TIMEOUT" in node.log())
    node.hss.behave = node.hss.vector
    assert until(lambda: node.ue().first().status == 401)


def test_hss_slow_holds_up_nobody(own):
    node = own(zh_timeout=60000)
    held, done = [], []
    node.hss.behave = lambda conn, mar: held.append((conn, mar))
    thread = threading.Thread(target=lambda: done.append(node.ue(impi_of(1)).first().status))
    thread.start()
    assert until(lambda: held)
    with Http(node.address) as conn:  # needs no HSS
        assert conn.request("/", [("Authorization", "Basic x")]).status == 400
    assert done == []
    conn, mar = held[0]
    conn.send_raw(node.hss.vector(conn, mar).encode())
    thread.join()
    assert done == [401]


def _swap(node, **parts):
    """A vector with one part replaced."""
    def answer(conn, mar):
        sizes = dict(rand=16, autn=16, xres=8, ck=16, ik=16)
        octets = {k: parts.get(k, os.urandom(n)) for k, n in sizes.items()}
        avps = [d.result(2001), d.text(d.USER_NAME, parts.get("user", mar.find(d.USER_NAME).text())),
                node.hss.item(**octets, scheme=parts.get("scheme", "Digest-AKAv1-MD5"))]
        if "guss" in parts:
            avps.append(d.tgpp(400, parts["guss"]))
        return node.hss.maa(conn, mar, *avps)
    return answer


HOSTILE = {
    "CK of 15 octets": dict(ck=b"x" * 15), "CK of 32 octets": dict(ck=b"x" * 32), "IK of no octets": dict(ik=b""),
    "AUTN of 8 octets": dict(autn=b"x" * 8), "RAND of 15 octets": dict(rand=b"x" * 15), "XRES of no octets": dict(xres=b""),
    "XRES of 64 octets": dict(xres=b"x" * 64), "vector of another user": dict(user="x@" + IMPI_REALM),
    "another scheme": dict(scheme="SIP Digest"), "GUSS not XML": dict(guss=b"\0\1\2"),
    "GUSS with entities": dict(guss=b'<!DOCTYPE g [<!ENTITY a "b">]><guss id="&a;"><ussList/></guss>'),
    "GUSS of another user": dict(guss=b'<guss id="x@y.example"><ussList/></guss>'),
}


@pytest.mark.parametrize("parts", HOSTILE.values(), ids=list(HOSTILE))
def test_hostile_vector(faulty, parts):
    faulty.hss.behave = _swap(faulty, **parts)
    answer = faulty.ue(impi_of(random.randrange(10 ** 6))).first()
    assert answer.status == 503 and answer.get("WWW-Authenticate") is None
    faulty.hss.behave = faulty.hss.vector
    faulty.ue(impi_of(random.randrange(10 ** 6))).bootstrap()


@pytest.mark.parametrize("name,avps,status", [
    ("5401", lambda h: [d.experimental(5401)], 403), ("10415/5001", lambda h: [d.experimental(5001)], 403),
    ("5402", lambda h: [d.experimental(5402)], 403), ("3004", lambda h: [d.result(3004)], 503),
    ("5012", lambda h: [d.result(5012)], 503), ("no result", lambda h: [], 503),
    ("both results", lambda h: [d.result(2001), d.experimental(5401)], 503),
    ("success without vector", lambda h: [d.result(2001)], 503)])
def test_hss_result(faulty, name, avps, status):
    faulty.hss.behave = lambda conn, mar: faulty.hss.maa(conn, mar, *avps(faulty.hss))
    assert faulty.ue(impi_of(random.randrange(10 ** 6))).first().status == status
    faulty.hss.behave = faulty.hss.vector


@pytest.fixture(scope="module")
def faulty(tmp_path_factory):
    from peers.bsf_node import Node
    with Node(tmp_path_factory.mktemp("faulty")) as node:
        yield node


def test_failover(own):
    """Two HSSs: when the first is silent the second is asked, in the same request of the UE."""
    node = own(hss=False, start=False, zh_timeout=4000)  # also for the one that does answer
    second = "hss2." + OPERATOR
    node.hosts = [(HSS, node.realm.address("hss")), (second, node.realm.block.address(31))]
    one = node.start_hss()
    from peers.bsf_node import FakeHss
    two = FakeHss((node.realm.block.address(31), 3868), second)
    try:
        node.start()
        assert until(lambda: all("peer.up peer=%s " % host in node.log() for host in (HSS, second)))
        one.silent()
        ue = node.ue(impi_of(1))
        ue.res = lambda rand, autn: two.res(rand)
        ue.bootstrap()
        assert len(one.asked) == 1 and len(two.asked) == 1
        node.ue(impi_of(2)).first()
        assert len(one.asked) == 1 and len(two.asked) == 2  # it is left alone for a while
    finally:
        two.close()


@pytest.mark.parametrize("round_", range(3))
def test_kill_under_load(own, round_):
    """T5: after kill -9 the B-TID of every 200 answers the same key."""
    node = own()
    known, lock, stop = [], threading.Lock(), threading.Event()

    def load(worker):
        ue = node.ue(impi_of(1000 + worker))
        while not stop.is_set():
            try:
                btid, _ = ue.bootstrap()
            except (OSError, Refused):
                return
            with lock:
                known.append(btid)

    threads = [threading.Thread(target=load, args=(i,)) for i in range(8)]
    for t in threads:
        t.start()
    assert until(lambda: len(known) > 20)
    time.sleep(random.random())
    node.kill()
    stop.set()
    for t in threads:
        t.join()
    node.start(ready=False)
    with node.naf() as naf:
        for btid in known:
            answer = node.bir(naf, btid)
            assert answer.result() == (0, 2001), btid
            assert d.bia_view(answer)["me_key"] == node.key_of(btid)


def test_stop_under_load_loses_nothing(own):
    """An orderly stop: whoever got 200 has a context; nobody hangs."""
    node = own()
    known = []

    def load(worker):
        ue = node.ue(impi_of(2000 + worker))
        try:
            while True:
                known.append(ue.bootstrap()[0])
        except (OSError, Refused):
            pass

    threads = [threading.Thread(target=load, args=(i,)) for i in range(8)]
    for t in threads:
        t.start()
    assert until(lambda: len(known) > 20)
    assert node.stop_daemon() == 0
    for t in threads:
        t.join(PATIENCE)
        assert not t.is_alive()
    node.start(ready=False)
    with node.naf() as naf:
        assert all(node.bir(naf, btid).result() == (0, 2001) for btid in known)


def test_flood_of_first_legs(own):
    """First GETs for many IMPIs from some addresses, never answered: memory stays bounded, a device still gets in."""
    node = own(extra="pending-max = 2048;\npending-per-source = 256;\n")
    stop, sent = threading.Event(), [0]

    def flood(worker):
        n = worker * 10 ** 6
        while not stop.is_set():
            try:
                with Http(node.address, source=node.realm.block.address(100 + worker)) as conn:
                    for _ in range(200):
                        n += 1
                        header = authorization(dict(username=impi_of(n), realm="b", nonce="", uri="/", response=""))
                        conn.request("/", [("Authorization", header)])
                        sent[0] += 1
            except OSError:
                pass

    threads = [threading.Thread(target=flood, args=(i,)) for i in range(4)]
    for t in threads:
        t.start()
    try:
        assert until(lambda: sent[0] > 4000, 4 * PATIENCE)
        before = rss_kib(node.process.pid)
        served = 0
        for i in range(30):
            ue = node.ue(impi_of(i))
            for _ in range(6):
                try:
                    ue.bootstrap()
                    served += 1
                    break
                except Refused as refused:
                    assert refused.answer.status in (401, 503)
            ue.close()
        assert served >= 27
        assert until(lambda: sent[0] > 9000, 4 * PATIENCE)
        assert rss_kib(node.process.pid) - before < 8 * 1024
        assert node.metric("gba_bsf_pending") <= 2048
    finally:
        stop.set()
        for t in threads:
            t.join()


def crowd(address, count):
    """So many silent connections; those that do not fit into the listener's queue come as soon as they can."""
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.setblocking(False)
        one.connect_ex(address)
    return sockets


def test_no_descriptor_left(own):
    """Strangers open what they can, on Ub and on the Diameter port: freeDiameter ends when accept() finds no descriptor. There is
    always one: Ub does not take the last half, and who is silent on the Diameter port goes quickly when few are left. A peer is
    served all the while."""
    allowed = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, allowed[1]), allowed[1]))
    node = own(wrap=("prlimit", "--nofile=1024:1024"), naf_peers=(AGENT, "second.example"))
    btid, _ = node.ue().bootstrap()
    open_files = "/proc/%d/fd" % node.process.pid
    strangers = crowd(node.address, 800)
    try:
        assert until(lambda: len(os.listdir(open_files)) >= 500)
        strangers += crowd((node.realm.address("bsf"), 3868), 200)
        assert until(lambda: "guard.cer" in node.log())
        with node.naf("second.example") as naf:
            assert node.bir(naf, btid).result() == (10415, 5402)  # heard; it is in no table of NAFs
        assert len(os.listdir(open_files)) < 1000 and node.process.alive()
    finally:
        for one in strangers:
            one.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, allowed)
    assert until(lambda: len(os.listdir(open_files)) < 400)
    node.ue(impi_of(2)).bootstrap()
    assert "guard.files" in node.log() + node.process.log_text()


def test_one_mar_per_impi(own):
    """T21: the same IMPI again and again, never answered."""
    node = own()
    ue = node.ue()
    began = time.monotonic()
    for _ in range(500):
        assert ue.first().status == 401
    assert len(node.hss.asked) <= 1 + (time.monotonic() - began) / 5


def can_mount():
    return os.system("unshare -rm true 2>/dev/null") == 0


@pytest.mark.skipif(not can_mount(), reason="no user and mount namespaces here")
def test_full_disk(own):
    """T8: the store's file system is full: 503, nothing acknowledged is lost, and it heals by itself."""
    node = own(start=False)
    store = node.realm.path("bsf")
    os.makedirs(store, exist_ok=True)
    node.wrap = ("unshare", "-rm", "sh", "-c", 'mount -t tmpfs -o size=2m none "%s" && exec "$@"' % store, "sh")
    node.start()
    inside = "/proc/%d/root%s" % (node.process.pid, store)
    known, answer = [], None
    filler = open(os.path.join(inside, "filler"), "wb")
    try:
        filler.write(b"x" * (7 << 18))
        filler.flush()
        for i in range(4000):
            try:
                known.append(node.ue(impi_of(i)).bootstrap()[0])
            except Refused as refused:
                answer = refused.answer
                break
    finally:
        filler.close()
    assert answer is not None and answer.status == 503 and answer.get("Retry-After")
    assert known and not node.ready()
    os.remove(filler.name)
    assert until(node.ready)
    node.ue(impi_of(5000)).bootstrap()
    with node.naf() as naf:
        assert all(node.bir(naf, btid).result() == (0, 2001) for btid in known)
    assert node.log().count("store.write") <= 2


def test_https_and_2g(own):
    """Ub inside TLS; a SIM-only user is served there and nowhere else (TS 33.220 Annex I)."""
    import ssl
    node = own(start=False)
    cert, key = node.realm.authority.issue("bsf.mnc001.mcc001.pub.3gppnetwork.org")
    node.extra = 'gba-2g = true;\nsim-only = [ "%s" ];\n' % impi_of(77)
    address = node.realm.address("bsf")
    node.ub_more = '{ listen = "%s:8443"; tls-cert = "%s"; tls-key = "%s"; }' % (address, cert, key)
    node.start()
    tls = ssl.create_default_context(cafile=node.realm.authority.ca)
    secure = node.ue(tls=tls, server_hostname="bsf.mnc001.mcc001.pub.3gppnetwork.org")
    secure.address = (address, 8443)
    secure.bootstrap()
    assert node.ue(impi_of(77)).first().status == 403
    sim = node.ue(impi_of(77), tls=tls, server_hostname="bsf.mnc001.mcc001.pub.3gppnetwork.org")
    sim.address = (address, 8443)
    assert sim.first().status == 401


def test_ipv6(own):
    """Ub over IPv6, on the same BSF."""
    import socket
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6) as probe:
            port = probe.getsockname()[1]
    except OSError:
        pytest.skip("no IPv6 here")
    node = own(start=False)
    node.ub_more = '{ listen = "[::1]:%d"; }' % port
    node.start()
    ue = node.ue()
    ue.address = ("::1", port)
    ue.bootstrap()
    node.ue(impi_of(3)).bootstrap()


OTHER_REALM, OTHER_HSS = "other.example", "hss.other.example"


def with_two_hss_rows(realm):
    """bsf.conf names an HSS for each of two domains of users, and no other for either."""
    plain = realm.bsf_conf

    def conf(**kw):
        path = plain(**kw)
        with open(path, encoding="utf-8") as text:
            old = text.read()
        rows = ('hss = ( { impi-realm = "%s"; destination-realm="%s"; hosts = [ "%s" ]; },\n  { impi-realm = "%s"; destination-realm="%s"; hosts = [ "%s" ]; } );'
                % (IMPI_REALM, OPERATOR, HSS, OTHER_REALM, OTHER_REALM, OTHER_HSS))
        line = next(line for line in old.split("\n") if line.startswith("hss = ("))
        with open(path, "w", encoding="utf-8") as out:
            out.write(old.replace(line, rows))
        return path
    realm.bsf_conf = conf


def test_the_token_tells_the_hss(own):
    """A device that shows its token's temporary identity, and nothing else, is asked about at its own HSS of two; a B-TID leads to
    the user of the one or the other. REQ: OBF-10.3-3"""
    from peers.bsf_node import FakeHss
    node = own(hss=False, start=False)
    with_two_hss_rows(node.realm)
    node.hosts = [(HSS, node.realm.address("hss")), (OTHER_HSS, node.realm.block.address(31))]
    one, two = node.start_hss(), FakeHss((node.realm.block.address(31), 3868), OTHER_HSS, OTHER_REALM)
    try:
        node.start()
        assert two.server.wait_connected()
        for hss, silent, impi in ((one, two, impi_of(21)), (two, one, "meter-7@" + OTHER_REALM)):
            asked = len(silent.asked)

            def device(name):
                ue = node.ue(name, tmpi=True)
                ue.res = lambda rand, autn, at=hss: at.res(rand)
                return ue
            assert until(lambda: device(impi).first().status == 401)
            btid, _ = device(impi).bootstrap()
            rand = base64.b64decode(btid.split("@")[0])
            temp = kdf(hss.ks(rand), b"gba-me", rand, impi.encode(), BSF.encode() + b"\1\0\0\1\0")[:24]
            again, _ = device(base64.b64encode(temp).decode() + "@tmpi.bsf.3gppnetwork.org").bootstrap()
            assert again != btid and hss.asked[-1] == impi and len(silent.asked) == asked
            node.hss = hss
            with node.naf() as naf:
                for token in (btid, again):
                    assert d.bia_view(node.bir(naf, token))["me_key"] == node.key_of(token)
        node.hss = one
    finally:
        two.close()
