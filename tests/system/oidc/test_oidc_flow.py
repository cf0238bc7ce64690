# SPDX-License-Identifier: Apache-2.0
"""Logins of bootstrapped devices at relying parties: a client in plain Python, signatures checked by openssl. REQ: Y3056-9.4.1-8"""
import hashlib
import itertools
import json
import os
import stat
import threading
import time
import urllib.parse

import pytest

from oidc_harness import (CALLBACK, LOGIN, Client, OTHER_SECRET, PATIENCE, SECRET, Refused, Rp, assertion, b64, basic, unb64, until, verify)

numbers = itertools.count(1)


@pytest.fixture
def device(provider):
    return provider.device(next(numbers), created=int(time.time()) - 5)


def error_of(answer):
    return answer.status, answer.json()["error"]


def test_discovery_and_keys(provider):
    """OpenID Connect Discovery 1.0 3: what clients configure themselves by."""
    document = provider.call("GET", "/.well-known/openid-configuration").json()
    assert document["issuer"] == provider.issuer and document["authorization_endpoint"] == "https://login.example.com/authorize"
    for name in ("token", "userinfo", "revocation"):
        assert document[name + "_endpoint"].startswith(provider.issuer + "/")
    assert document["jwks_uri"] == provider.issuer + "/jwks"
    assert document["response_types_supported"] == ["code"] and document["code_challenge_methods_supported"] == ["S256"]
    assert document["id_token_signing_alg_values_supported"] == ["RS256"] and document["authorization_response_iss_parameter_supported"] is True
    assert set(document["subject_types_supported"]) == {"pairwise", "public"}
    (key,) = provider.keys()
    assert set(key) == {"kty", "n", "e", "kid", "alg", "use"} and key["use"] == "sig" and len(unb64(key["n"])) == 256
    folder = os.path.join(provider.folder, "keys")
    for name in os.listdir(folder):
        assert stat.S_IMODE(os.stat(os.path.join(folder, name)).st_mode) == 0o600


def test_login(provider, device):
    """The client learns the pseudonym and how the device proved itself, and no more."""
    rp = Rp(provider)
    before = int(time.time())
    claims, tokens = rp.login(device)
    bootstrapped = provider.world.agent.keys[device.btid, LOGIN, "0100000002"]
    number = claims["sub"].rsplit("-", 1)[1]
    assert claims["sub"] == "asp-pseudonym-" + number
    assert claims["auth_time"] == bootstrapped["created"] and claims["acr"] == "gba-me" and claims["amr"] == ["sc", "swk"]
    assert before <= claims["iat"] <= time.time() and claims["exp"] == claims["iat"] + 600
    assert 0 < tokens["expires_in"] <= 3600 and tokens["scope"] == "openid"
    assert rp.userinfo(tokens["access_token"]).json() == {"sub": claims["sub"]}
    text = json.dumps(claims)
    assert device.btid not in text and "identities" not in claims


def test_login_by_post(provider, device):
    rp = Rp(provider)
    fields = rp.came_back(provider.authorize(device, "POST", **rp.request()))
    assert rp.redeem(fields["code"]).status == 200


def test_public_client_and_every_kind_of_client(provider, device):
    assert Rp(provider, "spa", None).login(device)[0]["sub"].startswith("asp-pseudonym-")
    mine, other, signed = Rp(provider), Rp(provider, "other", OTHER_SECRET), Rp(provider, "signed", None)
    first = other.login(device)[0]["sub"]
    assert first != mine.login(device)[0]["sub"] and "pseudonym" not in first and len(first) == 43
    assert Rp(provider, "other", OTHER_SECRET).login(device)[0]["sub"] == first  # always the same
    tokens = signed.redeem(signed.code(device), client_id=None, client_assertion=assertion(provider),
                           client_assertion_type="urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
    assert tokens.status == 200 and signed.check(tokens.json())["sub"] == first  # one sector with "other"
    assert Rp(provider, secret="an older one").login(device)[0]["sub"] == mine.login(device)[0]["sub"]


def test_redirect_uri_with_a_query(provider, device):
    rp = Rp(provider, redirect_uri=CALLBACK + "?fixed=1")
    fields = rp.came_back(provider.authorize(device, **rp.request()))
    assert fields.pop("fixed") == "1" and rp.redeem(fields["code"]).status == 200


def test_identities_are_told_where_allowed(provider):
    device = provider.device(next(numbers), created=int(time.time()), uss={1000001: (["asp-pseudonym-x", "tel:+15551234567"], [])})
    rp = Rp(provider)
    claims, tokens = rp.login(device, scope="openid identities profile")
    assert tokens["scope"] == "openid identities" and "identities" not in claims
    assert rp.userinfo(tokens["access_token"]).json() == {"sub": "asp-pseudonym-x", "identities": ["asp-pseudonym-x", "tel:+15551234567"]}
    other = Rp(provider, "other", OTHER_SECRET)
    _, tokens = other.login(device, scope="openid identities")
    assert tokens["scope"] == "openid" and list(other.userinfo(tokens["access_token"]).json()) == ["sub"]


def test_methods_of_authentication(provider):
    for values, acr, amr in ((dict(type=1), "gba-2g", ["sc", "swk"]), (dict(type=2), "gba-digest", ["pwd"])):
        claims, _ = Rp(provider).login(provider.device(next(numbers), created=int(time.time()), **values))
        assert (claims["acr"], claims["amr"]) == (acr, amr)
    claims, _ = Rp(provider).login(provider.device(next(numbers)))
    assert "auth_time" not in claims  # nobody told


def test_nothing_outlives_the_bootstrapped_key(provider):
    device = provider.device(next(numbers), expiry=int(time.time()) + 30)
    claims, tokens = Rp(provider).login(device)
    end = provider.world.agent.keys[device.btid, LOGIN, "0100000002"]["expiry"]
    assert claims["exp"] == end and tokens["expires_in"] <= 30


# ---- what the device sees: requests that no client has made

@pytest.mark.parametrize("change,why", [
    (dict(client_id="nobody"), "client_id is unknown"), (dict(client_id=None), "client_id is unknown"),
    (dict(redirect_uri=None), "redirect_uri is missing"), (dict(redirect_uri=CALLBACK + "/"), "not one of"),
    (dict(redirect_uri=CALLBACK.upper()), "not one of"), (dict(redirect_uri="http" + CALLBACK[5:]), "not one of"),
    (dict(redirect_uri=CALLBACK + "?x"), "not one of"), (dict(redirect_uri=CALLBACK + "#x"), "not one of"),
    (dict(redirect_uri="https://app.example.com.evil.example/callback"), "not one of"),
    (dict(redirect_uri="https://app.example.com/callback/../evil"), "not one of"),
    (dict(redirect_uri="https://app.example.com@evil.example/callback"), "not one of"),
    (dict(redirect_uri=CALLBACK + "\r\nX-Evil: 1"), "not understood"), (dict(state="a\0b"), "Bad Request"),  # by the proxy
])
def test_no_redirection_to_where_no_client_is(provider, device, change, why):
    reply = provider.authorize(device, **Rp(provider).request(**change))
    assert reply.status == 400 and reply.get("location") is None and why in reply.body.decode(), reply.body


@pytest.mark.parametrize("more", ["&client_id=web", "&redirect_uri=" + urllib.parse.quote(CALLBACK, ""), "&state=x", "&scope=openid", "&%63lient_id=web", "&x=%zz", "&x=%4"])
def test_parameters_come_once_and_well_formed(provider, device, more):
    query = urllib.parse.urlencode(Rp(provider).request()) + more
    target = "/authorize?" + query
    with Client(provider.proxy.http) as client:
        device.take(client.ask(host=LOGIN))
        reply = client.ask("GET", target, [device.header("GET", target)], host=LOGIN)
    assert reply.status == 400 and reply.get("location") is None


# ---- what the client is told by redirection

@pytest.mark.parametrize("change,error", [
    (dict(scope="profile"), "invalid_scope"), (dict(scope=None), "invalid_scope"), (dict(scope="OPENID openidx"), "invalid_scope"),
    (dict(response_type="token"), "unsupported_response_type"), (dict(response_type="code id_token"), "unsupported_response_type"),
    (dict(response_type=None), "invalid_request"), (dict(response_mode="fragment"), "invalid_request"),
    (dict(request="eyJhbGciOiJub25lIn0.e30."), "request_not_supported"), (dict(request_uri="https://app.example.com/r"), "request_uri_not_supported"),
    (dict(registration="{}"), "registration_not_supported"),
    (dict(code_challenge_method="plain"), "invalid_request"), (dict(code_challenge_method=None), "invalid_request"),
    (dict(code_challenge="short"), "invalid_request"), (dict(code_challenge="+" * 43), "invalid_request"),
    (dict(code_challenge=None), "invalid_request"), (dict(max_age="soon"), "invalid_request"), (dict(max_age="-1"), "invalid_request"),
    (dict(prompt="none login"), "invalid_request"),
])
def test_errors_go_to_the_client(provider, device, change, error):
    rp = Rp(provider)
    assert rp.came_back(provider.authorize(device, **rp.request(**change)))["error"] == error


def test_public_clients_need_pkce(provider, device):
    rp = Rp(provider, "spa", None)
    fields = rp.came_back(provider.authorize(device, **rp.request(code_challenge=None, code_challenge_method=None)))
    assert fields["error"] == "invalid_request"
    web = Rp(provider)
    code = web.came_back(provider.authorize(device, **web.request(code_challenge=None, code_challenge_method=None)))["code"]
    assert web.redeem(code, code_verifier=None).status == 200  # require-pkce is off for it


# ---- codes

def test_a_code_is_good_once_and_takes_its_token_with_it(provider, device):
    rp = Rp(provider)
    code = rp.code(device)
    tokens = rp.redeem(code).json()
    assert rp.userinfo(tokens["access_token"]).status == 200
    assert error_of(rp.redeem(code)) == (400, "invalid_grant")
    answer = rp.userinfo(tokens["access_token"])
    assert answer.status == 401 and 'error="invalid_token"' in answer.headers["WWW-Authenticate"]
    assert provider.tells("oidc.code_twice")


def test_a_code_brought_by_many_at_once_is_good_once(provider, device):
    rp, answers = Rp(provider), []
    code = rp.code(device)
    threads = [threading.Thread(target=lambda: answers.append(rp.redeem(code))) for _ in range(12)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    good = [one for one in answers if one.status == 200]
    assert len(answers) == 12 and len(good) == 1 and {error_of(one) for one in answers if one not in good} == {(400, "invalid_grant")}
    assert rp.userinfo(good[0].json()["access_token"]).status == 401


@pytest.mark.parametrize("change", [dict(code_verifier="x" * 43), dict(code_verifier=None), dict(code_verifier="short"), dict(redirect_uri=CALLBACK + "?fixed=1"),
                                    dict(redirect_uri=None)])
def test_a_wrong_attempt_uses_the_code_up(provider, device, change):
    rp = Rp(provider)
    code = rp.code(device)
    assert error_of(rp.redeem(code, **change)) == (400, "invalid_grant")
    assert error_of(rp.redeem(code)) == (400, "invalid_grant")


def test_a_code_is_its_clients(provider, device):
    code = Rp(provider).code(device)
    thief = Rp(provider, "other", OTHER_SECRET)
    assert error_of(thief.redeem(code)) == (400, "invalid_grant")


def test_a_verifier_without_a_challenge_is_refused(provider, device):
    """Somebody took the challenge out of the request (RFC 9700 4.8.2)."""
    rp = Rp(provider)
    code = rp.came_back(provider.authorize(device, **rp.request(code_challenge=None, code_challenge_method=None)))["code"]
    assert error_of(rp.redeem(code)) == (400, "invalid_grant")


@pytest.mark.parametrize("fields,error", [(dict(grant_type="password"), "unsupported_grant_type"), (dict(grant_type=None), "invalid_request"),
                                          (dict(code=None), "invalid_request"), (dict(code="made-up"), "invalid_grant")])
def test_token_requests_that_are_none(provider, fields, error):
    assert error_of(Rp(provider).redeem(fields.pop("code", "x"), **fields)) == (400, error)


# ---- clients

@pytest.mark.parametrize("headers,change", [
    (basic("web", SECRET + "x"), {}), (basic("web", ""), {}), (basic("nobody", SECRET), {}), (basic("spa", ""), {}), (basic("signed", ""), {}),
    ({"Authorization": "Basic !!!!"}, {}), ({"Authorization": "Bearer x"}, {}), ({}, dict(client_id="web")), ({}, dict(client_id="signed")), ({}, {}),
    ({}, dict(client_id="web", client_secret=SECRET)), (basic("web", SECRET), dict(client_id="other")), (basic("web", SECRET), dict(client_secret=SECRET)),
])
def test_clients_are_authenticated(provider, device, headers, change):
    rp = Rp(provider)
    code = rp.code(device)
    answer = rp.redeem(code, headers=headers, **change)
    assert error_of(answer) == (401, "invalid_client") and answer.headers["WWW-Authenticate"].startswith("Basic ")
    assert rp.redeem(code).status == 200  # who is not authenticated cannot use codes up


def test_assertions_of_clients(provider, device):
    """private_key_jwt: RFC 7523 3, and what an attacker makes of it."""
    rp = Rp(provider, "signed", None)
    kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    once = assertion(provider)
    bad = [assertion(provider, head={"alg": "none"}, sign=False), assertion(provider, head={"alg": "none"}), assertion(provider, head={"alg": "HS256"}),
           assertion(provider, head={"alg": "ES256", "crit": ["exp"]}), assertion(provider, aud="https://other.example/token"),
           assertion(provider, exp=int(time.time()) - 1), assertion(provider, exp=int(time.time()) + 7200), assertion(provider, exp=None),
           assertion(provider, iss="web"), assertion(provider, sub="web"), assertion(provider, jti=None), assertion(provider, nbf=int(time.time()) + 60),
           once[:-4] + ("AAAA" if once[-4:] != "AAAA" else "BBBB"), "a.b", ""]
    for text in bad:
        assert error_of(rp.redeem(rp.code(device), client_id=None, client_assertion=text, client_assertion_type=kind)) == (401, "invalid_client"), text
    code = rp.code(device)
    assert rp.redeem(code, headers=basic("web", SECRET), client_assertion=once, client_assertion_type=kind).status == 401
    assert rp.redeem(code, client_assertion=once, client_assertion_type="other").status == 401
    assert rp.redeem(code, client_assertion=once, client_assertion_type=kind).status == 200
    assert rp.redeem(rp.code(device), client_assertion=once, client_assertion_type=kind).status == 401  # its jti was used
    fresh = assertion(provider, aud=[provider.issuer, "https://x.example"])
    assert rp.redeem(rp.code(device), client_assertion=fresh, client_assertion_type=kind).status == 200


def test_the_client_refuses_what_is_not_the_providers(provider, device):
    """The client's own checks, shown to find what they are for: alg none, another key, an altered claim, a mixed-up issuer."""
    rp = Rp(provider)
    _, tokens = rp.login(device)
    header, payload, signature = tokens["id_token"].split(".")
    none = b64(json.dumps({"alg": "none", "kid": json.loads(unb64(header))["kid"]}).encode())
    altered = b64(unb64(payload).replace(b'"gba-me"', b'"gba-u"'))
    for token in (none + "." + payload + ".", header + "." + altered + "." + signature):
        with pytest.raises(Refused):
            verify(token, provider.keys())
    reply = provider.authorize(device, **rp.request())
    rp.provider = type("Other", (), {"issuer": "https://other.example"})
    with pytest.raises(AssertionError):
        rp.came_back(reply)


# ---- access tokens

def test_userinfo_and_revocation(provider, device):
    rp = Rp(provider)
    _, tokens = rp.login(device)
    access = tokens["access_token"]
    other = ("y" if access[0] == "x" else "x") + access[1:]
    for headers in ({}, {"Authorization": "Bearer "}, {"Authorization": "Bearer " + other}, {"Authorization": "Basic " + access}):
        answer = provider.call("GET", "/userinfo", headers=headers)
        assert answer.status == 401 and answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert provider.post("/revoke", {"token": access}, basic("other", OTHER_SECRET)).status == 200  # not its own: nothing
    assert rp.userinfo(access).status == 200
    assert provider.post("/revoke", {"token": access}, {}).status == 401
    assert provider.post("/revoke", {"token": access}, basic("web", SECRET)).status == 200
    assert rp.userinfo(access).status == 401
    assert provider.post("/revoke", {"token": "unknown"}, basic("web", SECRET)).status == 200


def test_a_revoked_token_ends_what_was_granted_on_it(provider, device):
    rp = Rp(provider)
    _, tokens = rp.login(device)
    bystander = Rp(provider)
    _, others = bystander.login(provider.device(next(numbers)))
    code = rp.code(device)
    provider.world.agent.revoke(device.btid)
    assert until(lambda: rp.userinfo(tokens["access_token"]).status == 401)
    assert error_of(rp.redeem(code)) == (400, "invalid_grant")
    assert bystander.userinfo(others["access_token"]).status == 200


# ---- fresher bootstrapping

@pytest.mark.parametrize("request_", [dict(max_age="100"), dict(prompt="login")])
def test_the_client_can_ask_for_a_fresh_bootstrapping(provider, request_):
    """The device gets the renegotiation indication; bootstrapped anew, it goes on. REQ: Y3056-9.5-6"""
    number = next(numbers)
    device = provider.device(number, created=int(time.time()) - 1000)
    rp = Rp(provider)
    reply = provider.authorize(device, **rp.request(**request_))
    assert reply.status == 401 and "3GPP-bootstrapping@" + LOGIN in reply.get("www-authenticate")
    assert rp.came_back(provider.authorize(provider.device(next(numbers), created=int(time.time()) - 1000), **rp.request(prompt="none", max_age="100")))["error"] == "login_required"
    again = provider.device(next(numbers), created=int(time.time()))
    claims, _ = rp.login(again, **request_)
    assert claims["auth_time"] > time.time() - 100


def test_a_token_that_the_agent_does_not_know_is_renewed(provider, device):
    rp = Rp(provider)
    rp.code(device)
    del provider.world.agent.keys[device.btid, LOGIN, "0100000002"]
    assert until(lambda: provider.authorize(device, **rp.request()).status == 401)


def test_an_agent_that_does_not_answer_is_no_fault_of_the_device(provider, device):
    rp = Rp(provider)
    rp.code(device)
    provider.world.agent.error = 20
    try:
        assert rp.came_back(provider.authorize(device, **rp.request()))["error"] == "temporarily_unavailable"
    finally:
        provider.world.agent.error = None


# ---- the two doors

def test_paths_and_methods(provider, device):
    for method, path, want in (("GET", "/token", 405), ("POST", "/jwks", 405), ("GET", "/", 404), ("GET", "/authorize", 404), ("DELETE", "/userinfo", 405),
                               ("GET", "/.well-known/openid-configuration/x", 404)):
        assert provider.call(method, path).status == want
    assert provider.call("POST", "/token", "{}", {"Content-Type": "application/json"}).status == 400
    with Client(provider.proxy.http) as client:
        device.take(client.ask(host=LOGIN))
        assert client.ask("GET", "/token", [device.header("GET", "/token")], host=LOGIN).status == 404
        assert client.ask("PUT", "/authorize", [device.header("PUT", "/authorize")], host=LOGIN).status == 405


def test_no_secret_in_the_log(provider, device):
    rp = Rp(provider)
    code = rp.code(device)
    tokens = rp.redeem(code).json()
    for secret in (code, tokens["access_token"], tokens["id_token"], SECRET, rp.verifier, rp.nonce):
        assert secret not in provider.log() and secret not in provider.proxy.log()
    assert hashlib.sha256(SECRET.encode()).hexdigest() not in provider.log()
    assert provider.process.alive() and PATIENCE
