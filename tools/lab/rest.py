# SPDX-License-Identifier: Apache-2.0
"""A caller of the authorization element's REST API, and where the API of a laboratory's realm is."""
import http.client
import json
import os
import ssl

API_PORT = 8443


class Refused(RuntimeError):
    """The API's answer was a problem (RFC 9457)."""

    def __init__(self, what, status, problem):
        super().__init__("%s: %d %s" % (what, status, problem.get("detail") or problem.get("title") or problem))
        self.status, self.problem = status, problem


class Caller:
    """One person or program; `token` None: anybody."""

    def __init__(self, address, ca, token=None, port=API_PORT):
        self.address, self.port, self.ca, self.token = address, port, ca, token
        self.tls = ssl.create_default_context(cafile=ca)
        self.tls.check_hostname = False  # addresses, not names, on the loopback

    def become(self, token):
        return Caller(self.address, self.ca, token, self.port)

    def call(self, method, path, body=None, raw=False, **headers):
        head = {"Content-Type": "application/json"} if body is not None else {}
        head.update({name.replace("_", "-"): value for name, value in headers.items()})
        if self.token:
            head["Authorization"] = "Bearer " + self.token
        connection = http.client.HTTPSConnection(self.address, self.port, context=self.tls, timeout=30)
        try:
            connection.request(method, path, None if body is None else json.dumps(body), head)
            answer = connection.getresponse()
            octets = answer.read()
        finally:
            connection.close()
        if answer.status >= 400:
            raise Refused("%s %s" % (method, path), answer.status, json.loads(octets) if octets.startswith(b"{") else {"detail": octets[:200]})
        return octets if raw else json.loads(octets or b"null")

    def get(self, path, **more):
        return self.call("GET", path, **more)

    def post(self, path, body=None, **more):
        return self.call("POST", path, {} if body is None else body, **more)

    def patch(self, record, kind, changes):
        return self.call("PATCH", "/v1/%s/%d" % (kind, record["id"]), changes, If_Match='"%d"' % record["rev"])


def conf(realm):
    """Items of hss.conf that serve the API, with a CA of the realm and a folder for letters."""
    cert, key = realm.authority.issue("api." + realm.path().rstrip("/").rsplit("/", 1)[-1].replace("_", "-") + ".example")
    os.makedirs(realm.path("letters"), exist_ok=True)
    realm.ctl("ca", "init", "--ca-dir", realm.path("ca"))
    return ('api-listen = "%s:%d";\napi-cert = "%s";\napi-key = "%s";\nca-dir = "%s";\nmail-drop = "%s";\n'
            % (realm.address("hss"), API_PORT, cert, key, realm.path("ca"), realm.path("letters")))


def first_administrator(realm):
    """Nobody has a credential before this: a one-time invitation, exchanged for a token."""
    invitation = json.loads(realm.ctl("admin", "invite", "--json"))["invitation"]
    anybody = Caller(realm.address("hss"), realm.authority.ca)
    return anybody, anybody.become(anybody.become(invitation).post("/v1/invitation", {"name": "operator"})["token"])


def letters(realm, drop):
    """Subjects of the letters that lie there."""
    folder = realm.path("letters", drop)
    found = []
    for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
        if name.endswith(".eml"):
            with open(os.path.join(folder, name), encoding="utf-8", errors="replace") as text:
                found += [line[9:].strip() for line in text if line.startswith("Subject: ")]
    return found
