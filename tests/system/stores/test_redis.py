# SPDX-License-Identifier: Apache-2.0
"""Two BSFs that share a Redis: a context made at one is served by the other; the server dies, hangs and is emptied. REQ: Y3056-11-7"""
import os
import shutil
import subprocess

import pytest

from lab.process import free_port
from peers import diameter as d
from peers.bsf_node import Node, impi_of
from peers.servers import Redis
from peers.ub import Refused
from peers.waiting import until

UNKNOWN, TOO_BUSY = (10415, 5403), (0, 3004)


def issue(folder, name, *more):
    """name.pem and name.key of a CA in folder; the CA is made first."""
    def openssl(what, subject, *words):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
                        "-subj", "/CN=" + subject, "-keyout", "%s/%s.key" % (folder, what), "-out", "%s/%s.pem" % (folder, what),
                        *words], check=True, capture_output=True)

    if not os.path.exists("%s/ca.pem" % folder):
        openssl("ca", "pool's CA")
    openssl(name, name, "-CA", "%s/ca.pem" % folder, "-CAkey", "%s/ca.key" % folder, *more)
    return "%s/%s.pem" % (folder, name), "%s/%s.key" % (folder, name)


class Pool:
    """A Redis with TLS and a user of its own for the BSFs."""

    def __init__(self, folder):
        self.folder = str(folder)
        self.ca = "%s/ca.pem" % self.folder
        self.server = issue(self.folder, "server", "-addext", "subjectAltName=IP:127.0.0.1")
        self.client = issue(self.folder, "client")
        self.password = os.path.join(self.folder, "password")
        with open(os.open(self.password, os.O_CREAT | os.O_WRONLY, 0o600), "w", encoding="ascii") as out:
            out.write("s3cr3tpw\n")
        self.redis = Redis(folder / "redis", "--user", "bsf", "on", ">s3cr3tpw", "~gba:*", "+@read", "+@write",
                           "+@connection", "+info", "+config|get", port=free_port(), tls=(*self.server, self.ca))

    def conf(self, **kw):
        items = {"store-redis": "rediss://127.0.0.1:%d" % self.redis.port, "store-redis-user": "bsf",
                 "store-redis-password-file": self.password, "store-redis-ca": self.ca, "store-redis-cert": self.client[0],
                 "store-redis-key": self.client[1], **kw}
        return "".join('%s = "%s";\n' % row for row in items.items()) + "store-redis-timeout = 5000;\nask-interval = 50;\n"


@pytest.fixture(scope="module")
def pool(tmp_path_factory):
    one = Pool(tmp_path_factory.mktemp("pool"))
    yield one
    one.redis.close()


@pytest.fixture(scope="module")
def nodes(pool, tmp_path_factory):
    made = [Node(tmp_path_factory.mktemp("bsf1"), extra=pool.conf())]
    made.append(Node(tmp_path_factory.mktemp("bsf2"), extra=pool.conf(), start=False))
    shutil.copy(made[0].realm.path("bsf.kek"), made[1].realm.path("bsf.kek"))  # a pool has one key
    made[1].start()
    yield made
    for node in made:
        assert "s3cr3tpw" not in node.log()
        node.close()


def ask(node, btid):
    with node.naf() as naf:
        return node.bir(naf, btid)


def test_context_made_at_one_is_served_by_the_other(nodes):
    for maker, other, n in ((nodes[0], nodes[1], 1), (nodes[1], nodes[0], 2)):
        btid, expires = maker.ue(impi_of(n)).bootstrap()
        view = d.bia_view(ask(other, btid))
        assert view["me_key"] == maker.key_of(btid) and view["expires"] == expires
        assert ask(other, ("A" if btid[0] != "A" else "B") + btid[1:]).result() == UNKNOWN


def test_away_is_not_ignorance_and_heals(pool, nodes):
    """T10: Ub 503 with Retry-After, Zn 3004 and never 5403 while the server is down; then all that was acknowledged is there."""
    made = [node.ue(impi_of(3)).bootstrap()[0] for node in nodes]
    pool.redis.kill()
    for node, btid in zip(nodes, made):
        assert until(lambda: not node.ready())
        assert ask(node, btid).result() == TOO_BUSY
        with pytest.raises(Refused) as refused:
            node.ue(impi_of(4)).bootstrap()
        assert refused.value.answer.status == 503 and int(refused.value.answer.get("Retry-After")) > 0
    pool.redis.start()
    for node in nodes:
        assert until(node.ready)
    for maker, node, btid in zip(nodes, reversed(nodes), made):
        assert d.bia_view(ask(node, btid))["me_key"] == maker.key_of(btid)
        node.ue(impi_of(4)).bootstrap()


def test_hanging_server_is_given_up(pool, nodes):
    btid, _ = nodes[0].ue(impi_of(5)).bootstrap()
    pool.redis.hang()
    assert ask(nodes[0], btid).result() == TOO_BUSY
    assert until(lambda: not nodes[0].ready())
    pool.redis.go_on()
    assert until(lambda: all(node.ready() for node in nodes))
    assert d.bia_view(ask(nodes[1], btid))["me_key"] == nodes[0].key_of(btid)


def test_only_what_is_really_lost_is_unknown(pool, nodes):
    btid, _ = nodes[0].ue(impi_of(6)).bootstrap()
    pool.redis.cli("flushall")
    assert ask(nodes[1], btid).result() == UNKNOWN
    again, _ = nodes[0].ue(impi_of(6)).bootstrap()
    assert d.bia_view(ask(nodes[1], again))["me_key"] == nodes[0].key_of(again)


def test_a_full_server_is_no_place_for_contexts_and_heals(pool, nodes):
    """No room: nothing new is promised (503), what was promised is served; with room again it goes on by itself."""
    btid, _ = nodes[0].ue(impi_of(7)).bootstrap()
    assert until(lambda: d.bia_view(ask(nodes[1], btid))["me_key"] == nodes[0].key_of(btid))
    assert "OK" in pool.redis.cli("config", "set", "maxmemory", "1")
    try:
        for node in nodes:
            with pytest.raises(Refused) as refused:
                node.ue(impi_of(8)).bootstrap()
            assert refused.value.answer.status == 503 and int(refused.value.answer.get("Retry-After")) > 0
            assert ask(node, btid).result() in ((0, 2001), TOO_BUSY)  # never: unknown
    finally:
        pool.redis.cli("config", "set", "maxmemory", "0")
    for node in nodes:
        assert until(node.ready)
        assert d.bia_view(ask(node, btid))["me_key"] == nodes[0].key_of(btid)
        made, _ = node.ue(impi_of(8)).bootstrap()
        assert ask(nodes[0], made).result() == (0, 2001)


def test_a_server_with_another_certificate_is_not_spoken_to(pool, nodes, tmp_path):
    """It comes back as somebody else: as good as away, until the right one is there."""
    btid, _ = nodes[0].ue(impi_of(9)).bootstrap()
    other, right = issue(tmp_path, "server", "-addext", "subjectAltName=IP:127.0.0.1"), pool.redis.tls
    pool.redis.kill()
    try:
        pool.redis.tls = (*other, right[2])
        pool.redis.start()
        for node in nodes:
            assert until(lambda: not node.ready())
            assert ask(node, btid).result() == TOO_BUSY
            with pytest.raises(Refused) as refused:
                node.ue(impi_of(10)).bootstrap()
            assert refused.value.answer.status == 503
        assert until(lambda: "NOT trusted" in nodes[0].log())
        assert "user=bsf" not in pool.redis.cli("client", "list")
    finally:
        pool.redis.kill()
        pool.redis.tls = right
        pool.redis.start()
    for node in nodes:
        assert until(node.ready)
        assert d.bia_view(ask(node, btid))["me_key"] == nodes[0].key_of(btid)


def test_what_is_refused_at_start(pool, nodes, tmp_path):
    """Another key, another CA, another password: said precisely, and no BSF half at work."""
    assert until(lambda: pool.redis.cli("exists", "gba:format").strip() == "1")  # after a test that emptied it
    (tmp_path / "ca").mkdir()
    other = issue(tmp_path / "ca", "server")
    wrong = tmp_path / "wrong"
    wrong.write_text("nonsense\n")
    wrong.chmod(0o600)
    for n, (change, said) in enumerate((({}, "under another key"),
                                        ({"store-redis-ca": str(tmp_path / "ca/ca.pem")}, "NOT trusted"),
                                        ({"store-redis-password-file": str(wrong)}, "WRONGPASS"),
                                        ({"store-redis-cert": other[0], "store-redis-key": other[0]}, other[0]))):
        node = Node(tmp_path / str(n), extra=pool.conf(**change), hss=False, start=False)
        with pytest.raises(Exception):
            node.start()
        assert said in node.log() and "nonsense" not in node.log(), node.log()
        node.close()
