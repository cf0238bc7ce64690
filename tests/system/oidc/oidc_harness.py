# SPDX-License-Identifier: Apache-2.0
"""A provider with gba-naf-proxy before it, a relying party and its arithmetic in plain Python and openssl, nothing of ours."""
import base64
import hashlib
import html.parser
import http.client
import json
import os
import secrets
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.parse

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
sys.path[:0] = [os.path.join(TOP, "tests", "system", "proxy"), os.path.join(TOP, "tests"), os.path.join(TOP, "tools")]
from proxy_harness import (BUILD, HOST, PATIENCE, Application, Authority, Client, Digest, FakeAgent, PROXY, Process, Proxy,  # noqa: E402,F401
                           free_port, port_open, q, undisturbed, until)

OIDC = os.path.join(BUILD, "naf-adapter/oidc/gba-naf-oidc")
LOGIN = "login.example.com"  # where devices come: the NAF
SECRET, OTHER_SECRET = "s3cret/with:odd&chars+" + "x" * 20, "another one of many octets, 0123456789"
CALLBACK = "https://app.example.com/callback"


def b64(octets):
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def unb64(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def hash_of(secret):
    return hashlib.sha256(secret.encode()).hexdigest()


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def json(self):
        return json.loads(self.body)


class Form(html.parser.HTMLParser):
    """What a browser would send when the page's form is submitted."""

    def __init__(self, page):
        super().__init__()
        self.action, self.method, self.fields, self.submits = None, None, {}, False
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if tag == "form":
            self.action, self.method = attrs["action"], attrs["method"]
        if tag == "input" and attrs["type"] == "hidden":
            self.fields[attrs["name"]] = attrs["value"]
        if tag == "body":
            self.submits = attrs.get("onload") == "document.forms[0].submit()"


class Provider:
    """gba-naf-oidc and the proxy's site before it. Clients: web (secret), spa (public), other (secret, pairwise), signed (private_key_jwt)."""

    def __init__(self, world, folder, site=None, **items):
        self.world, self.folder = world, str(folder)
        os.makedirs(self.folder, exist_ok=True)
        self.port = free_port()
        self.issuer = "https://localhost:%d" % self.port
        self.socket = os.path.join(self.folder, "oidc.sock")
        cert, key = world.authority.issue("localhost")
        self.redirect_uris = [CALLBACK, CALLBACK + "?fixed=1"] + items.pop("more_uris", [])
        self.bye = items.pop("bye", [])
        self.client_key = os.path.join(self.folder, "client.key")
        subprocess.run(["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", self.client_key], check=True)
        public = subprocess.run(["openssl", "pkey", "-in", self.client_key, "-pubout"], check=True, capture_output=True).stdout
        with open(os.path.join(self.folder, "client.pub"), "wb") as out:
            out.write(public)
        self.items = {"issuer": q(self.issuer), "authorize-url": q("https://%s/authorize" % LOGIN), "device-socket": q(self.socket),
                      "listen": q("%s:%d" % (HOST, self.port)), "agent-timeout": "30000", "certificate": q(cert), "private-key": q(key), "gsids": '[ "1000001" ]',
                      "agent-socket": q(str(world.folder / "agent.sock")), "keys": q(os.path.join(self.folder, "keys")), "log-level": q("debug")}
        self.items.update({name.replace("_", "-"): value for name, value in items.items()})
        self.conf = os.path.join(self.folder, "oidc.conf")
        self.write()
        self.process = Process("oidc", [OIDC, "-c", self.conf], os.path.join(self.folder, "oidc.out"), env={"GBA_COREDUMP": "1"})
        self.proxy_site = dict({"upstream": q("unix:" + self.socket), "token-info": "true", "token-control": "true",
                                "identity": q("uids")}, **(site or {}))
        self.proxy = None

    def write(self):
        def client(name, **more):
            uris = "[ %s ]" % ", ".join(map(q, self.redirect_uris))
            return "{ id = %s; redirect-uris = %s; %s }" % (q(name), uris, " ".join("%s = %s;" % item for item in more.items()))
        clients = [client("web", **{"secret-sha256": '[ "%s", "%s" ]' % (hash_of("an older one"), hash_of(SECRET)), "require-pkce": "false",
                                    "identities": "true", "post-logout-redirect-uris": "[ %s ]" % ", ".join(map(q, self.bye))}),
                   client("stays", **{"secret-sha256": '[ "%s" ]' % hash_of(SECRET), "refresh-tokens": "true",
                                      "post-logout-redirect-uris": '[ "https://app.example.com/bye", "https://app.example.com/bye?a=b" ]'}),
                   client("spa"), client("other", subject=q("pairwise"), **{"secret-sha256": '[ "%s" ]' % hash_of(OTHER_SECRET), "require-pkce": "false"}),
                   client("signed", key=q(os.path.join(self.folder, "client.pub")), subject=q("pairwise"), sector=q("other"), **{"require-pkce": "false"})]
        with open(self.conf, "w", encoding="utf-8") as out:
            out.write("".join("%s = %s;\n" % item for item in self.items.items()))
            out.write("clients = (\n%s );\n" % ",\n".join(clients))

    def start(self):
        self.process.start()
        assert until(lambda: not self.process.alive() or (port_open(HOST, self.port) and os.path.exists(self.socket)), 2 * PATIENCE)
        assert self.process.alive(), self.process.log_text()
        if self.proxy is None:
            self.proxy = self.world.proxy([self.world.site(LOGIN, **{k.replace("-", "_"): v for k, v in self.proxy_site.items()})], workers=1)
        return self

    def stop(self):
        code = self.process.stop(PATIENCE)
        text = self.process.log_text()
        assert "ERROR: AddressSanitizer" not in text and "runtime error" not in text and "LeakSanitizer" not in text, text[-6000:]
        return code

    def log(self):
        return self.process.log_text()

    def tells(self, what):
        """Is this in the log, or about to be?"""
        return until(lambda: what in self.log())

    # -- what a device does

    def device(self, number, **values):
        values.setdefault("uss", {1000001: (["asp-pseudonym-%d" % number], [])})
        btid, key = self.world.agent.add(number, LOGIN, **values)
        return Digest(btid, key)

    def authorize(self, device, method="GET", **request):
        """The answer to an authentication request of this device, through the proxy."""
        query = urllib.parse.urlencode({k: v for k, v in request.items() if v is not None})
        target = "/authorize?" + query if method == "GET" else "/authorize"
        body = query.encode() if method == "POST" else b""
        form = ["Content-Type: application/x-www-form-urlencoded"] if method == "POST" else []
        with Client(self.proxy.http) as client:
            if device.challenge is None:
                device.take(client.ask(host=LOGIN))
            return client.ask(method, target, [device.header(method, target, body)] + form, body, host=LOGIN)

    # -- what a client does

    def call(self, method, path, body=None, headers=()):
        context = ssl.create_default_context(cafile=self.world.ca)
        connection = http.client.HTTPSConnection("localhost", self.port, context=context, timeout=PATIENCE)
        try:
            connection.request(method, path, body, dict(headers))
            reply = connection.getresponse()
            return Answer(reply.status, reply.headers, reply.read())
        finally:
            connection.close()

    def post(self, path, fields, headers=()):
        body = urllib.parse.urlencode(fields)
        return self.call("POST", path, body, dict({"Content-Type": "application/x-www-form-urlencoded"}, **dict(headers)))

    def keys(self):
        return self.call("GET", "/jwks").json()["keys"]


def basic(client, secret):
    """RFC 6749 2.3.1: both encoded as in a form, then as any Basic credential."""
    text = urllib.parse.quote_plus(client) + ":" + urllib.parse.quote_plus(secret)
    return {"Authorization": "Basic " + base64.b64encode(text.encode()).decode()}


class Rp:
    """A relying party: OpenID Connect Core 3.1.2 to 3.1.3.7 as a client has to do it."""

    def __init__(self, provider, client="web", secret=SECRET, redirect_uri=CALLBACK):
        self.provider, self.client, self.secret, self.redirect_uri = provider, client, secret, redirect_uri
        self.verifier, self.state, self.nonce = b64(secrets.token_bytes(32)), b64(secrets.token_bytes(16)), b64(secrets.token_bytes(16))

    def request(self, **change):
        fields = {"client_id": self.client, "redirect_uri": self.redirect_uri, "response_type": "code", "scope": "openid", "state": self.state,
                  "nonce": self.nonce, "code_challenge": b64(hashlib.sha256(self.verifier.encode()).digest()), "code_challenge_method": "S256"}
        fields.update(change)
        return fields

    def came_back(self, reply):
        """Parameters of the redirection; the mix-up of issuers is noticed here (RFC 9207 2.4)."""
        assert reply.status == 302, (reply.status, reply.body)
        assert reply.get("cache-control") == "no-store" and reply.get("referrer-policy") == "no-referrer"
        target, _, query = reply.get("location").partition("?")
        assert target == self.redirect_uri.partition("?")[0]
        fields = urllib.parse.parse_qs(query, strict_parsing=True)
        assert all(len(values) == 1 for values in fields.values())
        fields = {name: values[0] for name, values in fields.items()}
        assert fields.pop("iss") == self.provider.issuer and fields.pop("state", None) == self.state
        return fields

    def code(self, device, **change):
        return self.came_back(self.provider.authorize(device, **self.request(**change)))["code"]

    def redeem(self, code, headers=None, **change):
        fields = {"grant_type": "authorization_code", "code": code, "redirect_uri": self.redirect_uri, "code_verifier": self.verifier}
        if self.secret is None:
            fields["client_id"] = self.client
        fields.update(change)
        if headers is None:
            headers = basic(self.client, self.secret) if self.secret is not None else {}
        return self.provider.post("/token", {k: v for k, v in fields.items() if v is not None}, headers)

    def login(self, device, **change):
        """The whole of it: (claims of the ID Token, checked; the token response)."""
        answer = self.redeem(self.code(device, **change))
        assert answer.status == 200, answer.body
        assert answer.headers["Cache-Control"] == "no-store"
        return self.check(answer.json()), answer.json()

    def check(self, tokens):
        claims = verify(tokens["id_token"], self.provider.keys())
        assert claims["iss"] == self.provider.issuer and claims["aud"] == self.client and claims["nonce"] == self.nonce
        assert claims["at_hash"] == b64(hashlib.sha256(tokens["access_token"].encode()).digest()[:16])
        assert tokens["token_type"] == "Bearer"
        return claims

    def userinfo(self, access):
        return self.provider.call("GET", "/userinfo", headers={"Authorization": "Bearer " + access})


# ---- signatures, by openssl

def der(tag, *parts):
    body = b"".join(parts)
    length = bytes([len(body)]) if len(body) < 128 else (lambda n: bytes([0x80 | len(n)]) + n)(len(body).to_bytes((len(body).bit_length() + 7) // 8, "big"))
    return bytes([tag]) + length + body


def der_number(octets):
    octets = octets.lstrip(b"\0") or b"\0"
    return der(2, (b"\0" if octets[0] & 0x80 else b"") + octets)


def public_pem(jwk):
    """SubjectPublicKeyInfo (RFC 5280) of a JWK."""
    if jwk["kty"] == "RSA":
        algorithm = der(0x30, bytes.fromhex("06092a864886f70d010101"), der(5))
        key = der(0x30, der_number(unb64(jwk["n"])), der_number(unb64(jwk["e"])))
    else:
        assert jwk["crv"] == "P-256"
        algorithm = der(0x30, bytes.fromhex("06072a8648ce3d0201"), bytes.fromhex("06082a8648ce3d030107"))
        key = b"\x04" + unb64(jwk["x"]).rjust(32, b"\0") + unb64(jwk["y"]).rjust(32, b"\0")
    text = base64.encodebytes(der(0x30, algorithm, der(3, b"\0" + key))).decode()
    return "-----BEGIN PUBLIC KEY-----\n%s-----END PUBLIC KEY-----\n" % text


def openssl_verify(pem, message, signature):
    with tempfile.TemporaryDirectory() as folder:
        for name, octets in (("key", pem.encode()), ("sig", signature)):
            with open(os.path.join(folder, name), "wb") as out:
                out.write(octets)
        done = subprocess.run(["openssl", "dgst", "-sha256", "-verify", os.path.join(folder, "key"), "-signature", os.path.join(folder, "sig")],
                              input=message, capture_output=True)
    return done.returncode == 0


class Refused(Exception):
    pass


def verify(token, keys):
    """Claims of an ID Token, with the algorithm the key is for and no other."""
    header, payload, signature = token.split(".")
    head = json.loads(unb64(header))
    jwk = next((key for key in keys if key["kid"] == head.get("kid")), None)
    if jwk is None or head.get("alg") != jwk["alg"] or head["alg"] not in ("RS256", "ES256"):
        raise Refused("algorithm %r, key %r" % (head.get("alg"), head.get("kid")))
    octets = unb64(signature)
    if head["alg"] == "ES256":
        assert len(octets) == 64
        octets = der(0x30, der_number(octets[:32]), der_number(octets[32:]))
    if not openssl_verify(public_pem(jwk), (header + "." + payload).encode(), octets):
        raise Refused("signature")
    members = {"RSA": ("e", "kty", "n"), "EC": ("crv", "kty", "x", "y")}[jwk["kty"]]
    canonical = json.dumps({name: jwk[name] for name in members}, sort_keys=True, separators=(",", ":")).encode()
    assert jwk["kid"] == b64(hashlib.sha256(canonical).digest())  # RFC 7638
    return json.loads(unb64(payload))


def assertion(provider, head=None, sign=True, **change):
    """private_key_jwt (RFC 7523) of client `signed`, by openssl."""
    claims = {"iss": "signed", "sub": "signed", "aud": provider.issuer + "/token", "exp": int(time.time()) + 60, "jti": b64(secrets.token_bytes(12))}
    claims.update(change)
    text = b64(json.dumps(head or {"alg": "ES256"}).encode()) + "." + b64(json.dumps({k: v for k, v in claims.items() if v is not None}).encode())
    if not sign:
        return text + "."
    signature = subprocess.run(["openssl", "dgst", "-sha256", "-sign", provider.client_key], input=text.encode(), capture_output=True, check=True).stdout
    body, numbers = signature[2:], []
    for _ in range(2):
        n = body[1]
        numbers.append(body[2:2 + n].lstrip(b"\0").rjust(32, b"\0"))
        body = body[2 + n:]
    return text + "." + b64(b"".join(numbers))
