# SPDX-License-Identifier: Apache-2.0
"""A whole realm and a device with a card in a reader: HSS, BSF, agent and proxy are the lab's, the card is one of tests/peers behind
Debian's pcscd.

REQ: OBF-10.1.1-1, TEC-A4-rot-6"""
import os
import sys

import pytest

TOP = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..", ".."))
sys.path[:0] = [os.path.join(TOP, "tools"), os.path.join(TOP, "tests")]

from lab.devices import Device  # noqa: E402
from lab.realm import BSF, NAF, Realm  # noqa: E402
from peers.pcscd import Pcscd, available  # noqa: E402
from peers.uicc import Uicc  # noqa: E402
from peers.waiting import until  # noqa: E402

pytestmark = pytest.mark.skipif(not available(), reason="no pcscd, or no vpcd: see tools/debian-packages")


@pytest.fixture(scope="module")
def pcscd(tmp_path_factory):
    with Pcscd(tmp_path_factory.mktemp("pcscd")) as daemon:
        before = os.environ.copy()
        os.environ.update(daemon.environment)
        yield daemon
        os.environ.clear()
        os.environ.update(before)


@pytest.fixture(scope="module")
def realm(tmp_path_factory):
    with Realm(str(tmp_path_factory.mktemp("card"))) as one:
        one.start()
        yield one


@pytest.mark.parametrize("row", [("carol", "001010000000031", False, 0), ("dave", "001010000000032", True, 0),
                                 ("erin", "001010000000033", False, 1 << 24), ("frank", "001010000000034", True, 1 << 24)],
                         ids=["GBA_ME", "GBA_U", "GBA_ME, resynchronised", "GBA_U, resynchronised"])
def test_from_the_card_to_the_application(realm, pcscd, row):
    """The operator's records and the card have the keys, nobody else; the application is reached over PSK-TLS and Digest.
    REQ: OBF-11.1-1"""
    name, imsi, gba_u, sqn = row
    device = Device(realm, name, imsi, gba_u=gba_u)
    device.provision()
    card = pcscd.first.insert(Uicc(imsi, device.k, device.opc, gba=gba_u, sqn=sqn, t0=gba_u))
    assert until(lambda: any(one["card"] for one in device.must("card", "list")))
    device.must("profile", "add", "operator", "--bsf", BSF, "--connect", realm.address("bsf") + ":80", "--usim", "pcsc:")
    run = device.bootstrap()
    assert run["fresh"] and run.get("resyncs", 0) == (1 if sqn else 0) and bool(run.get("gba-u")) == gba_u
    for url, port in (("https://%s/hello" % NAF, 443), ("http://%s/hello" % NAF, 80)):
        status, answer, error = device.get(url, "--connect", "%s:%d" % (realm.address("proxy"), port))
        assert status == 0 and answer["status"] == 200 and answer["authenticated"], (answer, error)
    assert (card.ks is not None) == gba_u
    pcscd.first.remove()
    assert until(lambda: not any(one["card"] for one in device.must("card", "list")))
