# SPDX-License-Identifier: Apache-2.0
"""A node that serves the REST API, and two independent clients: Python's http.client and curl."""
import http.client
import json
import os
import re
import ssl
import subprocess
import sys
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
sys.path.insert(0, os.path.join(TOP, "tests/system/zh"))
import zhlab  # noqa: E402

BUILD = os.environ.get("GBA_BUILD", os.path.join(TOP, "build"))
REALM = {"realm": "operator.example", "name": "Operator & Sons", "bsf_identity": "bsf.operator.example",
         "bsf_url": "http://bsf.pub.operator.example/", "hss_identity": "hss.operator.example",
         "alias_domain": "apps.operator.example", "token_lifetime": 3600}
ADMIN, ASP, USER = "admin", "asp", "subscriber"


def wait_until(condition, what, timeout=30):
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.05)
    raise AssertionError("not within %d s: %s" % (timeout, what))


def openssl(*words, stdin=None):
    return subprocess.run(["openssl", *words], input=stdin, check=True, capture_output=True, text=True).stdout


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return "%d %r" % (self.status, self.body[:600])


class Caller:
    """A caller with a token, a certificate, or neither."""

    def __init__(self, node, token=None, cert=None):
        self.node, self.token, self.connection = node, token, None
        self.tls = ssl.create_default_context(cafile=node.server_pem)
        self.tls.check_hostname = False
        if cert:
            self.tls.load_cert_chain(*cert)

    def call(self, method, path, body=None, headers=(), want=None, raw=None):
        head = dict(headers)
        if self.token:
            head.setdefault("Authorization", "Bearer " + self.token)
        if body is not None:
            head.setdefault("Content-Type", "application/json")
            raw = json.dumps(body).encode()
        for attempt in range(2):
            if self.connection is None:
                self.connection = http.client.HTTPSConnection("127.0.0.1", self.node.port, context=self.tls, timeout=60)
            try:
                self.connection.request(method, path, raw, head)
                got = self.connection.getresponse()
                answer = Answer(got.status, {k.lower(): v for k, v in got.getheaders()}, got.read())
                break
            except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
                self.connection.close()
                self.connection = None
                if attempt:
                    raise
        if answer.headers.get("connection", "").lower() == "close":
            self.connection.close()
            self.connection = None
        if want is not None:
            assert answer.status == want, (method, path, answer)
        return answer

    def get(self, path, want=200, **kw):
        return self.call("GET", path, want=want, **kw)

    def post(self, path, body=None, want=201, **kw):
        return self.call("POST", path, {} if body is None else body, want=want, **kw)

    def patch(self, path, body, etag, want=200):
        return self.call("PATCH", path, body, {"If-Match": etag} if etag else {}, want=want)

    def delete(self, path, etag="*", want=204):
        return self.call("DELETE", path, headers={"If-Match": etag} if etag else {}, want=want)


class Api:
    """hss_stub.fdx with the REST API on a free port, its CA, and its first administrator."""

    def __init__(self, folder, conf="", ca=True):
        self.folder = str(folder)
        os.makedirs(self.folder, exist_ok=True)
        self.server_pem, self.server_key = os.path.join(self.folder, "api.pem"), os.path.join(self.folder, "api.key")
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", self.server_key,
                "-out", self.server_pem, "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1")
        self.ca, self.drop = os.path.join(self.folder, "ca"), os.path.join(self.folder, "drop")
        os.makedirs(self.drop, exist_ok=True)
        text = ('api-listen = "127.0.0.1:0";\napi-cert = "%s";\napi-key = "%s";\nmail-drop = "%s";\nlog-file = "%s";\n%s%s'
                % (self.server_pem, self.server_key, self.drop, os.path.join(self.folder, "hss.log"),
                   'ca-dir = "%s";\n' % self.ca if ca else "", conf))
        self.node = zhlab.Node(folder, conf=text, start=False)
        if ca:
            self.ctl("ca", "init")
        self.port = None

    def ctl(self, *words, **kw):
        out = subprocess.run([os.path.join(BUILD, "tools/gba-ctl/gba-ctl"), "--config", self.node.conf, *words],
                             capture_output=True, text=True, timeout=120, check=False, **kw)
        assert out.returncode == 0, (words, out.returncode, out.stdout, out.stderr)
        return out.stdout

    def start(self):
        self.node.start()
        found = wait_until(lambda: re.findall(r"REST API on port (\d+)", self.log()), "the API listens")
        self.port = int(found[-1])
        return self

    def log(self):
        path = os.path.join(self.folder, "hss.log")
        if not os.path.exists(path):
            return ""
        with open(path, encoding="utf-8", errors="replace") as text:
            return text.read()

    def stop(self):
        return self.node.stop()

    def invite(self):
        return json.loads(self.ctl("admin", "invite", "--json"))["invitation"]

    def admin(self, name="root"):
        token = Caller(self, self.invite()).post("/v1/invitation", {"name": name}).json()["token"]
        return Caller(self, token)

    def subscriber(self, impi):
        self.node.add(impi)
        return impi


def asp(admin, node, identity="U72200KA2011PTC060001", name="Meters Ltd", **more):
    """An active ASP and a caller with its token."""
    record = admin.post("/v1/asps", dict({"type": "cin", "identity": identity, "name": name}, **more)).json()
    token = admin.post("/v1/asps/%d/credentials" % record["id"], {"name": "test"}).json()["token"]
    return record, Caller(node, token)


def user(admin, node, account, level=2, **more):
    """A verified user and a caller with its token."""
    case = admin.post("/v1/verifications", {"reference": "case-" + account, "name": account.title(), "verifier": "desk 4", "level": level,
                                            "address": "1 Main Street", "document_kind": "passport",
                                            "document_number": "P" + account.upper()}).json()
    record = admin.post("/v1/users", dict({"account": account, "verification": case["id"]}, **more)).json()
    token = admin.post("/v1/users/%d/credentials" % record["id"], {"name": "phone"}).json()["token"]
    return record, Caller(node, token)


def luhn(body):
    """The digit that makes a Luhn number (ISO/IEC 7812-1) of body."""
    total = sum(sum(divmod(int(c) * (2 - i % 2), 10)) for i, c in enumerate(reversed(body)))
    return str(-total % 10)


def imei(number):
    body = "%014d" % (35209900000000 + number)
    return body + luhn(body)


def device(admin, impi, custodian, number):
    """A device with an IMEI, registered to a user."""
    shown = admin.post("/v1/authentications", {"reference": "auth-%d" % number, "method": "aka", "authenticator": "lab",
                                               "identities": ["imei:" + imei(number)]}).json()
    return admin.post("/v1/devices", {"impi": impi, "custodian": custodian, "authentication": shown["id"], "name": "Meter %d" % number}).json()
