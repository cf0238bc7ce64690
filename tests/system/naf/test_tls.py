# SPDX-License-Identifier: Apache-2.0
"""Devices with openssl s_client and gnutls-cli at an application with libgba-naf-openssl (TS 33.222 5.4). The key each
device uses is computed here for the suite it negotiates: a wrong NAF_Id would be a wrong key."""
import time

import pytest

from peers.waiting import undisturbed, until
from naf_harness import NAF, RAND, TLS13, btid, gnutls_cli, ks_naf, s_client

HINT = "3GPP-bootstrapping;"
SUITES = [("1.2", "PSK-AES128-GCM-SHA256", "00a8"), ("1.2", "PSK-AES256-GCM-SHA384", "00a9"),
          ("1.2", "DHE-PSK-AES128-GCM-SHA256", "00aa"), ("1.2", "DHE-PSK-AES256-GCM-SHA384", "00ab"),
          ("1.2", "ECDHE-PSK-CHACHA20-POLY1305", "ccac"), ("1.3", "TLS_AES_128_GCM_SHA256", None),
          ("1.3", "TLS_CHACHA20_POLY1305_SHA256", None)]
# gnutls-cli 3.7.9 dies of a fault of its own when it prints a finished DHE-PSK or ECDHE-PSK handshake: there the server's
# word, which stands on the client's Finished, is all there is.
GNUTLS = [("NORMAL:-VERS-ALL:+VERS-TLS1.2:-KX-ALL:+PSK:-CIPHER-ALL:+AES-128-GCM", "00a8", True),
          ("NORMAL:-VERS-ALL:+VERS-TLS1.2:-KX-ALL:+DHE-PSK:-CIPHER-ALL:+AES-128-GCM", "00aa", False),
          ("NORMAL:-VERS-ALL:+VERS-TLS1.2:-KX-ALL:+ECDHE-PSK:-CIPHER-ALL:+CHACHA20-POLY1305", "ccac", False),
          ("NORMAL:-VERS-ALL:+VERS-TLS1.3:+ECDHE-PSK:-CIPHER-ALL:+AES-128-GCM", None, True)]

_rands = iter(range(2 * 10 ** 6, 3 * 10 ** 6))


def ua_id(point):
    return TLS13 if point is None else bytes.fromhex("010001" + point)


def device(world, point, life=None):
    """A device that has bootstrapped: its identity and the key for the suite."""
    rand = next(_rands).to_bytes(16, "big")
    name = world.one.knows(btid("bsf.one.example", rand), rand, life)
    return name, ks_naf(NAF.encode() + ua_id(point), rand)


def test_worked_example_key():
    assert ks_naf(NAF.encode() + TLS13, RAND).hex() == "2f927025ce853bd51aa634c947da1afbe43c88b841712e79712fc1dd7da1adc3"


# REQ: Y3056-8.4-6
@pytest.mark.parametrize("version, suite, point", SUITES)
def test_s_client(world, echo, version, suite, point):
    """An application protocol the suite has never heard of, added by a program on top of the public libraries. REQ: OBF-11.2-n"""
    name, key = device(world, point)
    said = s_client(echo.port, key, HINT + name, version, suite)
    assert "hello 001010000000001@ims.mnc001.mcc001.3gppnetwork.org at " + NAF in said
    assert said.rstrip().endswith("zebra")
    assert echo.line() == "accepted: %s: %s" % (name, suite)
    assert world.one.naf_ids() == [NAF.encode() + ua_id(point)]


@pytest.mark.parametrize("priority, point, survives", GNUTLS)
def test_gnutls_cli(world, echo, priority, point, survives):
    name, key = device(world, point)
    said = gnutls_cli(echo.port, key, HINT + name, priority)
    assert not survives or ("hello 001010000000001@" in said and "zebra" in said)
    assert echo.line().startswith("accepted: " + name)
    assert world.one.naf_ids() == [NAF.encode() + ua_id(point)]


REFUSALS = ["1.2", "1.3"]


def suite_of(version):
    return ("PSK-AES128-GCM-SHA256", "00a8") if version == "1.2" else ("TLS_AES_128_GCM_SHA256", None)


@pytest.mark.parametrize("version", REFUSALS)
def test_wrong_key(world, echo, version):
    suite, point = suite_of(version)
    name, key = device(world, point)
    said = s_client(echo.port, key[:-1] + bytes([key[-1] ^ 1]), HINT + name, version, suite)
    assert "alert" in said and "hello" not in said
    assert echo.line() == "refused: %s: GBA_NAF_OK" % name


@pytest.mark.parametrize("version", REFUSALS)
def test_key_of_another_protocol(world, echo, version):
    suite, point = suite_of(version)
    name, _ = device(world, point)
    _, other = device(world, "00a9")
    assert "hello" not in s_client(echo.port, other, HINT + name, version, suite)
    assert echo.line().startswith("refused: " + name)


@pytest.mark.parametrize("version", REFUSALS)
def test_unknown_identity(world, echo, version):
    suite, _ = suite_of(version)
    name = btid("bsf.one.example", next(_rands).to_bytes(16, "big"))
    said = s_client(echo.port, b"k" * 32, HINT + name, version, suite)
    assert "alert" in said and "hello" not in said
    if version == "1.2":
        assert "unknown psk identity" in said
    assert echo.line() == "refused: %s: GBA_NAF_E_BTID_UNKNOWN" % name


@pytest.mark.parametrize("version", REFUSALS)
def test_expired(world, echo, version):
    suite, point = suite_of(version)
    def live():
        world.one.seen.clear()
        name, key = device(world, point, life=3)
        return name, key, s_client(echo.port, key, HINT + name, version, suite), echo.line(), time.time()
    name, key, said, line, then = undisturbed(live, 1.9)
    assert "hello" in said and line.startswith("accepted")
    assert until(lambda: time.time() > then + 3.1)
    assert "hello" not in s_client(echo.port, key, HINT + name, version, suite)
    assert echo.line() == "refused: %s: GBA_NAF_E_BTID_UNKNOWN" % name
    assert len(world.one.seen) == 1


@pytest.mark.parametrize("version", REFUSALS)
@pytest.mark.parametrize("identity, reason", [
    ("", "BTID_SYNTAX"), ("3GPP-AKMA;", "BTID_SYNTAX"), ("3gpp-bootstrapping;", "BTID_SYNTAX"),
    ("3GPP-bootstrapping-uicc;", "NO_INT_KEY"), ("3GPP-bootstrapping-digest;", "NO_INT_KEY")])
def test_wrong_prefix(world, echo, version, identity, reason):
    suite, point = suite_of(version)
    name, key = device(world, point)
    assert "hello" not in s_client(echo.port, key, identity + name, version, suite)
    assert echo.line().endswith("GBA_NAF_E_" + reason)
    assert world.one.seen == []


@pytest.mark.parametrize("version", REFUSALS)
def test_other_name_in_sni(world, echo, version):
    suite, point = suite_of(version)
    name, key = device(world, point)
    assert "hello" not in s_client(echo.port, key, HINT + name, version, suite, name="naf2.example.com")
    assert echo.line().endswith("GBA_NAF_E_DENIED")
    assert "hello" in s_client(echo.port, key, HINT + name, version, suite, name=None)
    assert echo.line().startswith("accepted")


@pytest.mark.parametrize("separator", [":", "."])
def test_other_separators(world, echo, separator):
    name, key = device(world, None)
    assert "hello" in s_client(echo.port, key, "3GPP-bootstrapping" + separator + name, "1.3", "TLS_AES_128_GCM_SHA256")
    assert echo.line().startswith("accepted")


def test_no_resumption(world, echo):
    """No ticket is given: what would open a connection after the key has expired does not exist."""
    name, key = device(world, None)
    said = s_client(echo.port, key, HINT + name, "1.3", "TLS_AES_128_GCM_SHA256")
    assert echo.line().startswith("accepted") and "New Session Ticket" not in said
