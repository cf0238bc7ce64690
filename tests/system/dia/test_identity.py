# SPDX-License-Identifier: Apache-2.0
"""Who connects over TLS must be whom the certificate names: all peers' certificates come from one CA, and the framework checks
their names only where it connects itself."""
import base64
import os
import socket
import ssl
import sys

import pytest

TOP = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..", ".."))
sys.path[:0] = [os.path.join(TOP, "tests"), os.path.join(TOP, "tools")]

from lab.certs import Authority  # noqa: E402
from lab.realm import AGENT, ASP, BSF, BSF_DIAMETER, HSS, IMPI_REALM, NAF, OPERATOR, Realm, Tree  # noqa: E402
from peers import diameter as d  # noqa: E402
from peers.waiting import PATIENCE, until  # noqa: E402


@pytest.fixture(scope="module")
def realm(tmp_path_factory):
    tree = Tree(os.environ.get("GBA_BUILD") or os.path.join(TOP, "build"))
    with Realm(str(tmp_path_factory.mktemp("identity")), tree=tree, trace=False) as one:
        one.start_bsf()
        yield one


def tls_of(realm, certificate, authority=None):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    if certificate:
        context.load_cert_chain(*(authority or realm.authority).issue(certificate))
    return context


def connect(realm, host, certificate, authority=None):
    return d.Client((realm.address("bsf"), 5868), host, ASP, [d.ZN], tls=tls_of(realm, certificate, authority))


def ask(peer):
    btid = base64.b64encode(bytes(16)).decode() + "@" + BSF
    answer = peer.request(d.bir(peer, btid, NAF.encode() + b"\1\0\0\0\2", dest_realm=OPERATOR))
    return answer and answer.result()


def test_the_certificates_owner_is_served_and_others_are_not(realm):
    with connect(realm, AGENT, AGENT) as peer:
        assert ask(peer) == (d.TGPP, 5403)  # asked, and no such B-TID
    for certificate in ("evil.example.com", HSS, "*." + ASP):
        with pytest.raises((OSError, ssl.SSLError)):
            with connect(realm, AGENT, certificate) as peer:
                assert ask(peer) is None  # closed before or after its CEA, never answered
                raise ConnectionError("closed")
    assert until(lambda: "peer.impostor" in open(realm.path("bsf.log"), encoding="utf-8").read())


@pytest.mark.parametrize("certificate,foreign", [(None, False), (AGENT, True)])
def test_no_certificate_or_one_of_another_ca(realm, tmp_path, certificate, foreign):
    with pytest.raises((OSError, ssl.SSLError)):
        connect(realm, AGENT, certificate, Authority(str(tmp_path / "ca")) if foreign else None)


def test_a_good_bye_is_not_answered_by_who_receives(realm):
    """With TLS a connection's receiving thread must not send: another may be sending, and the library would free its octets under way. So
    who says good-bye first finds the connection closed. No test after this one is the agent: who leaves like this
    is held to watchdogs first."""
    def connected():  # the daemon listens a moment later than it is ready
        try:
            return socket.create_connection((realm.address("bsf"), 5868), PATIENCE)
        except ConnectionRefusedError:
            return None

    tls = tls_of(realm, AGENT)
    with until(connected) as plain:
        with tls.wrap_socket(plain) as sock:
            peer = d.Connection(sock, AGENT, ASP, [d.ZN])
            sock.sendall(d.Message(d.CER, 0, peer.capabilities(), d.R, 1, 1).encode())
            assert d.Message.decode(peer.read_message()).result() == (0, 2001)
            with pytest.raises((OSError, ssl.SSLError)):
                sock.unwrap()


def as_hss(realm, certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*realm.authority.issue(certificate))
    return d.Server(HSS, OPERATOR, [d.ZH], address=(realm.address("hss"), 5868), tls=context)


def as_bsf(realm, certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    if certificate:
        context.load_cert_chain(*realm.authority.issue(certificate))
    return d.Client((realm.address("hss"), 5868), BSF_DIAMETER, OPERATOR, [d.ZH], tls=context)


def vector(peer, **kw):
    answer = peer.request(d.mar(peer, "nobody@" + IMPI_REALM, dest_realm=OPERATOR), **kw)
    return answer and answer.result()


def test_both_ends_of_rpb_prove_themselves(realm):
    """The BSF talks to no HSS with another's certificate, the HSS to no BSF with another's or none. REQ: Y3056-9.6.2-1"""
    with as_hss(realm, "evil." + OPERATOR) as impostor:
        assert not impostor.wait_connected(4)  # it tries every second
    with as_hss(realm, HSS) as good:
        assert good.wait_connected()
    realm.nodes.pop("bsf").stop(25)  # its place is free
    realm.start_hss()
    for certificate in (None, AGENT, HSS):
        with pytest.raises((OSError, ssl.SSLError)):
            with as_bsf(realm, certificate) as peer:
                assert vector(peer) is None
                raise ConnectionError("closed")
    def taken():  # the last one that was turned away may not have gone yet
        try:
            return as_bsf(realm, BSF_DIAMETER)
        except (d.NoCea, ConnectionResetError):
            return None

    with until(taken) as peer:  # it may be held to watchdogs first
        assert until(lambda: vector(peer, timeout=5)) == (d.TGPP, 5401)
