# SPDX-License-Identifier: Apache-2.0
"""The proxy on a real agent that asks another Diameter stack: floods of made-up identities, the BSF away, the agent killed."""
import itertools
import os
import signal
import subprocess
import sys
import threading

import pytest

from naf_harness import NAF, Agent, Bsf, Local, btid, dia, ks_naf
from peers.waiting import until

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "proxy"))
from proxy_harness import HOST, Application, Client, Digest, Proxy, free_port, q, s_client  # noqa: E402
from test_proxy_revoked import Device  # noqa: E402

PSK12, HTTP_DIGEST = bytes.fromhex("01000100a8"), bytes.fromhex("0100000002")
BURST = 20
_rands = itertools.count(0x5000000)


class Realm:
    def __init__(self, folder):
        self.bsf = Bsf("bsf.epc.one.example", "epc.one.example")
        self.agent = Agent(folder / "agent", [self.bsf], '{ domain = "one.example"; realm = "epc.one.example"; }',
                           extra="zn-timeout = 10000; negative-ttl = 300; unknown-burst = %d; unknown-rate = 1;" % BURST)
        self.app = Application()
        self.page = "%s:%d" % (HOST, free_port())
        (folder / "proxy").mkdir()
        self.proxy = Proxy(folder / "proxy", self.agent.socket,
                           [{"fqdn": q(NAF), "upstream": q("%s:%d" % (HOST, self.app.port)), "http-digest": "true"}],
                           metrics=q(self.page), workers=1, handshake_timeout=60000).start()

    def device(self):
        """(B-TID, key for PSK-TLS 1.2 with the tests' suite, the same for Digest)"""
        rand = next(_rands).to_bytes(16, "big")
        name = self.bsf.knows(btid("bsf.one.example", rand), rand)
        return name, ks_naf(NAF.encode() + PSK12, rand), Digest(name, ks_naf(NAF.encode() + HTTP_DIGEST, rand))

    def outcome(self, what, outcome):
        return self.proxy.metric('gba_naf_proxy_host_%s_total{host="%s",outcome="%s"}' % (what, NAF, outcome))

    def agent_killed(self):
        self.agent.daemon.process.kill()
        self.agent.daemon.process.wait()

    def agent_started(self):
        """As systemd would."""
        daemon = self.agent.daemon
        with open(daemon.log_path, "ab") as log:
            daemon.process = subprocess.Popen(daemon.process.args, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                                              env=dict(os.environ, PATH=os.environ["PATH"] + ":/usr/sbin:/usr/bin"))

    def close(self):
        self.proxy.stop()
        self.app.close()
        self.agent.stop()
        self.bsf.stop()


@pytest.fixture(scope="module")
def realm(tmp_path_factory):
    made = Realm(tmp_path_factory.mktemp("operated"))
    yield made
    made.close()


def handshake(realm, name, key):
    return s_client(realm.proxy.tls, "3GPP-bootstrapping;" + name, key, b"GET / HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n" % NAF.encode())


def ask(client, digest):
    """One authenticated request; its status."""
    if digest.challenge is None:
        digest.take(client.ask())
    return client.ask(headers=[digest.header()])


def asked(realm, name):
    """Times that the BSF was asked for it."""
    return sum(1 for request in list(realm.bsf.seen) if request.find(401, dia.d.TGPP).text() == name)


def bogus():
    return btid("bsf.one.example", (next(_rands) << 64).to_bytes(16, "big"))


def test_the_bsf_is_away(realm):
    """What is known goes on: sessions, new handshakes, Digest. Who is not known is told when to come again."""
    name, key, digest = realm.device()
    _, other_key, other = realm.device()
    source = "127.0.0.8"
    with Device(realm.proxy, name, key) as session, Client(realm.proxy.http) as client:
        assert session.ask() == 200 and ask(client, digest).status == 200
        realm.bsf.stop()
        with Local(realm.agent.socket) as local:
            assert until(lambda: local.ask(bogus(), source=source)[0] == 20)
        assert session.ask() == 200 and ask(client, digest).status == 200
        assert b" 200 " in handshake(realm, name, key)[0]
        with Client(realm.proxy.http, source=source) as unknown:
            reply = ask(unknown, other)
            assert reply.status == 503 and reply.get("retry-after") == "5"
        out, err = handshake(realm, other.btid, other_key)
        assert out == b"" and "alert" in err
        realm.bsf.restart()

        def served():
            with Client(realm.proxy.http, source=source) as again:
                return ask(again, other).status == 200

        assert until(served, 60)
        assert session.ask() == 200


def test_the_agent_is_killed(realm):
    """A hang-up is no end of it. Killed, sessions go on without it, and with the next one."""
    name, key, digest = realm.device()
    with Device(realm.proxy, name, key) as session, Client(realm.proxy.http) as client:
        assert session.ask() == 200 and ask(client, digest).status == 200
        conf = os.path.join(realm.agent.folder, "naf.conf")
        with open(conf, "a", encoding="ascii") as more:
            more.write("zn-queue = 99;\n")
        realm.agent.daemon.process.send_signal(signal.SIGHUP)
        (line,) = realm.agent.events("naf.reload", 1)
        assert "log reopened, clients and limits in force; as they were until a restart: zn-queue" in line
        realm.agent_killed()
        for _ in range(3):
            assert session.ask() == 200 and ask(client, digest).status == 200
        assert b" 200 " in handshake(realm, name, key)[0]
        with Client(realm.proxy.http) as unknown:
            _, _, other = realm.device()
            assert ask(unknown, other).status == 503
        realm.agent_started()

        def served():
            with Client(realm.proxy.http) as again:
                return ask(again, other).status == 200

        assert until(served, 60)
        assert session.ask() == 200 and ask(client, digest).status == 200


def test_handshakes_in_the_moment_of_a_restart(realm):
    """The agent ends in the middle of a question: it is asked again, once, when it is back, and nobody hears of it."""
    keys = dict(realm.device()[:2] for _ in range(2))
    _, _, digest = realm.device()
    realm.bsf.reply = lambda peer, request, usual: None
    outs = []

    def shake(name):
        outs.append(handshake(realm, name, keys[name]))

    def request():
        with Client(realm.proxy.http, timeout=120) as client:
            outs.append(ask(client, digest).status)

    def questions():
        return {asked(realm, name) for name in (*keys, digest.btid)}
    threads = [threading.Thread(target=shake, args=(name,)) for name in keys] + [threading.Thread(target=request)]
    for one in threads:
        one.start()
    try:
        assert until(lambda: questions() == {1})
        realm.agent_killed()
    finally:
        realm.bsf.reply = None
        realm.agent_started()
    for one in threads:
        one.join(120)
    assert len(outs) == 3 and all(one == 200 or b" 200 " in one[0] for one in outs), outs
    assert questions() == {2}


def test_floods_of_made_up_identities(realm):
    """Zn sees as many as the configuration allows for one address, one of each; who is known, or comes from elsewhere, is served.
    The last test of the module: the address has no more to spend afterwards."""
    name, key, digest = realm.device()
    with Client(realm.proxy.http) as client:
        assert ask(client, digest).status == 200 and b" 200 " in handshake(realm, name, key)[0]
    realm.bsf.seen.clear()
    requests, handshakes = realm.outcome("requests", "unavailable"), realm.outcome("handshakes", "unavailable")
    same = bogus()
    for i in range(8):
        out, err = handshake(realm, same, bytes(32))
        assert out == b"" and "alert" in err
    assert len(realm.bsf.seen) == 1, "a refusal is remembered"
    statuses = []
    with Client(realm.proxy.http) as flood:
        claim = Digest(bogus(), bytes(32))
        claim.take(flood.ask())
        for i in range(300):
            reply = flood.ask(headers=[claim.header(username=bogus())])
            statuses.append(reply.status)
            if reply.status == 503:
                assert reply.get("retry-after") == "5"
            if i % 50 == 0:
                with Client(realm.proxy.http) as client:
                    assert ask(client, digest).status == 200
        assert b" 200 " in handshake(realm, name, key)[0], "a key that is known"
    passed = len(realm.bsf.seen)
    for i in range(8):
        out, err = handshake(realm, bogus(), bytes(32))
        assert out == b"" and "alert" in err
    back = len(realm.bsf.seen) - passed  # the address may have earned one more meanwhile: a minute's worth
    assert back <= 1 and set(statuses) == {401, 503} and statuses.count(401) <= BURST + 2
    assert len(realm.bsf.seen) <= BURST + 2, "and as many as come back while this runs"
    new, _, digest = realm.device()
    with Client(realm.proxy.http, source="127.0.0.7") as client:
        assert ask(client, digest).status == 200
    assert realm.bsf.seen[-1].find(401, dia.d.TGPP).value() == new.encode()
    assert until(lambda: realm.outcome("requests", "unavailable") == requests + statuses.count(503))
    assert until(lambda: realm.outcome("handshakes", "unavailable") == handshakes + 8 - back)
