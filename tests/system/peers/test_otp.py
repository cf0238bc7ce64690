# SPDX-License-Identifier: Apache-2.0
"""The OTP peers themselves, against each other and against tests/peers/diameter.py: what other tests lean on."""
import os
import socket
import ssl
import sys

import pytest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
sys.path[:0] = [os.path.join(TOP, "tests"), os.path.join(TOP, "tools")]

from lab.certs import Authority  # noqa: E402
from peers import diameter as d  # noqa: E402
from peers import otp  # noqa: E402
from peers.waiting import until  # noqa: E402

RAND, AUTN = "23553cbe9637a89d218ae64dae47bf35", "aa689c64835100009f897ef2e7a4c5f8"
XRES, CK, IK = "a54211d5e3ba50bf", "b40ba9a3c58b2a05bbf0d987b21bf8cb", "f769bcd751044604127672711c6d3441"
AUTS = "451e8becb43b05c542fb178afb2d"
IMPI, BTID = "user@lab.test", "I1U8vpY3qJ0hiuZNrke/NQ==@bsf.lab.test"
KEY = "7bbc1ad5fcd242e270d96906ca4491cdd5d849e407e63f7b124803d31402b3bf"
NAF_ID = b"naf.lab.test\1\0\0\0\2".hex()
HSS_ROWS = [(IMPI, RAND, AUTN, XRES, CK, IK, "<guss/>", RAND + AUTS)]
BSF_ROWS = [(BTID, IMPI, KEY, "1700000000", "1924992000")]
HSS, BSF, NAF = ({"host": name + ".lab.test", "realm": "lab.test"} for name in ("hss", "bsf", "naf"))


@pytest.fixture(scope="module")
def hss():
    with otp.Server("hss", HSS_ROWS, **HSS) as server:
        yield "127.0.0.1", server.port


@pytest.fixture(scope="module")
def bsf():
    with otp.Server("bsf", BSF_ROWS, **BSF) as server:
        yield "127.0.0.1", server.port


def test_vector(hss):
    answer = otp.ask("mar", hss, impi=IMPI, **BSF)
    assert answer["errors"] == [] and answer["message"] == "MAA"
    assert answer["avps"]["Result-Code"] == 2001
    assert answer["avps"]["SIP-Auth-Data-Item"] == {
        "SIP-Authentication-Scheme": "Digest-AKAv1-MD5", "SIP-Authenticate": RAND + AUTN, "SIP-Authorization": XRES,
        "Confidentiality-Key": CK, "Integrity-Key": IK}
    assert bytes.fromhex(answer["avps"]["GBA-UserSecSettings"]) == b"<guss/>"


@pytest.mark.parametrize("impi, auts, code", [(IMPI, RAND + AUTS, 2001), (IMPI, RAND + AUTS[:-1] + "e", 5012),
                                              ("nobody@lab.test", None, 5401)])
def test_resynchronisation_and_refusals(hss, impi, auts, code):
    avps = otp.ask("mar", hss, impi=impi, auts=auts, **BSF)["avps"]
    assert code in (avps.get("Result-Code"), avps.get("Experimental-Result", {}).get("Experimental-Result-Code"))


def test_key(bsf):
    answer = otp.ask("bir", bsf, btid=BTID, naf_id=NAF_ID, gsid=["1", "7"], gba_u=1, **NAF)
    avps = answer["avps"]
    assert answer["errors"] == [] and avps["Result-Code"] == 2001
    assert (avps["ME-Key-Material"], avps["User-Name"], avps["GBA-Type"]) == (KEY, IMPI, 0)
    assert (avps["BootstrapInfoCreationTime"], avps["Key-ExpiryTime"]) == ("2023-11-14T22:13:20Z", "2031-01-01T00:00:00Z")


def test_unknown_btid(bsf):
    avps = otp.ask("bir", bsf, btid=BTID.replace("I1U8", "AAAA"), naf_id=NAF_ID, **NAF)["avps"]
    assert avps["Experimental-Result"] == {"Vendor-Id": 10415, "Experimental-Result-Code": 5403}


def test_tls(tmp_path):
    authority = Authority(str(tmp_path))

    def credentials(name):
        cert, key = authority.issue(name)
        return {"cert": cert, "key": key, "ca": authority.ca}

    with otp.Server("bsf", BSF_ROWS, **BSF, **credentials("bsf.lab.test")) as server:
        mine = credentials("naf.lab.test")
        context = ssl.create_default_context(cafile=mine["ca"])
        context.load_cert_chain(mine["cert"], mine["key"])
        with socket.create_connection(("127.0.0.1", server.port)) as plain:
            with context.wrap_socket(plain, server_hostname="bsf.lab.test") as tls:
                assert tls.version().startswith("TLS")
        avps = otp.ask("bir", ("127.0.0.1", server.port), btid=BTID, naf_id=NAF_ID, **NAF, **credentials("naf.lab.test"))["avps"]
    assert avps["ME-Key-Material"] == KEY


def test_load_counts_good_answers_only(bsf):
    def load(btid):
        """Of a second in which something is answered at all."""
        return until(lambda: (of := otp.load("bir", bsf, 8, 1, btid=btid, naf_id=NAF_ID, **NAF))["good"] + of["bad"] > 0 and of)

    good, bad = load(BTID), load("x")
    assert good["good"] > 0 and good["bad"] == 0 and good["p99_ms"] > 0
    assert bad["good"] == 0 and bad["bad"] > 0


def test_python_codec_agrees(bsf):
    with d.Client(bsf, "naf.lab.test", "lab.test", [d.ZN]) as peer:
        def asked():  # it drops what comes before it has told its service of the peer
            return peer.request(d.bir(peer, btid=BTID.encode(), naf_id=bytes.fromhex(NAF_ID)), 3)

        answer = until(asked)
    assert answer.result() == (0, 2001)
    assert answer.find(405, d.TGPP).value().hex() == KEY
