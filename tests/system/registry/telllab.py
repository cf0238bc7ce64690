# SPDX-License-Identifier: Apache-2.0
"""What tests of notification share: a registry, a receiver of pushed tokens, a reader of server-sent events."""
import http.client
import http.server
import json
import re
import socket
import ssl
import subprocess
import threading

from test_api import Node

from peers import jose
from peers.waiting import page


class Receiver:
    """An HTTPS server that takes tokens; `answers`: what it says to the next requests at its `url`."""

    def __init__(self, realm):
        self.tokens, self.paths, self.answers, self.types, self.refused, self.turn = [], [], [], [], [], 0
        self.lock, self.now, self.most = threading.Lock(), 0, 0  # requests at a time
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                with outer.lock:
                    outer.now += 1
                    outer.most = max(outer.most, outer.now)
                text = self.rfile.read(int(self.headers["Content-Length"])).decode()
                current = self.path.split("?")[0] == outer.path
                status = outer.answers.pop(0) if current and outer.answers else 202
                if not current:
                    pass  # of a subscription that is no more
                elif status == 202:
                    outer.types.append(self.headers["Content-Type"])
                    outer.paths.append(self.path)
                    outer.tokens.append(text)
                else:
                    outer.refused.append(text)
                self.send_response(status)
                body = b'{"err":"invalid_key","description":"no such key"}' if status == 400 else b""
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                with outer.lock:
                    outer.now -= 1  # before: once it has the answer, the next may come
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        key, pem = realm.path("hook.key"), realm.path("hook.pem")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out", pem,
                        "-days", "2", "-subj", "/CN=hook", "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem, key)
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def path(self):
        return "/events/%d" % self.turn

    @property
    def url(self):
        return "https://127.0.0.1:%d%s" % (self.server.server_address[1], self.path)

    def fresh(self):
        """Another URL, and nothing received: what is still on its way to the one before counts no more."""
        self.turn += 1
        for one in (self.tokens, self.paths, self.answers, self.types, self.refused):
            one.clear()


class TellNode(Node):
    """A registry with a receiver beside it; `more`: lines of its configuration."""
    private, more, tries = True, "", 3

    def begin(self, **limits):
        self.receiver = Receiver(self)
        self.more = "".join("%s = %s;\n" % (name.replace("_", "-"), value) for name, value in limits.items())
        self.start_api()
        self.admin, self.agency = self.token("admin"), self.token("agency")
        self.public = bytes.fromhex(self.call("GET", "/.well-known/gba-registry")[1]["public_key"])
        return self

    def start_registry(self, **conf):
        conf["extra"] += 'webhook-ca = "%s";\nwebhook-tries = %d;\nwebhook-retry = 100;\nwebhook-private = %s;\napi-rate = 10000;\n%s%s' % (
            self.path("hook.pem"), self.tries, "true" if self.private else "false",
            "" if "webhook-timeout" in self.more else "webhook-timeout = 30000;\n", self.more)
        self.process = super().start_registry(**conf)
        return self.process

    def kill(self):
        """As the machine would."""
        self.process.kill()

    def good(self, method, path, body=None, token=None, want=200):
        status, answer = self.call(method, path, body, token)
        assert status == want, (method, path, status, answer)
        return answer

    def subscribe(self, token, **members):
        return self.good("POST", "/v1/subscriptions", dict({"name": "s"}, **members), token, 201)["id"]

    def metric(self, name):
        """Of /metrics; labels belong to the name. 0: not there."""
        found = re.findall(r"^%s (\S+)$" % re.escape(name), page("http://%s:9100/metrics" % self.address("registry"))[1], re.M)
        return float(found[0]) if found else 0

    def set_status(self, regdevid, status, reason="by hand"):
        """An administrator decides."""
        device = self.good("GET", "/v1/devices?regdevid=" + regdevid, token=self.admin)["items"][0]["id"]
        return self.good("POST", "/v1/overrides", {"device": device, "status": status, "reason": reason}, self.admin, 201)

    def enquirer(self, seed, name, **members):
        """Registered, approved, and with the session its key opens."""
        self.good("POST", "/v1/enquirer-registrations", {"name": name, "organisation": "Org", "contact": name + "@example.net",
                                                         "use_case": "x", "public_key": jose.public_of(seed).hex()}, want=202)
        made = [one for one in self.good("GET", "/v1/enquirers?limit=1000", token=self.admin)["items"] if one["name"] == name][0]
        assert self.patch("/v1/enquirers/%d" % made["id"], dict({"state": "approved"}, **members), self.admin) == 200
        return made["id"], self.session(seed)

    def session(self, seed):
        asked = self.good("POST", "/v1/challenges", {"public_key": jose.public_of(seed).hex()}, want=201)
        said = "gba-registry-challenge %s %s" % (asked["reg_id"], asked["challenge"])
        return self.good("POST", "/v1/sessions", {"challenge": asked["challenge"], "signature": jose.sign(seed, said.encode()).hex()},
                         want=201)["token"]

    def claims(self, token):
        """What a token that the registry signed says."""
        header, payload = jose.read(token, self.public)
        assert header["typ"] == "secevent+jwt"
        said = json.loads(payload)
        assert said["iss"] == "IN1" and len(said["events"]) == 1
        return said

    def patch(self, path, body, token):
        return self.patch_all([path], body, token)

    def patch_all(self, paths, body, token):
        """Over one connection; the last status."""
        tls = ssl.create_default_context(cafile=self.pem)
        tls.check_hostname = False
        link = http.client.HTTPSConnection(self.address("registry"), self.port, context=tls, timeout=60)
        status = 0
        for path in paths:
            link.request("PATCH", path, json.dumps(body), {"Content-Type": "application/merge-patch+json", "If-Match": "*",
                                                           "Authorization": "Bearer " + token})
            answer = link.getresponse()
            answer.read()
            status = answer.status
        link.close()
        return status


class Stream:
    """Python's HTTPS client reads server-sent events (HTML 9.2) until the server ends them, or close()."""

    def __init__(self, node, subscription, token, after=None, form="json"):
        tls = ssl.create_default_context(cafile=node.pem)
        tls.check_hostname = False
        self.link = http.client.HTTPSConnection(node.address("registry"), node.port, context=tls, timeout=120)
        head = {"Authorization": "Bearer " + token, "Accept": "text/event-stream"}
        if after is not None:
            head["Last-Event-ID"] = str(after)
        self.link.connect()
        self.sock = self.link.sock
        self.link.request("GET", "/v1/subscriptions/%d/events?form=%s" % (subscription, form), headers=head)
        self.answer = self.link.getresponse()
        self.status, self.kind = self.answer.status, self.answer.getheader("Content-Type")
        self.events, self.comments, self.last, self.ended = [], 0, after, False
        if self.status == 200:
            threading.Thread(target=self._read, daemon=True).start()
        else:
            self.problem = json.loads(self.answer.read())

    def _read(self):
        fields = {}
        try:
            for line in self.answer:
                name, _, value = line.decode().rstrip("\n").partition(":")
                if line.startswith(b":"):
                    self.comments += 1
                elif name:
                    fields[name] = value[1:] if value.startswith(" ") else value
                else:
                    self.last = int(fields.get("id", self.last or 0))
                    if "data" in fields:
                        self.events.append(fields)
                    fields = {}
        except (OSError, ValueError, AttributeError, http.client.HTTPException):
            pass  # cut off, or closed here meanwhile: http.client's own end of it is then any of these
        self.ended = True

    def subjects(self):
        return [json.loads(event["data"])["sub_id"]["id"] for event in list(self.events)]

    def ids(self):
        return [int(event["id"]) for event in list(self.events)]

    def close(self):
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # the server was first
