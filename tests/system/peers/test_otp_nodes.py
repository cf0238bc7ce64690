# SPDX-License-Identifier: Apache-2.0
"""hss-stub and bsf against Erlang/OTP's Diameter stack, in both directions, over TCP and TLS. Vectors and keys are checked
with tests/peers' own AKA and KDF."""

import pytest

from lab.devices import Device
from lab.realm import AGENT, BSF, BSF_DIAMETER, HSS, IMPI_REALM, NAF, OPERATOR, Realm
from peers import keys, otp
from peers.aka import Milenage
from peers.ub import Refused, Ub

K, OPC = bytes.fromhex("465b5ce8b199b49faa5f0a2ee238a6bc"), bytes.fromhex("cd63cb71954a9f4e48a5994e37a02baf")
USIM = Milenage(K, opc=OPC)
IMSI = "001010000000001"
IMPI = "%s@%s" % (IMSI, IMPI_REALM)
NAF_ID = NAF.encode() + bytes.fromhex("0100000002")


@pytest.fixture(params=[False, True], ids=["tcp", "tls"])
def realm(request, tmp_path):
    with Realm(str(tmp_path), tls=request.param, trace=False) as started:
        yield started


def credentials(realm, identity):
    if not realm.tls:
        return {}
    cert, key = realm.authority.issue(identity)
    return {"cert": cert, "key": key, "ca": realm.authority.ca}


def diameter(realm, node):
    return realm.address(node), 5868 if realm.tls else 3868


def mar(realm, **options):
    return otp.ask("mar", diameter(realm, "hss"), host=BSF_DIAMETER, realm=OPERATOR, dest_host=HSS,
                   **options, **credentials(realm, BSF_DIAMETER))


def bir(realm, **options):
    return otp.ask("bir", diameter(realm, "bsf"), host=AGENT, realm="asp.example.com", dest_realm=OPERATOR, dest_host=BSF_DIAMETER,
                   **options, **credentials(realm, AGENT))


def result(answer):
    avps = answer["avps"]
    return avps.get("Result-Code") or avps["Experimental-Result"]["Experimental-Result-Code"]


def challenge(answer):
    """(rand, autn, sqn) after the USIM has agreed with every octet of the vector."""
    item = {name: bytes.fromhex(value) if name != "SIP-Authentication-Scheme" else value
            for name, value in answer["avps"]["SIP-Auth-Data-Item"].items()}
    rand, autn = item["SIP-Authenticate"][:16], item["SIP-Authenticate"][16:]
    res, ck, ik, sqn, mac_good = USIM.challenge(rand, autn)
    assert mac_good
    assert (item["SIP-Authorization"], item["Confidentiality-Key"], item["Integrity-Key"]) == (res, ck, ik)
    return rand, autn, sqn


def test_bsf_of_another_make_asks_hss_stub(realm):
    Device(realm, "alice", IMSI, keys=(K.hex(), OPC.hex())).provision()
    realm.start_hss()
    first = mar(realm, impi=IMPI)
    assert first["errors"] == [] and result(first) == 2001
    assert IMPI.encode() in bytes.fromhex(first["avps"]["GBA-UserSecSettings"])
    rand, _, sqn = challenge(first)
    sqn_ms = sqn + (1000 << 5)
    auts = USIM.auts(rand, sqn_ms)
    forged = auts[:-1] + bytes([auts[-1] ^ 1])
    assert result(mar(realm, impi=IMPI, auts=(rand + forged).hex())) == 5012
    assert challenge(mar(realm, impi=IMPI))[2] < sqn_ms, "a forged AUTS moved SQN"
    again = mar(realm, impi=IMPI, auts=(rand + auts).hex())
    assert again["errors"] == [] and challenge(again)[2] > sqn_ms
    assert result(mar(realm, impi="nobody@" + IMPI_REALM)) == 5401
    assert result(mar(realm)) == 5005


def key_of(rand):
    _, ck, ik, _, _ = USIM.challenge(rand, bytes(16))
    return keys.ks_naf(ck + ik, rand, IMPI, NAF_ID).hex()


def vector_row():
    rand = bytes(range(16))
    autn, xres, ck, ik = USIM.vector(rand, 0x21)
    return rand, (IMPI, rand.hex(), autn.hex(), xres.hex(), ck.hex(), ik.hex())


def test_hss_and_naf_of_another_make_use_our_bsf(realm):
    # REQ: Y3056-8.5-1
    rand, row = vector_row()
    address, port = diameter(realm, "hss")
    with otp.Server("hss", [row], host=HSS, realm=OPERATOR, ip=address, port=port, **credentials(realm, HSS)):
        realm.start_bsf(extra="zh-timeout = 20000;\n")
        realm.wait_connected(("bsf",))
        with pytest.raises(Refused) as refused:  # a plain HSS without settings cannot say that an application is permitted
            Ub((realm.address("bsf"), 80), IMPI, lambda r, a: USIM.challenge(r, a)[0], realm=BSF, application=NAF).bootstrap()
        assert refused.value.answer.status == 403
        ue = Ub((realm.address("bsf"), 80), IMPI, lambda r, a: USIM.challenge(r, a)[0], realm=BSF)
        btid, _ = ue.bootstrap()[:2]
        ue.close()
    assert btid == keys.btid_of(rand, BSF)
    answer = bir(realm, btid=btid, naf_id=NAF_ID.hex())
    assert answer["errors"] == [] and result(answer) == 2001
    assert answer["avps"]["ME-Key-Material"] == key_of(rand)
    assert result(bir(realm, btid=btid.replace("AAEC", "BBEC"), naf_id=NAF_ID.hex())) == 5403
    assert result(bir(realm, btid=btid, naf_id=(b"elsewhere.example" + NAF_ID[-5:]).hex())) == 5402
