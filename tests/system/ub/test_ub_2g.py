# SPDX-License-Identifier: Apache-2.0
"""2G GBA over the wire (TS 33.220 Annex I, TS 24.109 Annex H): a SIM-only user of the real HSS bootstraps with the real BSF, inside
TLS only, and applications get its keys as such."""
import base64
import os
import ssl

import pytest

from peers import diameter as d
from peers.bsf_node import BSF, HTTP_DIGEST, NAF, Node, impi_of
from peers.keys import btid_of, ks_naf
from peers.ub import Ub, authorization, params
from peers.ub_2g import Sim, Ub2g, ks_2g, res_2g

K, OPC = bytes.fromhex("465b5ce8b199b49faa5f0a2ee238a6bc"), bytes.fromhex("cd63cb71954a9f4e48a5994e37a02baf")  # TS 35.208 4.3.1
SIM, USIM = impi_of(1), impi_of(2)
STRICT = "strict." + NAF.split(".", 1)[1]  # an application whose operator takes no keys of 2G GBA
NAFS = ('{ identity = "naf.asp.example.com"; fqdns = [ "%s" ]; gsids = [ "*" ]; impi-allowed = true; },'
        '{ identity = "naf2.asp.example.com"; fqdns = [ "%s" ]; gsids = [ "*" ]; allow-2g = false; }' % (NAF, STRICT))
PORT = 8443


def start(folder, extra):
    """HSS and BSF of ours; Ub in the clear and inside TLS."""
    node = Node(folder, extra=extra, nafs=NAFS, naf_peers=("naf.asp.example.com", "naf2.asp.example.com"), hss=False, start=False)
    cert, key = node.realm.authority.issue(BSF)
    node.ub_more = '{ listen = "%s:%d"; tls-cert = "%s"; tls-key = "%s"; }' % (node.realm.address("bsf"), PORT, cert, key)
    for impi in (SIM, USIM):
        node.realm.hss_conf()
        node.realm.ctl("subscriber", "add", impi, "--k-file", "-", "--opc-file", "-", stdin="%s\n%s\n" % (K.hex(), OPC.hex()))
    node.realm.start_hss()
    node.start(ready=True)
    return node


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    with start(tmp_path_factory.mktemp("2g"), 'ask-interval = 50;\nwrong-limit = 100;\ngba-2g = true;\nsim-only = [ "%s" ];\n' % SIM) as one:
        yield one


def device(node, impi=SIM, sim=Sim(K, OPC), tls=True):
    secure = dict(tls=ssl.create_default_context(cafile=node.realm.authority.ca), server_hostname=BSF) if tls else {}
    return Ub2g((node.realm.address("bsf"), PORT) if tls else node.address, impi, sim, realm=BSF, **secure)


def test_arithmetic_of_the_worked_example():
    """What the client here computes: TS 55.205 set 1, then Annex I."""
    rand, ks_input = bytes.fromhex("23553cbe9637a89d218ae64dae47bf35"), bytes.fromhex("00112233445566778899aabbccddeeff")
    sres, kc = Sim(K, OPC).run(rand)
    assert (sres.hex(), kc.hex()) == ("46f8416a", "eae4be823af9a08b")
    assert res_2g(sres, kc, rand).hex() == "91a40904556e5b5427543b008b1fc21e"
    assert ks_2g(sres, kc, rand, ks_input).hex() == "e25730eeb86cb402bcb10845916bbd71f45b6dbf8b1464d2e6123e82af674238"


def test_a_sim_bootstraps_and_an_application_gets_its_key(node):
    ue = device(node)
    btid, expires = ue.bootstrap()  # rspauth, by RES, and the body are checked there
    assert btid == btid_of(ue.rand, BSF)
    with node.naf("naf.asp.example.com", "asp.example.com") as naf:
        answer = node.bir(naf, btid)
        assert answer.result() == (0, 2001)
        view = d.bia_view(answer)
    assert view["me_key"] == ks_naf(ue.ks, ue.rand, SIM, NAF.encode() + HTTP_DIGEST)
    assert view["gba_type"] == 1 and "uicc_key" not in view  # TS 29.109 6.3.1.11
    assert view["expires"] == expires and view["user_name"] == SIM.encode()


def test_each_run_has_a_ks_of_its_own(node):
    one, two = device(node), device(node)
    assert one.bootstrap()[0] != two.bootstrap()[0]
    assert one.rand != two.rand and one.ks_input != two.ks_input and one.ks != two.ks


def test_the_challenge_is_as_in_24109(node):
    answer = device(node).first()
    c = params(answer.get("WWW-Authenticate"))
    assert answer.status == 401 and c["algorithm"] == "AKAv1-MD5" and c["qop"] == "auth-int"
    assert c["realm"] == BSF  # the name in the certificate, too: server_hostname of the connection (Annex I.2)


def test_an_application_may_refuse_such_keys(node):
    btid, _ = device(node).bootstrap()
    with node.naf("naf2.asp.example.com", "asp.example.com") as naf:
        assert node.bir(naf, btid, fqdn=STRICT).result() == (d.TGPP, 5402)


def test_outside_tls_nothing_is_served(node):
    refused = device(node, tls=False)
    assert refused.first().status == 403
    inside = device(node)
    _, fields = inside.second(inside.first(), response="0" * 32)
    assert refused.get(authorization(fields)).status in (401, 403)  # nor is the second leg moved out of the tunnel


@pytest.mark.parametrize("wrong", ["another key", "RES as text of USIM", "SRES itself"])
def test_who_has_not_the_sim_gets_no_context(node, wrong):
    ue = device(node, sim=Sim(os.urandom(16), OPC)) if wrong == "another key" else device(node)
    challenge = ue.first()
    c = params(challenge.get("WWW-Authenticate"))
    rand = base64.b64decode(c["nonce"])[:16]
    sres, kc = ue.sim.run(rand)
    password = {"another key": res_2g(sres, kc, rand), "SRES itself": sres,
                "RES as text of USIM": Sim(K, OPC).f.vector(rand, 0)[1]}[wrong]
    answer = ue.get(authorization(ue.fields(c, password)))
    assert answer.status in (401, 403) and answer.get("Authentication-Info") is None
    with node.naf("naf.asp.example.com", "asp.example.com") as naf:
        assert node.bir(naf, btid_of(rand, BSF)).result() == (d.TGPP, 5403)


def test_a_sim_cannot_ask_for_resynchronisation(node):
    ue = device(node)
    c = params(ue.first().get("WWW-Authenticate"))
    answer = ue.get(authorization(ue.fields(c, b"", auts=base64.b64encode(bytes(14)).decode())))
    assert answer.status in (400, 403)


def test_a_usim_is_served_as_ever_in_the_same_tunnel(node):
    usim = Sim(K, OPC).f
    ue = Ub((node.realm.address("bsf"), PORT), USIM, lambda rand, autn: usim.vector(rand, 0)[1], realm=BSF,
            tls=ssl.create_default_context(cafile=node.realm.authority.ca), server_hostname=BSF)
    btid, _ = ue.bootstrap()
    with node.naf("naf.asp.example.com", "asp.example.com") as naf:
        view = d.bia_view(node.bir(naf, btid))
    rand = base64.b64decode(btid.split("@")[0])
    _, _, ck, ik = usim.vector(rand, 0)
    assert view["me_key"] == ks_naf(ck + ik, rand, USIM, NAF.encode() + HTTP_DIGEST) and view["gba_type"] == 0


def test_the_operator_may_do_without(tmp_path):
    with start(tmp_path, 'gba-2g = false;\nsim-only = [ "%s" ];\n' % SIM) as one:
        assert device(one).first().status == 403
