# SPDX-License-Identifier: Apache-2.0
"""S13: the core network asks a registry for an equipment (TS 29.272 6.2.1). The MME is tests/peers/diameter.py."""
import os

import pytest
from peerlab import ECR, Lab, S13, app_avps
from registrylab import Door

from peers import diameter as d
from peers.waiting import until

MME, LENIENT_MME = "mme.registries.test", "mme2.registries.test"
TERMINAL, IMEI, SVN, STATUS, MEID = 1401, 1402, 1403, 1445, 1471
WHITELISTED, BLACKLISTED, GREYLISTED = 0, 1, 2
UNKNOWN, TOO_BUSY = (d.TGPP, 5422), (0, 3004)
# 490154203237518 is the example of TS 23.003 Annex B (check digit 8)
DEVICES = {"W": ("490154203237518", "white"), "G": ("356938035643809", None), "B": ("352099001761481", "black")}


def ecr(peer, imei=None, svn=None, more=(), group=True, user="001010000000001"):
    inner = ([d.tgpp(IMEI, imei.encode())] if imei is not None else []) + ([d.tgpp(SVN, svn.encode())] if svn is not None else [])
    avps = app_avps(peer, S13, d.TGPP) + ([d.tgpp(TERMINAL, inner + list(more))] if group else [])
    return d.Message(ECR, S13, avps + ([d.text(d.USER_NAME, user)] if user else []))


def status_of(answer):
    """Equipment-Status, or the result."""
    found = [a.u32() for a in answer.avps if (a.vendor, a.code) == (d.TGPP, STATUS)]
    if answer.result() != (0, 2001):
        assert not found
        return answer.result()
    return found[0]


def answered(peer, message):
    """As an MME does: what is too busy (a server that was slow to answer) is asked again."""
    return until(lambda: (lambda answer: answer if answer.result() != TOO_BUSY else None)(peer.request(message())))


def asked(peer, *words, **kw):
    return status_of(answered(peer, lambda: ecr(peer, *words, **kw)))


@pytest.fixture(scope="module")
def lab(tmp_path_factory, server):
    with Lab(tmp_path_factory.mktemp("s13"), server) as lab:
        one = lab.registry("INA1", "primary", "INA")
        one.extra = 's13-peers = [ "%s" ];\n' % MME
        one.others = [(MME, ""), (LENIENT_MME, "")]
        other = lab.registry("FRA1", "primary", "FRA")
        other.extra = ('s13-peers = [ "%s" ];\ns13-grey = "whitelisted";\ns13-unknown = "greylisted";\ns13-black = "unknown";\n' % MME)
        other.others = [(MME, "")]
        lab.start()
        for registry in (one, other):
            with registry.tool() as tool:
                for name, (imei, status) in DEVICES.items():
                    body = {"identities": [{"type": "imei", "value": imei}]}
                    assert tool.say("device.registered", registry.reg_id + name, body) == "ok"
                    if status:
                        assert tool.say("status.set", registry.reg_id + name, {"status": status}) == "ok"
        yield lab


@pytest.fixture(scope="module")
def mme(lab):
    with lab.registries["INA1"].client(MME, apps=(S13,)) as peer:
        yield peer


@pytest.mark.parametrize("imei, svn, want", [
    ("490154203237518", None, WHITELISTED), ("490154203237510", None, WHITELISTED), ("49015420323751", None, WHITELISTED),
    ("49015420323751", "07", WHITELISTED), ("4901542032375107", None, WHITELISTED),  # an IMEISV in the place of the IMEI
    ("352099001761481", "01", BLACKLISTED), ("35209900176148", None, BLACKLISTED), ("356938035643809", None, GREYLISTED),
    ("990000862471854", None, UNKNOWN), ("00000000000000", None, UNKNOWN)])
def test_status_of_an_equipment(mme, imei, svn, want):
    for _ in range(2):  # from the database, from the cache
        assert asked(mme, imei, svn) == want


def test_policy_is_configured(lab):
    with lab.registries["FRA1"].client(MME, apps=(S13,)) as peer:
        assert [asked(peer, imei) for imei in ("490154203237518", "356938035643809", "990000862471854",
                                                                      "352099001761481")] == \
            [WHITELISTED, WHITELISTED, GREYLISTED, UNKNOWN]


def test_a_change_is_seen(lab, mme):
    one = lab.registries["INA1"]
    with one.tool() as tool:
        for status, want in (("black", BLACKLISTED), ("white", WHITELISTED), ("grey", GREYLISTED)):
            assert tool.say("status.set", "INA1G", {"status": status}) == "ok"
            assert until(lambda: asked(mme, "356938035643809") == want)
        assert tool.say("device.registered", "INA1N", {"identities": [{"type": "imeisv", "value": "8600000000000100"}]}) == "ok"
        assert until(lambda: asked(mme, "860000000000017") == GREYLISTED)
        assert tool.say("device.removed", "INA1N") == "ok"
        assert until(lambda: asked(mme, "860000000000017") == UNKNOWN)


def failed(answer):
    found = next((a for a in answer.avps if a.code == 279), None)
    return [(a.vendor, a.code) for a in found.group()] if found is not None else None


BAD = {
    "no terminal": (dict(group=False), (0, 5005)),
    "letters": (dict(imei="49015420323751X"), (0, 5004)),
    "too short": (dict(imei="4901542032375"), (0, 5004)),
    "too long": (dict(imei="49015420323751078"), (0, 5014)),
    "empty": (dict(imei=""), (0, 5004)),
    "SVN too long": (dict(imei="49015420323751", svn="123"), (0, 5014)),
    "two IMEIs": (dict(imei="49015420323751", more=[d.tgpp(IMEI, b"49015420323751")]), (0, 5009)),
    "no IMEI": (dict(more=[d.tgpp(MEID, b"\xa1\0\0\0\0\1\2")]), UNKNOWN),
    "no user": (dict(imei="49015420323751", user=None), WHITELISTED),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_and_odd_requests(mme, case):
    message, want = BAD[case]
    answer = answered(mme, lambda: ecr(mme, **message))
    assert status_of(answer) == want
    if want[0] == 0 if isinstance(want, tuple) else False:
        assert failed(answer), case


def test_who_is_not_named_gets_nothing(lab):
    with lab.registries["INA1"].client(LENIENT_MME, apps=(S13,)) as peer:
        answers = [answered(peer, lambda imei=imei: ecr(peer, imei)) for imei in ("490154203237518", "990000862471854", "352099001761481")]
        assert [a.result() for a in answers] == [(d.TGPP, 5402)] * 3


def test_without_vendor_specific_application_id(mme):
    """TS 29.272 7.2.19 leaves it out where the sender likes."""
    def plain():
        message = ecr(mme, "490154203237518")
        message.avps = [a for a in message.avps if a.code != 260]
        return message

    assert status_of(answered(mme, plain)) == WHITELISTED


def registered(registry, imei, *further, impi="001010000000001@ims.test"):
    """(status, Acknowledge or problem) of a device that registers and confirms."""
    door = Door(registry.path("door.sock"))
    status, told = door.ask("POST", "/register", {"scheme": "imei", "identity": imei, "make": "Acme", "model": "Two", "root_of_trust": "usim",
                                                  "identities": [{"scheme": "imei", "value": one} for one in further]}, impi)
    if status == 201:
        status = door.ask("PUT", "/set", {"regdevid": told["regdevid"], "serial": told["serial"]}, impi)[0]
    return status, told


def test_both_imeis_of_a_device_with_two_sims(tmp_path, server):
    """REQ: Y3059-7-iv-d: the other branch knows a device by its second IMEI as by its first, as long as its registry says it has it."""
    first, second = "490154203237518", "356938035643809"
    with Lab(tmp_path, server) as lab:
        above, one, other = lab.registry("INA", "sectoral"), lab.registry("INA1", "primary", "INA"), lab.registry("INA2", "primary", "INA")
        lab.bond(above, one)
        lab.bond(above, other)
        one.extra = 'device-socket = "%s";\n' % one.path("door.sock")
        other.extra, other.others = 's13-peers = [ "%s" ];\n' % MME, [(MME, "")]
        lab.start()
        assert until(lambda: os.path.exists(one.path("door.sock")))
        status, told = registered(one, first, second)
        assert status == 200
        for stolen in (("352099001761481", second), ("352099001761481", first), (second,)):
            assert registered(one, *stolen, impi="001010000000002@ims.test")[0] == 403, stolen
        with other.client(MME, apps=(S13,)) as mme, one.tool() as tool:
            for imei in (first, second, second[:14], second[:14] + "07"):
                assert until(lambda imei=imei: asked(mme, imei) == WHITELISTED), imei
            assert tool.say("status.set", told["regdevid"], {"status": "black"}) == "ok"
            for imei in (first, second):
                assert until(lambda imei=imei: asked(mme, imei) == BLACKLISTED), imei
            changed = {"identities": [{"type": "imei", "value": first}], "make": "Acme", "model": "Two"}
            assert tool.say("device.changed", told["regdevid"], changed) == "ok"
            assert until(lambda: asked(mme, second) == UNKNOWN)
            assert asked(mme, first) == BLACKLISTED


def test_a_registry_that_hides_identities(tmp_path, server):
    """Its events name no IMEI, so that nobody learns one from it; its own core network is answered all the same."""
    with Lab(tmp_path, server) as lab:
        one, other = lab.registry("INA1", "primary", "INA"), lab.registry("INA", "sectoral")
        lab.bond(other, one)
        for registry in (one, other):
            registry.extra, registry.others = 's13-peers = [ "%s" ];\n' % MME, [(MME, "")]
        one.extra += 'hide-identity = true;\ndevice-socket = "%s";\n' % one.path("door.sock")
        lab.start()
        assert until(lambda: os.path.exists(one.path("door.sock")))
        said = {"scheme": "imei", "identity": "490154203237518", "make": "Acme", "model": "One", "root_of_trust": "usim",
                "identities": [{"scheme": "imei", "value": "352099001761481"}]}
        status, told = Door(one.path("door.sock")).ask("POST", "/register", said)
        assert status == 201 and told["regdevid"].startswith("INA1-HID-")
        with one.client(MME, apps=(S13,)) as mme:
            assert asked(mme, "490154203237518") == UNKNOWN  # not before Set
            assert Door(one.path("door.sock")).ask("PUT", "/set", {"regdevid": told["regdevid"], "serial": told["serial"]})[0] == 200
            for imei in ("490154203237518", "49015420323751", "4901542032375107", "352099001761481"):
                assert until(lambda imei=imei: asked(mme, imei) == WHITELISTED), imei
            assert asked(mme, "356938035643809") == UNKNOWN
            with one.tool() as tool:
                assert tool.say("status.set", told["regdevid"], {"status": "black"}) == "ok"
                assert until(lambda: asked(mme, "490154203237518") == BLACKLISTED)
                assert tool.say("device.removed", told["regdevid"]) == "ok"
                assert until(lambda: asked(mme, "490154203237518") == UNKNOWN)
        assert until(lambda: other.status(told["regdevid"]) == 2)
        assert not any(b"49015420323751" in bytes(wire) or b"35209900176148" in bytes(wire) for wire, in other.rows("SELECT wire FROM event"))
        with other.client(MME, apps=(S13,)) as mme:
            assert asked(mme, "490154203237518") == UNKNOWN


def test_a_database_that_is_away(tmp_path, postgres):
    """Nobody is told what may have changed meanwhile, not from the cache either: 3004 until it is there again."""
    with Lab(tmp_path, postgres) as lab:
        one = lab.registry("INA1", "primary", "INA")
        one.extra = 's13-peers = [ "%s" ];\n' % MME
        one.others = [(MME, "")]
        lab.start()
        with one.tool() as tool:
            assert tool.say("device.registered", "INA1W", {"identities": [{"type": "imei", "value": "490154203237518"}]}) == "ok"
        with one.client(MME, apps=(S13,)) as peer:
            assert until(lambda: status_of(peer.request(ecr(peer, "490154203237518"))) == GREYLISTED)
            postgres.kill()
            try:
                assert until(lambda: status_of(peer.request(ecr(peer, "490154203237518"))) == TOO_BUSY)
                assert status_of(peer.request(ecr(peer, "990000862471854"))) == TOO_BUSY
            finally:
                postgres.start()
            assert until(lambda: status_of(peer.request(ecr(peer, "490154203237518"))) == GREYLISTED)
