# SPDX-License-Identifier: Apache-2.0
"""A node that serves the REST API, and two independent clients: Python's http.client and curl."""
import glob
import http.client
import http.server
import json
import os
import re
import socket
import ssl
import subprocess
import sys
import threading
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


def listens(port):
    try:
        socket.create_connection(("127.0.0.1", port), 30).close()
        return True
    except OSError:
        return False


def openssl(*words, stdin=None):
    return subprocess.run(["openssl", *words], input=stdin, check=True, capture_output=True, text=True).stdout


class Hook:
    """An HTTPS server that takes webhooks: what came is in `seen`; the first `refuse` posts to a path get 500."""

    def __init__(self, folder):
        self.pem, key = os.path.join(folder, "hook.pem"), os.path.join(folder, "hook.key")
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out", self.pem, "-days",
                "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost")
        self.seen, self.refuse = [], {}
        hook = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                hook.seen.append((self.path, dict(self.headers), body))
                left = hook.refuse.get(self.path, 0)
                hook.refuse[self.path] = left - 1
                self.send_response(500 if left > 0 else 204)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(self.pem, key)
        self.server.socket = tls.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def url(self, path):
        return "https://localhost:%d%s" % (self.port, path)

    def of(self, path):
        return [entry for entry in list(self.seen) if entry[0] == path]

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


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
                self.connection = http.client.HTTPSConnection("127.0.0.1", self.node.port, context=self.tls, timeout=180)
            try:
                self.connection.request(method, path, raw, head)
                got = self.connection.getresponse()
                answer = Answer(got.status, {k.lower(): v for k, v in got.getheaders()}, got.read())
                break
            except (http.client.HTTPException, OSError) as error:
                self.connection.close()
                self.connection = None
                if attempt or not isinstance(error, (http.client.RemoteDisconnected, ConnectionError)):
                    raise
        if answer.headers.get("connection", "").lower() == "close":
            self.connection.close()
            self.connection = None
        if want is not None:
            assert answer.status == want, (method, path, answer)
        return answer

    def announce(self, path, length, headers=()):
        """POST that only announces its body: the status of the answer before any of it was sent."""
        head = dict({"Host": "localhost", "Content-Type": "application/json", "Content-Length": str(length)}, **dict(headers))
        if self.token:
            head["Authorization"] = "Bearer " + self.token
        with socket.create_connection(("127.0.0.1", self.node.port), 30) as raw, self.tls.wrap_socket(raw) as sock:
            sock.sendall(("POST %s HTTP/1.1\r\n%s\r\n" % (path, "".join("%s: %s\r\n" % item for item in head.items()))).encode())
            answer = http.client.HTTPResponse(sock)
            answer.begin()
            return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())

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

    def __init__(self, folder, conf="", ca=True, postgres=None, name="api", identity=zhlab.HSS, data=None):
        """postgres: the records are there, in a schema of this name, and not in a file. data: folder of the key file."""
        self.folder, self.postgres, self.schema = str(folder), postgres, name
        os.makedirs(self.folder, exist_ok=True)
        self.server_pem, self.server_key = os.path.join(self.folder, "api.pem"), os.path.join(self.folder, "api.key")
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", self.server_key,
                "-out", self.server_pem, "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1")
        self.ca, self.drop = os.path.join(self.folder, "ca"), os.path.join(self.folder, "drop")
        os.makedirs(self.drop, exist_ok=True)
        self.audit = os.path.join(self.folder, "hss.db.audit")
        conf += 'audit-log = "%s";\n' % self.audit
        text = ('api-listen = "127.0.0.1:0";\napi-cert = "%s";\napi-key = "%s";\nmail-drop = "%s";\nlog-file = "%s";\n%s%s'
                % (self.server_pem, self.server_key, self.drop, os.path.join(self.folder, "hss.log"),
                   'ca-dir = "%s";\n' % self.ca if ca else "", conf))
        self.node = zhlab.Node(folder, conf=text, start=False, identity=identity, data=data, db=postgres.url(name) if postgres else None)
        if ca:
            self.ctl("ca", "init")
        self.port = None

    def ctl(self, *words, **kw):
        out = subprocess.run([os.path.join(BUILD, "tools/gba-ctl/gba-ctl"), "--config", self.node.conf, *words],
                             capture_output=True, text=True, timeout=120, check=False, **kw)
        assert out.returncode == 0, (words, out.returncode, out.stdout, out.stderr)
        return out.stdout

    def start(self):
        before = len(self.ports())
        self.node.start()
        self.port = wait_until(lambda: self.ports()[before:], "the API listens")[-1]
        return self

    def ports(self):
        """The API's, of each start."""
        return [int(port) for port in re.findall(r"REST API on port (\d+)\b", self.log())]

    def start_quiet(self):
        """With a port chosen here: the log does not tell it."""
        self.port = zhlab.free_port()
        with open(self.node.conf, encoding="ascii") as conf:
            text = conf.read().replace("127.0.0.1:0", "127.0.0.1:%d" % self.port)
        with open(self.node.conf, "w", encoding="ascii") as conf:
            conf.write(text)
        self.node.start()
        wait_until(lambda: listens(self.port), "the API listens")
        return self

    def log(self):
        path = os.path.join(self.folder, "hss.log")
        if not os.path.exists(path):
            return ""
        with open(path, encoding="utf-8", errors="replace") as text:
            return text.read()

    def octets(self):
        """All the database has written, and the audit log."""
        paths = [self.audit]
        if self.postgres:
            self.postgres.sql("CHECKPOINT")
            paths += glob.glob(os.path.join(self.postgres.data, "base", "*", "*")) + \
                glob.glob(os.path.join(self.postgres.data, "pg_wal", "0*"))
        else:
            paths += glob.glob(self.node.db + "*")
        found = []
        for path in paths:
            with open(path, "rb") as data:
                found.append(data.read())
        return b"".join(found)

    def rows(self, table):
        """Of a table on PostgreSQL, bytes as they are."""
        return self.postgres.sql("SET bytea_output = 'escape'; SELECT * FROM %s.%s" % (self.schema, table)).stdout.encode()

    def stop(self):
        return self.node.stop()

    def invite(self):
        return json.loads(self.ctl("admin", "invite", "--json"))["invitation"]

    def admin(self, name="root"):
        token = Caller(self, self.invite()).post("/v1/invitation", {"name": name}).json()["token"]
        return Caller(self, token)

    def subscriber(self, impi):
        self.ctl("subscriber", "add", impi, "--k-file", "-", "--op-file", "-", input="%s\n%s\n" % (zhlab.K.hex(), zhlab.OP.hex()))
        return impi

    def record(self, impi):
        return json.loads(self.ctl("subscriber", "show", impi, "--json"))


def asp(admin, node, identity="U72200KA2011PTC060001", name="Meters Ltd", **more):
    """An active ASP and a caller with its token. Names are one ASP's each."""
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
