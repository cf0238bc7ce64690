# SPDX-License-Identifier: Apache-2.0
"""A provider with certificates only (Y.OBF 10.1.3-2): no USIM, no mobile core; the realm's CA, its nodes, a device whose key is made
in it and stays there. REQ: Y3056-10.4-5, OBF-10.1.3-2"""
import base64
import json
import os
import subprocess

import pytest

from conftest import TREE
from lab.operators import Traveller
from lab.process import wait_until
from lab.realm import NAF
from peers.device_pki import ask
from peers.keys import btid_of, ks_naf
from peers.waiting import page, until
from test_private import Names, Provider

UA_13 = bytes.fromhex("0100000007")
numbers = iter(range(50, 90))


@pytest.fixture(scope="module")
def provider(tmp_path_factory):
    with Provider(str(tmp_path_factory.mktemp("certificates"))) as realm:
        realm.start()
        yield realm


def counted(realm, node, name):
    """Has the node counted any of these?"""
    return until(lambda: any(line.startswith(name) and not line.endswith(" 0")
                             for line in page("http://%s:9100/metrics" % realm.address(node))[1].splitlines()))


def noticed(realm, impi):
    """Has the BSF been told to drop what this user has?"""
    with open(realm.path("bsf.log"), encoding="utf-8") as log:
        return any("rpb.notice" in line and impi in line for line in log)


@pytest.fixture
def device(provider):
    meter = Traveller(provider, next(numbers))
    meter.impi = "meter-%d@%s" % (meter.index, Names.impi_realm)
    return meter.enrol()


def test_a_device_without_usim_opens_an_application(provider, device):
    """REQ: Y3056-10.4-4e, OBF-10-1, Y3056-7.4-1, Y3056-9.2.1-2, TEC-2.2-on-b, TEC-2.2.2-2"""
    run = device.bootstrap()
    assert run["btid"].endswith("@" + Names.bsf) and run["fresh"]
    answer = device.ue("get", "https://%s/hello" % NAF, "--connect", provider.address("proxy") + ":443", "--psk")
    assert answer["status"] == 200 and answer["server-proved"]
    card = device.usim()
    assert card["certificate-only"] and card["certificate"] and "imsi" not in card and "k" not in card
    log = provider.ctl("audit", "show")
    assert "rpb.certificate" in log and device.impi in log, "on record as a vector is"
    assert counted(provider, "bsf", 'gba_bsf_certificates_total{verdict="good"}')
    assert counted(provider, "hss", 'gba_hss_certificate_queries_total{result="ok"}')
    stored = open(os.path.join(device.state, "usim-default"), "rb").read()
    assert b"PRIVATE" not in stored and not [f for f in os.listdir(device.state) if f.endswith((".pem", ".key"))]


def test_an_identity_from_first_to_last(provider, device, tmp_path):
    """REQ: TEC-2.2-on-0, TEC-2.2-on-c, TEC-A2-vi-1: an X.509 identity is issued, renewed and retired; by openssl it is of the realm's CA, names
    the device, holds the key that is in it, and is revoked in the end."""
    anchor, crl = os.path.join(provider.ca_dir, "ca.pem"), os.path.join(provider.ca_dir, "crl.pem")

    def openssl(*args):
        return subprocess.run(["openssl", *args], capture_output=True, text=True, timeout=60, check=False)

    def issue(name):
        """To this device, under its unique identity."""
        device.ue("certificate", "request", "-o", device.state + ".csr")
        made = json.loads(provider.ctl("--json", "ca", "issue", device.impi, "--ca-dir", provider.ca_dir, "--csr", device.state + ".csr", "--for",
                                       "device:" + device.impi))
        pem = str(tmp_path / name)
        with open(pem, "w", encoding="ascii") as out:
            out.write(made["certificate"])
        assert openssl("verify", "-x509_strict", "-CAfile", anchor, pem).returncode == 0
        assert openssl("verify", "-CAfile", provider.authority.ca, pem).returncode != 0, "another CA's it is not"
        assert openssl("x509", "-in", pem, "-noout", "-subject").stdout.split("CN = ")[1].strip() == device.impi
        assert openssl("x509", "-in", pem, "-noout", "-pubkey").stdout == openssl("req", "-in", device.state + ".csr", "-noout", "-pubkey").stdout
        device.ue("certificate", "install", "-", stdin=made["certificate"])
        return made["serial"], pem

    def refused():
        return provider.run("gba-ue", "--state", device.state, "bootstrap", "--force").returncode == 4

    first, _ = issue("first")
    assert device.bootstrap()["fresh"]
    second, pem = issue("second")
    assert second != first and device.bootstrap()["fresh"]
    device.ue("certificate", "install", "-", stdin=open(str(tmp_path / "first"), encoding="ascii").read())
    wait_until(refused, 30, "the one before is void")
    device.ue("certificate", "install", "-", stdin=open(pem, encoding="ascii").read())
    assert device.bootstrap()["fresh"]
    provider.ctl("ca", "revoke", second, "--ca-dir", provider.ca_dir)
    wait_until(refused, 30, "retired")
    assert "revoked" in openssl("verify", "-crl_check", "-CAfile", anchor, "-CRLfile", crl, pem).stderr


def test_the_keys_are_those_of_the_connection(provider, device):
    """An independent client with a key of its own: what openssl exports is what the node hands to the application's agent."""
    key, csr = provider.path("own.key"), provider.path("own.csr")
    subprocess.run(["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out", csr,
                    "-subj", "/CN=x"], check=True, capture_output=True)
    issued = json.loads(provider.ctl("--json", "ca", "issue", "own", "--ca-dir", provider.ca_dir, "--csr", csr, "--for", "device:" + device.impi))
    cert = provider._write("own.pem", issued["certificate"])
    wait_until(lambda: noticed(provider, device.impi), 30, "the BSF knows that the certificate before is void")
    got = ask((provider.address("bsf"), 443), (cert, key), device.impi)
    assert got.status == 200 and got.element("btid") == btid_of(got.rand, Names.bsf)
    psk = ks_naf(got.ks, got.rand, device.impi, NAF.encode() + UA_13)
    done = subprocess.run(["openssl", "s_client", "-connect", provider.address("proxy") + ":443", "-tls1_3", "-ign_eof", "-psk", psk.hex(),
                           "-psk_identity", "3GPP-bootstrapping;" + got.element("btid")], capture_output=True, timeout=60,
                          input=("GET /hello HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n" % NAF).encode())
    assert b"200 OK" in done.stdout, done.stdout
    device.ue("bootstrap", "--force", want=4)  # the certificate it had is not this user's any more


def test_a_revoked_certificate_ends_at_once(provider, device):
    """Its tokens are dropped, and it gets none any more."""
    btid = device.bootstrap()["btid"]
    provider.ctl("ca", "revoke", device.serial, "--ca-dir", provider.ca_dir)
    wait_until(lambda: noticed(provider, device.impi), 30, btid)
    assert "1 contexts dropped" in open(provider.path("bsf.log"), encoding="utf-8").read()
    device.ue("bootstrap", "--force", want=4)
    provider.ctl("change", "certificate", device.impi, "--file", provider._write("again.pem", open(os.path.join(
        provider.ca_dir, "issued", device.serial + ".pem"), encoding="ascii").read()))
    wait_until(lambda: provider.run("gba-ue", "--state", device.state, "bootstrap", "--force").returncode == 4, 30, "the list still says so")


def test_a_barred_subscriber(provider, device):
    device.bootstrap()
    provider.ctl("subscriber", "set", device.impi, "--state", "barred")
    device.ue("bootstrap", "--force", want=4)
    provider.ctl("subscriber", "set", device.impi, "--state", "active")
    assert device.bootstrap()["fresh"]


def test_not_for_an_application_nobody_has_permitted(provider, device):
    """The application is named with the certificate; the realm knows of no permission: no token. REQ: Y3056-10.4-3c"""
    device.ue("profile", "add", "named", "--bsf", Names.bsf, *provider.by_certificate(), "--announce")
    device.ue("profile", "use", "named")
    device.ue("bootstrap", "--naf", NAF, want=4)
    assert "@" + Names.bsf not in json.dumps(device.ue("token", "list")), "no B-TID"
    assert device.bootstrap()["fresh"], "for no application in particular it may"


def test_the_device_believes_its_own_bsf_only(provider, device):
    """Another server in its place, or another CA: nothing is sent."""
    device.ue("profile", "add", "wrong-ca", "--bsf", Names.bsf, "--connect", provider.address("bsf") + ":443", "--ca-file",
              os.path.join(provider.ca_dir, "ca.pem"))
    device.ue("profile", "add", "wrong-name", "--bsf", "other.iot.example", "--connect", provider.address("bsf") + ":443", "--ca-file",
              provider.authority.ca)
    for profile in ("wrong-ca", "wrong-name"):
        device.ue("profile", "use", profile)
        done = provider.run("gba-ue", "--state", device.state, "bootstrap")
        assert done.returncode != 0 and "certificate" in done.stderr, done.stderr


def test_only_its_own_certificate_goes_into_a_card(provider, device):
    other = Traveller(provider, next(numbers))
    other.impi = "meter-%d@%s" % (other.index, Names.impi_realm)
    other.enrol()
    pem = open(os.path.join(provider.ca_dir, "issued", other.serial + ".pem"), encoding="ascii").read()
    device.ue("certificate", "install", "-", stdin=pem, want=6)
    device.ue("certificate", "install", "-", stdin="nonsense", want=2)
    fresh = Traveller(provider, next(numbers))
    fresh.ue("usim", "create", "--certificate-only", "--impi", "a@" + Names.impi_realm)
    fresh.ue("profile", "add", "old", "--bsf", Names.bsf, *provider.by_certificate())
    assert "no certificate" in provider.run("gba-ue", "--state", fresh.state, "bootstrap").stderr
    assert base64.b64decode(provider.change("certificate", device.impi)).startswith(b"\x30")
    assert device.bootstrap()["fresh"]
