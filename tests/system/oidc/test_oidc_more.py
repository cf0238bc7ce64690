# SPDX-License-Identifier: Apache-2.0
"""What relying parties ask for beyond the code flow: answers by form, refresh tokens, logout."""
import hashlib
import os
import signal
import time
import urllib.parse

import pytest

from oidc_harness import CALLBACK, SECRET, Form, Rp, b64, basic, hash_of, undisturbed, until, verify
from test_oidc_flow import error_of, numbers

BYE = "https://app.example.com/bye"


@pytest.fixture
def device(provider):
    return provider.device(next(numbers))


@pytest.fixture
def stays(provider):
    return Rp(provider, "stays", SECRET)


# ---- response_mode=form_post

def test_the_answer_by_form(provider, device):
    """OAuth 2.0 Form Post Response Mode."""
    rp = Rp(provider)
    rp.state = '"><script>x</script>&amp;\'\u00e9'
    reply = provider.authorize(device, **rp.request(response_mode="form_post"))
    assert reply.status == 200 and reply.get("content-type").startswith("text/html") and reply.get("cache-control") == "no-store"
    assert b"<script" not in reply.body
    form = Form(reply.body.decode())
    assert (form.action, form.method, form.submits) == (CALLBACK, "post", True)
    assert form.fields["state"] == rp.state and form.fields["iss"] == provider.issuer and set(form.fields) == {"code", "state", "iss"}
    assert rp.check(rp.redeem(form.fields["code"]).json())["aud"] == "web"


def test_refusals_by_form(provider, device):
    rp = Rp(provider)
    form = Form(provider.authorize(device, **rp.request(response_mode="form_post", scope="profile")).body.decode())
    assert form.fields["error"] == "invalid_scope" and form.fields["state"] == rp.state


# ---- refresh tokens

def refresh(rp, token, client=None, secret=SECRET):
    return rp.provider.post("/token", {"grant_type": "refresh_token", "refresh_token": token}, basic(client or rp.client, secret))


def test_refresh(provider, device, stays):
    """The same login told again, without its nonce; each refresh token is good once (OpenID Connect Core 12, RFC 9700 4.14.2)."""
    claims, tokens = stays.login(device)
    answer = refresh(stays, tokens["refresh_token"])
    assert answer.status == 200 and answer.headers["Cache-Control"] == "no-store"
    newer = answer.json()
    again = verify(newer["id_token"], provider.keys())
    assert [again[name] for name in ("iss", "sub", "aud", "acr", "amr")] == [claims[name] for name in ("iss", "sub", "aud", "acr", "amr")]
    assert "nonce" not in again and again.get("auth_time") == claims.get("auth_time")
    assert again["at_hash"] == b64(hashlib.sha256(newer["access_token"].encode()).digest()[:16])
    assert stays.userinfo(newer["access_token"]).status == 200 and stays.userinfo(tokens["access_token"]).status == 401
    assert error_of(refresh(stays, tokens["refresh_token"])) == (400, "invalid_grant")  # used: somebody has stolen it
    assert error_of(refresh(stays, newer["refresh_token"])) == (400, "invalid_grant")
    assert stays.userinfo(newer["access_token"]).status == 401 and provider.tells("oidc.refresh_twice")


def test_refresh_tokens_are_for_their_client_and_who_wants_them(provider, device, stays):
    _, tokens = stays.login(device)
    assert error_of(refresh(stays, tokens["refresh_token"], "web")) == (400, "invalid_grant")
    assert refresh(stays, tokens["refresh_token"], secret="wrong").status == 401
    assert refresh(stays, tokens["refresh_token"]).status == 200
    assert "refresh_token" not in Rp(provider).login(device)[1]
    for made_up in ("x", "A" * 43, tokens["access_token"]):
        assert error_of(refresh(stays, made_up)) == (400, "invalid_grant")
    assert error_of(provider.post("/token", {"grant_type": "refresh_token"}, basic("stays", SECRET))) == (400, "invalid_request")


def test_a_refresh_token_lives_no_longer_than_the_bootstrapped_one(provider, stays, world):
    """By its end, and by its revocation."""
    _, tokens = undisturbed(lambda: stays.login(provider.device(next(numbers), expiry=time.time() + 4)), 2.9)
    assert tokens["expires_in"] <= 4
    revoked = provider.device(next(numbers))
    _, other = stays.login(revoked)
    world.agent.revoke(revoked.btid)
    assert until(lambda: stays.userinfo(other["access_token"]).status == 401)
    assert error_of(refresh(stays, other["refresh_token"])) == (400, "invalid_grant")
    assert until(lambda: stays.userinfo(tokens["access_token"]).status == 401)
    assert error_of(refresh(stays, tokens["refresh_token"])) == (400, "invalid_grant")


def test_a_refresh_token_is_given_up(provider, device, stays):
    """RFC 7009 2.1: the access token goes with it."""
    _, tokens = stays.login(device)
    assert provider.post("/revoke", {"token": tokens["refresh_token"]}, basic("stays", SECRET)).status == 200
    assert stays.userinfo(tokens["access_token"]).status == 401 and refresh(stays, tokens["refresh_token"]).status == 400


# ---- logout (OpenID Connect RP-Initiated Logout 1.0)

def log_out(provider, method="GET", **fields):
    query = urllib.parse.urlencode(fields)
    return provider.call("GET", "/logout?" + query) if method == "GET" else provider.post("/logout", fields)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_logout(provider, device, stays, method):
    """All that the client has of this user ends; others' stays."""
    _, tokens = stays.login(device)
    _, second = Rp(provider, "stays", SECRET).login(device)
    _, others = Rp(provider).login(device)
    _, neighbours = Rp(provider, "stays", SECRET).login(provider.device(next(numbers)))
    answer = log_out(provider, method, id_token_hint=tokens["id_token"], post_logout_redirect_uri=BYE, state="a b&c", client_id="stays")
    assert answer.status == 302 and answer.headers["Location"] == BYE + "?state=a%20b%26c"
    assert [stays.userinfo(one["access_token"]).status for one in (tokens, second, others, neighbours)] == [401, 401, 200, 200]
    assert refresh(stays, tokens["refresh_token"]).status == 400
    assert log_out(provider, id_token_hint=neighbours["id_token"], post_logout_redirect_uri=BYE + "?a=b", state="s").headers["Location"] == BYE + "?a=b&state=s"


def test_logout_leads_nowhere_it_should_not(provider, device, stays):
    _, tokens = stays.login(device)
    _, others = Rp(provider).login(device)
    hint = tokens["id_token"]
    head, body, signature = hint.split(".")
    for fields in (dict(post_logout_redirect_uri=BYE), dict(id_token_hint="x.y.z"), dict(id_token_hint=hint, client_id="web"),
                   dict(id_token_hint=hint, post_logout_redirect_uri=BYE + "/"), dict(id_token_hint=hint, post_logout_redirect_uri=CALLBACK),
                   dict(id_token_hint=others["id_token"], post_logout_redirect_uri=BYE),
                   dict(id_token_hint=".".join((head, body, signature[::-1]))), dict(id_token_hint=b64(b'{"alg":"none"}') + "." + body + ".")):
        answer = log_out(provider, **fields)
        assert answer.status == 400 and "Location" not in answer.headers and b"cannot go on" in answer.body, fields
    assert provider.call("GET", "/logout?id_token_hint=%s&id_token_hint=x" % hint).status == 400
    assert stays.userinfo(tokens["access_token"]).status == 200
    answer = log_out(provider, id_token_hint=hint)
    assert (answer.status, answer.body) == (200, b"Logged out.\n") and stays.userinfo(tokens["access_token"]).status == 401


def test_they_are_announced(provider):
    document = provider.call("GET", "/.well-known/openid-configuration").json()
    assert document["end_session_endpoint"] == provider.issuer + "/logout"
    assert document["response_modes_supported"] == ["query", "form_post"]
    assert document["grant_types_supported"] == ["authorization_code", "refresh_token"]


# ---- the daemon

def test_hangup_brings_clients_and_takes_them_away(world):
    """What was begun with clients that stay goes on; who has gone gets nothing any more, and neither does a secret that has."""
    provider = world.provider()
    device = provider.device(next(numbers))
    web, spa, stays = Rp(provider), Rp(provider, "spa", None), Rp(provider, "stays", SECRET)
    _, theirs = spa.login(device)
    _, kept = stays.login(device)
    code, lost = stays.code(device), spa.code(device)
    with open(provider.conf, encoding="utf-8") as conf:
        text = conf.read()

    def hang_up(changed, said):
        with open(provider.conf, "w", encoding="utf-8") as conf:
            conf.write(changed)
        provider.process.signal(signal.SIGHUP)
        assert provider.tells(said), provider.log()[-2000:]
    assert text.count('{ id = "spa";') == 1
    hang_up(text.replace('{ id = "spa";', '{ id = "fresh";').replace(hash_of(SECRET), hash_of("another secret of many octets, 0123"), 1), "5 clients in force")
    assert stays.userinfo(kept["access_token"]).status == 200 and stays.redeem(code).status == 200
    assert refresh(stays, kept["refresh_token"]).status == 200
    assert spa.userinfo(theirs["access_token"]).status == 401 and spa.redeem(lost).status == 401
    assert provider.authorize(device, **spa.request()).status == 400
    assert Rp(provider, "fresh", None).login(device)[0]["aud"] == "fresh"
    assert web.redeem(web.code(device)).status == 401
    assert Rp(provider, secret="another secret of many octets, 0123").login(device)[0]["aud"] == "web"
    hang_up(text.replace("client.pub", "nobody.pub"), "refused, all stays as it was: clients: signed: key: ")
    assert Rp(provider, "fresh", None).login(device)[0]["aud"] == "fresh"
    os.utime(provider.items["certificate"].strip('"'))
    hang_up(text, "certificate or private-key has changed, and needs a restart")
    assert spa.login(device)[0]["aud"] == "spa"


def test_hangup_says_what_needs_a_restart(provider, device):
    rp = Rp(provider)
    with open(provider.conf, encoding="utf-8") as conf:
        text = conf.read()
    try:
        for more, said in (("max-grants = 4711;\n", "clients in force; as they were until a restart: max-grants"),
                           ("frob = 1;\n", "refused, all stays as it was")):
            with open(provider.conf, "w", encoding="utf-8") as conf:
                conf.write(text + more)
            provider.process.signal(signal.SIGHUP)
            assert until(lambda: said in provider.log())
            assert rp.login(device)[0]["aud"] == "web"
    finally:
        with open(provider.conf, "w", encoding="utf-8") as conf:
            conf.write(text)
