# SPDX-License-Identifier: Apache-2.0
"""Bootstrapping by certificate (Y.3056 10.4-5): a BSF of ours between openssl's client and an HSS of Python. Keys are computed here
from what openssl says of its own end of the connection.
REQ: Y3056-10.4-5"""
import itertools
import os

import pytest

from conftest import EXTRA, NAFS, Taker, guss
from lab.realm import AGENT, NAF, q
from peers import diameter as d, y3056 as y
from peers.bsf_node import HTTP_DIGEST, Node, impi_of
from peers.device_pki import Pki, ask, ask_gnutls, der
from peers.keys import btid_of, ks_naf
from peers.waiting import metrics_have, until
from lab.realm import BSF, OPERATOR

PORT = 8443
numbers = itertools.count(8000)


class CertifyingHss(y.PermittingHss):
    """certificates[impi] = DER; `said` are the queries, `more` goes into each good answer."""

    def __init__(self, *args):
        self.certificates, self.said, self.more, self.result = {}, [], [], None
        super().__init__(*args)

    def _on(self, conn, message):
        if message.code != y.CQR:
            return super()._on(conn, message)
        impi = message.find(d.USER_NAME).text()
        self.said.append(message)
        head = [d.vendor_app(y.RPB), d.u32(d.AUTH_SESSION_STATE, 1)]
        if self.result is not None:
            return message.answer(conn.origin(), head + [self.result])
        if self.certificates.get(impi) != message.find(y.CERTIFICATE, y.VENDOR).value():
            return message.answer(conn.origin(), head + [d.experimental(5401)])
        avps = head + [d.result(2001), *self.more]
        named = message.find(y.APPLICATION, y.VENDOR)
        avps += [self.permission(impi, named.text())] if named is not None else []
        avps += [d.tgpp(400, self.guss[impi])] if impi in self.guss else []
        return message.answer(conn.origin(), avps)


@pytest.fixture(scope="module")
def bsf(tmp_path_factory):
    folder = tmp_path_factory.mktemp("certificate")
    ours, other, server = Pki(folder / "ours"), Pki(folder / "other", "somebody"), Pki(folder / "server", "server")
    cert, key = server.issue("bsf", use="server")
    node = Node(folder / "node", nafs=NAFS, naf_peers=(AGENT,), y3056=True, make_hss=CertifyingHss, start=False)
    node.extra = EXTRA + ("asymmetric = ( { listen = %s; tls-cert = %s; tls-key = %s; device-ca = %s; device-crl = %s; } );\n"
                          % (q("%s:%d" % (node.realm.address("bsf"), PORT)), q(cert), q(key), q(ours.ca), q(ours.crl)))
    node.place, node.pki, node.other_pki, node.server_pki, node.folder = (node.realm.address("bsf"), PORT), ours, other, server, folder
    with node:
        node.start()
        node.taker = Taker(node)
        yield node


class Device:
    def __init__(self, bsf, pair=None, known=True):
        self.bsf, self.impi = bsf, impi_of(next(numbers))
        self.pair = pair or bsf.pki.issue(self.impi)
        if known:
            bsf.hss.certificates[self.impi] = der(self.pair[0])

    def ask(self, pair=(), impi=None, **kw):
        return ask(self.bsf.place, self.pair if pair == () else pair, impi or self.impi, folder=self.bsf.folder, **kw)


@pytest.fixture
def device(bsf):
    yield Device(bsf)
    bsf.hss.result, bsf.hss.more = None, []


@pytest.mark.parametrize("tls", ["-tls1_3", "-tls1_2"])
def test_a_token_of_the_connection_serves_a_naf(bsf, device, tls):
    """RAND and Ks are the connection's keying material; the NAF notices nothing. REQ: Y3056-10.4-4b, Y3056-10.4-4c"""
    bsf.hss.guss[device.impi] = guss(device.impi, (1000001, [1]))
    got = device.ask(tls=tls)
    assert got.status == 200 and len(got.material) == 48
    assert got.element("btid") == btid_of(got.rand, BSF)
    with bsf.naf() as naf:
        view = d.bia_view(bsf.bir(naf, got.element("btid"), gsids=("1000001",)))
    assert view["me_key"] == ks_naf(got.ks, got.rand, device.impi, NAF.encode() + HTTP_DIGEST)
    assert b'id="1000001"' in view["uss"]
    shown = bsf.hss.said[-1]
    assert shown.find(d.USER_NAME).text() == device.impi and shown.find(y.CERTIFICATE, y.VENDOR).value() == der(device.pair[0])
    assert got.ks.hex() not in bsf.log() and got.ks not in open(bsf.realm.trace, "rb").read()


@pytest.mark.parametrize("tls", ["NORMAL:-VERS-ALL:+VERS-TLS1.3", "NORMAL:-VERS-ALL:+VERS-TLS1.2"], ids=["tls13", "tls12"])
def test_a_client_of_another_family(bsf, device, tls):
    """What GnuTLS says of the connection is what the NAF's key is made of, as it is with OpenSSL."""
    got = ask_gnutls(bsf.place, device.pair, device.impi, tls)
    assert got.status == 200 and got.element("btid") == btid_of(got.rand, BSF)
    with bsf.naf() as naf:
        key = d.bia_view(bsf.bir(naf, got.element("btid")))["me_key"]
    assert key == ks_naf(got.ks, got.rand, device.impi, NAF.encode() + HTTP_DIGEST)


def test_each_connection_has_a_token_of_its_own(bsf, device):
    first, second = device.ask(), device.ask()
    assert first.status == second.status == 200 and first.material != second.material
    assert first.element("btid") != second.element("btid")


def test_a_connection_serves_once(bsf, device):
    """A second request on it finds it closed: it would have the same keys."""
    got = device.ask(times=2)
    assert (got.status, got.answers) == (200, 1)


REFUSED = {
    "no certificate": (lambda dev: dict(pair=None), "none"),
    "foreign CA": (lambda dev: dict(pair=dev.bsf.other_pki.issue(dev.impi)), "unknown"),
    "expired": (lambda dev: dict(pair=dev.bsf.pki.issue(dev.impi, end="20200101000000Z")), "expired"),
    "for servers": (lambda dev: dict(pair=dev.bsf.pki.issue(dev.impi, use="server")), "unfit"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_certificates_that_are_not_good(bsf, device, name):
    """REQ: TEC-A2-x, TEC-3.2.1-12: of an unknown CA, expired, for something else, or none: no key and no token."""
    how, verdict = REFUSED[name]
    before, asked = bsf.metric('gba_bsf_certificates_total{verdict="%s"}' % verdict), len(bsf.hss.said)
    got = device.ask(**how(device))
    assert got.status == 403 and got.element("btid") is None
    assert until(lambda: bsf.metric('gba_bsf_certificates_total{verdict="%s"}' % verdict) == before + 1)
    assert len(bsf.hss.said) == asked, "the HSS is not asked about it"


def test_revoked_while_the_bsf_runs(bsf, device):
    """The list is read again when it changes; one that is out of date says nothing any more: 503, never 200. REQ: TEC-A2-x, TEC-3.2.1-12"""
    assert device.ask().status == 200
    bsf.pki.revoke(device.pair[0])
    assert until(lambda: device.ask().status == 403)
    other = Device(bsf)
    assert other.ask().status == 200
    bsf.pki.list_revoked("-crl_lastupdate", "20200101000000Z", "-crl_nextupdate", "20200102000000Z")
    assert until(lambda: other.ask().status == 503)
    bsf.pki.list_revoked()
    assert until(lambda: other.ask().status == 200)
    with open(bsf.pki.crl, "w", encoding="ascii") as spoiled:
        spoiled.write("nonsense")
    assert other.ask().status == 200 and device.ask().status == 403, "what was read before stands"
    bsf.pki.list_revoked()


def keys_of(bsf, *btids):
    """Which of them a NAF still gets keys of."""
    with bsf.naf() as naf:
        return ["me_key" in d.bia_view(bsf.bir(naf, btid)) for btid in btids]


def test_a_new_list_ends_what_the_certificate_made(bsf, device):
    """Nobody but the CA says so: the list is another one, and the tokens of its certificates end at the NAF and the agents; those of
    other certificates, of the same user, too, go on. REQ: Y3056-9.4.1-6"""
    renewed, other = bsf.pki.issue(device.impi), Device(bsf)
    first, again = device.ask(), device.ask()
    bsf.hss.certificates[device.impi] = der(renewed[0])
    second, others = device.ask(pair=renewed), other.ask()
    btids = [got.element("btid") for got in (first, again, second, others)]
    assert keys_of(bsf, *btids) == [True] * 4
    bsf.taker.revocations.clear()
    bsf.pki.revoke(device.pair[0])
    assert until(lambda: keys_of(bsf, *btids) == [False, False, True, True])
    assert until(lambda: {y.digest(btid) for btid in btids[:2]} <=
                 {a.value() for message in list(bsf.taker.revocations) for a in message.find_all(y.DIGEST, y.VENDOR)})
    assert not {y.digest(btid) for btid in btids[2:]} & \
        {a.value() for message in list(bsf.taker.revocations) for a in message.find_all(y.DIGEST, y.VENDOR)}
    bsf.pki.list_revoked()  # the same in a newer list: nothing more ends
    assert device.ask(pair=renewed).status == 200 and keys_of(bsf, *btids) == [False, False, True, True]


def test_tls12_without_extended_master_secret(bsf, device):
    """Its keying material could be another connection's (RFC 7627)."""
    got = device.ask(tls="-tls1_2", ems=False)
    assert got.status == 403 and got.element("btid") is None and "extended master secret" in bsf.log()


def test_somebody_elses_certificate_and_nobody_are_alike(bsf, device):
    other = Device(bsf)
    mine = device.ask(pair=other.pair)
    nobody = device.ask(impi=impi_of(next(numbers)))
    assert mine.status == nobody.status == 403 and mine.element("btid") is nobody.element("btid") is None


@pytest.mark.parametrize("avp,status", [(d.experimental(5402), 403), (d.result(3004), 503), (d.result(5012), 503)],
                         ids=["barred", "busy", "failing"])
def test_what_the_hss_answers(bsf, device, avp, status):
    bsf.hss.result = avp
    got = device.ask()
    assert got.status == status and got.element("btid") is None and (status != 503 or "Retry-After" in got.text)


def test_the_application_named_and_its_permission(bsf, device):
    """REQ: Y3056-10.4-3c, Y3056-10.4-2d, Y3056-10.4-1b"""
    got = device.ask(application=NAF)
    assert got.status == 403 and got.element("btid") is None
    assert bsf.hss.said[-1].find(y.APPLICATION, y.VENDOR).text() == NAF
    bsf.hss.permissions[device.impi, NAF] = dict(push_peer=AGENT, ua=HTTP_DIGEST)
    bsf.taker.pushes.clear()
    got = device.ask(application=NAF)
    assert got.status == 200 and got.element("realmProfile") == "https://bsf.test/realm"
    assert until(lambda: bsf.taker.pushes)
    push = bsf.taker.pushes[-1]
    assert push.find(401, d.TGPP).value().decode() == got.element("btid")
    assert push.find(405, d.TGPP).value() == ks_naf(got.ks, got.rand, device.impi, NAF.encode() + HTTP_DIGEST)


def test_revocation_takes_such_a_token_too(bsf, device):
    btid = device.ask().element("btid")
    answer = bsf.hss.notify(device.impi, y.BARRED, OPERATOR)
    assert answer.find(d.RESULT_CODE).u32() == 2001
    with bsf.naf() as naf:
        assert d.bia_view(bsf.bir(naf, btid)).get("me_key") is None


def test_requests_that_are_none(bsf, device):
    assert device.ask(impi="no impi").status == 400
    assert ask(bsf.place, device.pair, None).status == 400
    assert device.ask(application="no host!").status == 400
    long = device.ask(headers="X: %s\r\n" % ("x" * 9000))
    assert long.status == 431


def test_a_new_certificate_is_handed_on(bsf, device):
    """What the HSS says of a change of operator reaches the device. REQ: Y3056-10.6.2-4"""
    bsf.hss.more = [y.our(y.CERTIFICATE, b"\x30\x01\x00"), y.our(17, 4)]
    got = device.ask()
    assert (got.status, got.element("deviceCertificate"), got.element("operatorChange")) == (200, "MAEA", "awaited")
    bsf.hss.more = []
    got = device.ask()
    assert got.element("deviceCertificate") is None and got.element("operatorChange") is None


def test_steps_and_counters(bsf, device):
    got = device.ask()
    assert got.status == 200
    page = "http://%s:9100/metrics" % bsf.realm.address("bsf")
    assert 'gba_bsf_certificates_total{verdict="good"}' in metrics_have(page)
    steps = open(bsf.realm.trace, encoding="utf-8").read()
    assert "GET / with certificate" in steps and '"Y.3056 10.4-4b"' in steps
    assert os.path.exists(bsf.pki.crl)


def test_a_list_that_came_while_the_bsf_was_down(bsf, device):
    other = Device(bsf)
    btids = [device.ask().element("btid"), other.ask().element("btid")]
    assert keys_of(bsf, *btids) == [True, True]
    bsf.kill()
    bsf.pki.revoke(device.pair[0])
    bsf.start()
    bsf.taker = Taker(bsf)
    assert until(lambda: keys_of(bsf, *btids) == [False, True])
