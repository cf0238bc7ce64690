# SPDX-License-Identifier: Apache-2.0
"""Signing keys over time, the other algorithm, life times, configuration."""
import itertools
import os
import re
import stat
import subprocess
import time

import pytest

from oidc_harness import OIDC, OTHER_SECRET, PROXY, TOP, Refused, Rp, q, until, verify

numbers = itertools.count(9000)
MONTH, DAY = 2592000, 86400


def login(provider):
    rp = Rp(provider)
    claims, tokens = rp.login(provider.device(next(numbers)))
    return claims, tokens["id_token"]


def kid_of(token, keys):
    return next(key["kid"] for key in keys if opened(token, key))


def opened(token, key):
    try:
        return verify(token, [key])
    except Refused:
        return None


def names(provider):
    return sorted(name for name in os.listdir(os.path.join(provider.folder, "keys")) if name.endswith(".pem"))


def test_rotation_with_overlap(world):
    """A key is shown before it signs, signs, and is shown after: no good token is ever without its key."""
    provider = world.provider(signing_alg=q("ES256"))
    folder = os.path.join(provider.folder, "keys")
    (first,) = names(provider)
    (key,) = provider.keys()
    assert key["alg"] == "ES256" and provider.call("GET", "/.well-known/openid-configuration").json()["id_token_signing_alg_values_supported"] == ["ES256"]
    _, early = login(provider)

    def age(name, seconds):
        os.rename(os.path.join(folder, name), os.path.join(folder, "%d.pem" % (time.time() - seconds)))
        provider.start()

    provider.stop()
    age(first, MONTH + 10)  # its time is over: the next one is made, shown, and does not sign yet
    assert len(names(provider)) == 2 and len(provider.keys()) == 2
    _, token = login(provider)
    assert kid_of(token, provider.keys()) == key["kid"] and opened(early, key)
    second = names(provider)[1]
    provider.stop()
    age(second, DAY + 10)  # clients have had their time: it signs, the old one is still shown
    assert len(provider.keys()) == 2
    claims, token = login(provider)
    assert kid_of(token, provider.keys()) != key["kid"] and claims["iss"] == provider.issuer
    verify(early, provider.keys())
    second = names(provider)[1]
    provider.stop()
    age(second, 2 * DAY + 10)  # and now nobody needs it
    assert len(provider.keys()) == 1 and names(provider) != [first]
    with pytest.raises(Refused):
        verify(early, provider.keys())
    for name in names(provider):
        assert stat.S_IMODE(os.stat(os.path.join(folder, name)).st_mode) == 0o600
    assert stat.S_IMODE(os.stat(folder).st_mode) == 0o700


def test_pairwise_subjects_survive_a_restart_and_codes_do_not(world):
    provider = world.provider()
    device = provider.device(next(numbers))
    other = Rp(provider, "other", OTHER_SECRET)
    sub = other.login(device)[0]["sub"]
    code = other.code(device)
    assert provider.stop() == 0
    provider.start()
    assert other.redeem(code).status == 400 and other.login(device)[0]["sub"] == sub


def test_codes_expire(world):
    provider = world.provider(code_lifetime=1)
    rp = Rp(provider)
    code, given = rp.code(provider.device(next(numbers))), time.time()
    assert until(lambda: time.time() > given + 2)
    assert rp.redeem(code).json()["error"] == "invalid_grant"


def test_access_tokens_expire(world):
    provider = world.provider(access_token_lifetime=3)
    rp = Rp(provider)
    _, tokens = rp.login(provider.device(next(numbers)))
    assert tokens["expires_in"] <= 3
    assert until(lambda: rp.userinfo(tokens["access_token"]).status == 401)


@pytest.mark.parametrize("identity,uss", [("btid", {}), ("impi", {})])
def test_an_identity_that_may_not_be_told_is_not(world, identity, uss):
    """Neither the B-TID nor the IMPI becomes a subject; the IMPI only where it is allowed."""
    impi = "001010000000001@ims.mnc001.mcc001.3gppnetwork.org"
    provider = world.provider(site={"identity": q(identity)})
    device = provider.device(next(numbers), impi=impi, uss=uss)
    rp = Rp(provider)
    assert rp.came_back(provider.authorize(device, **rp.request()))["error"] == "server_error"
    assert impi not in provider.log()
    if identity == "impi":
        device.challenge = None  # another proxy's
        allowed = world.provider(site={"identity": q(identity)}, allow_impi="true")
        assert Rp(allowed).login(device)[0]["sub"] == impi


def test_a_site_without_token_info_is_named(world):
    provider = world.provider(site={"token-info": "false"})
    reply = provider.authorize(provider.device(next(numbers)), **Rp(provider).request())
    assert reply.status == 500 and provider.tells("token-info")


GOOD = """issuer = "https://login.example.com"; authorize-url = "https://device.example.com/authorize"; listen = "127.0.0.1:8080";
clients = ( { id = "a"; redirect-uris = [ "https://a.example/cb" ]; } );
"""


@pytest.mark.parametrize("old,new,why", [
    ("", "", None),
    ('"https://login.example.com"', '"http://login.example.com"', "issuer"), ('"https://login.example.com"', '"https://login.example.com/"', "issuer"),
    ('"https://login.example.com"', '"https://login.example.com?x"', "issuer"), ('"127.0.0.1:8080"', '"0.0.0.0:8080"', "without certificate only loopback"),
    ('id = "a"', 'id = "a"; secret-sha256 = [ "secret" ]', "secret-sha256"), ('id = "a"', 'id = "a"; secret-sha256 = [ "%s" ]; key = "x.pem"' % ("0" * 64), "either"),
    ('"https://a.example/cb"', '"https://a.example/cb#x"', "redirect-uris"), ('"https://a.example/cb"', '"/cb"', "redirect-uris"),
    ('"https://a.example/cb"', '"javascript:alert(1)"', "redirect-uris"), ('"https://a.example/cb"', "", "redirect-uris is empty"),
    ("} );", '}, { id = "a"; redirect-uris = [ "https://b.example/" ]; } );', "occurs twice"), ("issuer", "key-overlap = 2592000; issuer", "key-overlap"),
    ("issuer", "id-token-lifetime = 86400; key-overlap = 100; issuer", "id-token-lifetime"), ("issuer", "isuer = 1; issuer", "no such item"),
])
def test_configuration(tmp_path, old, new, why):
    conf = tmp_path / "oidc.conf"
    conf.write_text(GOOD.replace(old, new, 1) if old else GOOD)
    done = subprocess.run([OIDC, "--check-config", str(conf)], capture_output=True, text=True)
    assert (done.returncode, why is None or why in done.stderr) == (0 if why is None else 1, True), done.stderr


def test_configurations_of_the_guide(tmp_path):
    with open(os.path.join(TOP, "doc", "oidc.md"), encoding="utf-8") as text:
        page = text.read()
    for language, program in (("oidc", OIDC), ("proxy", PROXY)):
        (block,) = re.findall(r"```%s\n(.*?)```" % language, page, re.S)
        conf = tmp_path / (language + ".conf")
        conf.write_text(block)
        done = subprocess.run([program, "--check-config", str(conf)], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
