# SPDX-License-Identifier: Apache-2.0
"""Several realms in one device: what happens to sessions when the active realm changes, or when the application ends a token."""
import socket
import time

import pytest

from conftest import BSF, IMPI, K, NAF, OPC
from peers.fake_bsf import FakeBsf, Session
from peers.fake_naf import FakeNaf
from peers.aka import Milenage
from peers.waiting import PATIENCE
from test_ue_proxy import Proxy
from test_ue_ua import RANDS, UA_13, Program, btid_of, free_port, session_of

OTHER_BSF, OTHER_IMPI = "bsf.other.example", "device@other.example"


@pytest.fixture
def two_realms(ue, bsf):
    """The device with profiles home (active) and other; RANDS[0] and [1] will be home's, [2] other's."""
    bsf.rands = list(RANDS[:2])
    with FakeBsf(OTHER_BSF) as other:
        other.add(OTHER_IMPI, K, OPC, sqn=0x10000)
        other.rands = [RANDS[2]]
        ue.equip(bsf)
        ue.equip(other, "--impi", OTHER_IMPI, name="other", usim=False)
        yield ue


def other_key():
    _, _, ck, ik = Milenage(bytes.fromhex(K), bytes.fromhex(OPC)).vector(RANDS[2], 0)
    return Session(OTHER_IMPI, RANDS[2], ck + ik).ks_naf(NAF, UA_13)


def echo_server(tmp_path):
    """gnutls-serv that sends back what it gets to whoever has the first token of either realm."""
    port = free_port()
    path = tmp_path / "psk"
    other_btid = btid_of(RANDS[2]).replace(BSF, OTHER_BSF)
    path.write_text("3GPP-bootstrapping;%s:%s\n3GPP-bootstrapping;%s:%s\n"
                    % (btid_of(RANDS[0]), session_of(RANDS[0]).ks_naf(NAF, UA_13).hex(), other_btid, other_key().hex()))
    return Program(["gnutls-serv", "--echo", "-p", str(port), "--pskpasswd", str(path), "--priority",
                    "NORMAL:-KX-ALL:+ECDHE-PSK:-VERS-ALL:+VERS-TLS1.3"], port)


def says(client, text):
    client.sendall(text)
    got = b""
    while len(got) < len(text):
        more = client.recv(64)
        assert more, "the session ended"
        got += more
    return got == text


def test_a_switch_drains_sessions(two_realms, tmp_path):
    """The old realm's session ends by itself, within the bound; a new one uses the new realm.
    REQ: Y3056-7.4-5, Y3056-9.3-8, Y3056-9.3-9"""
    with echo_server(tmp_path) as server:
        with Proxy(two_realms, "--to", "tls://%s:1883" % NAF, "--connect", server.address, "--drain", "3") as proxy:
            with proxy.connect() as old:
                assert says(old, b"one\n")
                two_realms.json("profile", "use", "other")
                with proxy.connect() as new:
                    assert says(new, b"two\n")
                    old.settimeout(PATIENCE)
                    assert old.recv(16) == b"", "the old session ends without another octet"
                    assert says(new, b"three\n"), "the new session stays"
    assert "ue.drain" in proxy.log and btid_of(RANDS[0]) in proxy.log
    active = [row for row in two_realms.json("token", "list")["applications"] if row["state"] == "active"]
    assert [row["profile"] for row in active] == ["other"]


def test_a_busy_session_ends_at_the_bound(two_realms, tmp_path):
    """Octets under way do not keep the old realm's session alive. REQ: Y3056-7.4-5"""
    with echo_server(tmp_path) as server:
        with Proxy(two_realms, "--to", "tls://%s:1883" % NAF, "--connect", server.address, "--drain", "1") as proxy:
            with proxy.connect() as old:
                assert says(old, b"one\n")
                two_realms.json("profile", "use", "other")
                end, ended = time.monotonic() + PATIENCE, False
                old.settimeout(PATIENCE)
                while not ended and time.monotonic() < end:
                    try:
                        old.sendall(b"more\n")
                        ended = old.recv(64) == b""
                    except (BrokenPipeError, ConnectionResetError):
                        ended = True
                    time.sleep(0.05)
                assert ended


def test_a_session_of_the_active_realm_stays(two_realms, tmp_path):
    """A profile added, or a switch to the realm that is active, disturbs nobody."""
    with echo_server(tmp_path) as server:
        with Proxy(two_realms, "--to", "tls://%s:1883" % NAF, "--connect", server.address, "--drain", "0") as proxy:
            with proxy.connect() as client:
                assert says(client, b"one\n")
                two_realms.json("profile", "use", "home")
                client.settimeout(2.5)
                with pytest.raises(socket.timeout):
                    client.recv(1)
                client.settimeout(PATIENCE)
                assert says(client, b"two\n")


def signal(naf, word):
    naf.on_done = lambda headers, body: (headers + [("Y3056-Token", word)], body)


@pytest.mark.parametrize("word", ["renew", "revoke"])
def test_the_application_ends_its_token(two_realms, bsf, certificate, word):
    """renew: bootstrapped again at once; revoke: when the application is asked again. Either way the old token is not used any
    more. REQ: Y3056-9.3-7, Y3056-9.3-9,
    OBF-7.1.1-2"""
    ask = ["get", "https://%s/" % NAF, "--ca-file", certificate[0], "--digest"]
    with FakeNaf(NAF, bsf, certificate=certificate) as naf:
        ask += ["--connect", naf.address]
        signal(naf, word)
        first = two_realms.json(*ask)
        assert first["token-signal"] == word and len(bsf.order) == (2 if word == "renew" else 1)
        naf.on_done = None
        second = two_realms.json(*ask)
        assert "token-signal" not in second and bsf.order == [first["btid"], second["btid"]]
        assert two_realms.json(*ask)["btid"] == second["btid"]
    apps = two_realms.json("token", "list")["applications"]
    assert [row["btid"] for row in apps if row["state"] == "active"] == [second["btid"]]


def test_a_signal_is_believed_from_the_application_only(two_realms, bsf, certificate):
    """Not without proof, not in the clear, not when it is no word of ours."""
    with FakeNaf(NAF, bsf, certificate=certificate) as naf:
        ask = ["get", "https://%s/" % NAF, "--ca-file", certificate[0], "--digest", "--connect", naf.address]
        signal(naf, "RENEW")
        assert "token-signal" not in two_realms.json(*ask)
        naf.rspauth = False
        signal(naf, "renew")
        assert "token-signal" not in two_realms.json(*ask)
    with FakeNaf(NAF, bsf) as naf:
        signal(naf, "revoke")
        assert "token-signal" not in two_realms.json("get", "http://%s/" % NAF, "--connect", naf.address)
    assert len(bsf.order) == 1


def test_a_revoked_token_drains_the_sessions_of_its_application(two_realms, bsf, certificate, tmp_path):
    with echo_server(tmp_path) as server, FakeNaf(NAF, bsf, certificate=certificate) as naf:
        with Proxy(two_realms, "--to", "tls://%s:1883" % NAF, "--connect", server.address) as proxy, proxy.connect() as client:
            assert says(client, b"one\n")
            signal(naf, "revoke")
            assert two_realms.json("get", "https://%s/" % NAF, "--ca-file", certificate[0], "--digest", "--connect",
                                   naf.address)["token-signal"] == "revoke"
            client.settimeout(PATIENCE)
            assert client.recv(16) == b""
    assert "ue.drain" in proxy.log
