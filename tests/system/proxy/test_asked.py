# SPDX-License-Identifier: Apache-2.0
"""Web servers that ask about requests: nginx and HAProxy with the guide's own configuration, and questions by hand."""
import os
import re
import subprocess

import pytest

from peers.digest import parameters
from proxy_harness import BTID_UNKNOWN, HOST, HTTP_DIGEST, NAF, PROXY, TOP, UNREACHABLE, Client, Digest, Process, free_port, header, \
    port_open, q, tls_client, ua_id, until

SUITE, TLS12 = "ECDHE-RSA-AES128-GCM-SHA256", "1.2"
WAYS = {"original": ("method X-Original-Method", "target X-Original-URI", "host Host", "address X-Real-IP"),
        "forwarded": ("method X-Forwarded-Method", "target X-Forwarded-Uri", "host X-Forwarded-Host", "address X-Forwarded-For"),
        "itself": ()}


def guide(language):
    with open(os.path.join(TOP, "doc", "asp-guide.md"), encoding="utf-8") as text:
        (block,) = re.findall(r"```%s\n(.*?)```" % language, text.read(), re.S)
    return block


class Asked:
    """The proxy with a listener for each way; `ask` is what a web server does."""

    def __init__(self, world):
        self.ports = {way: free_port() for way in WAYS}
        tls = {"original": "suite", "forwarded": "digest", "itself": "suite"}
        self.proxy = world.proxy([{"fqdn": q(NAF), "gsids": '[ "1000001" ]'}], listeners={
            port: 'tls = false; authorization = "%s"; authorization-tls = "%s";' % (way, tls[way]) for way, port in self.ports.items()})

    def ask(self, way, digest=None, method="GET", target="/a?b=c", host=NAF, address="192.0.2.7", extra=(), **change):
        said = {"method": method, "target": target, "host": host, "address": address, "suite": SUITE}
        said.update(change)
        lines = ["%s: %s" % (name, said[what]) for what, name in map(str.split, WAYS[way]) if said[what] is not None and name != "Host"]
        if way != "forwarded" and said["suite"]:
            lines.append("X-GBA-TLS-Suite: " + said["suite"])
        if digest:
            lines.append(digest.header(method or "GET", target or "/"))
        with Client(self.ports[way]) as client:
            own = ("GET", "/gba") if way != "itself" else (method, target)
            return client.ask(*own, headers=lines + list(extra), host="gba" if way == "forwarded" else host)


@pytest.fixture(scope="module")
def asked(world):
    return Asked(world)


def device(world, number, way, **values):
    suite = HTTP_DIGEST if way == "forwarded" else ua_id(0xc02f)
    return Digest(*world.agent.add(number, ua_id=suite, uss={1000001: (["sip:%d@lab.test" % number], [])}, **values))


@pytest.mark.parametrize("way,method,number", [(way, method, 700 + 3 * i + j) for i, way in enumerate(WAYS)
                                               for j, method in enumerate(("GET", "POST", "HEAD"))])
def test_good_and_bad(world, asked, way, method, number):
    """The answer is what the web server acts on: identity, the device's proof, the challenge."""
    digest = device(world, number, way)
    challenge = asked.ask(way, method=method)
    offered = parameters(header(challenge.head, "www-authenticate")[0])
    assert challenge.status == 401 and offered["qop"] == "auth" and offered["realm"] == "3GPP-bootstrapping@" + NAF
    good = asked.ask(way, digest.take(challenge), method=method)
    assert good.status == 200 and good.get("X-3GPP-Asserted-Identity") == '"sip:%d@lab.test"' % number
    assert good.get("X-Forwarded-User") == "sip:%d@lab.test" % number and "rspauth=" in good.get("Authentication-Info")
    assert world.agent.sources[-1] == ("192.0.2.7" if way != "itself" else HOST)
    line = digest.header(method, "/a?b=c")
    assert asked.ask(way, method=method, target="/other", extra=[line]).status == 400  # uri is not the target
    assert asked.ask(way, method="PUT", extra=[line]).status == 401
    assert asked.ask(way, method=method, extra=[line]).status == 200
    assert asked.ask(way, method=method, extra=[line]).status == 401  # replayed
    digest.password = b"wrong"
    assert asked.ask(way, digest, method=method).status == 401


def test_refusals_and_faults(world, asked):
    digest = device(world, 720, "original").take(asked.ask("original"))
    assert asked.ask("original", digest, extra=["X-3GPP-Intended-Identity: \"sip:other@lab.test\""]).status == 403
    assert asked.ask("original", host="elsewhere.example").status == 421
    world.agent.error = UNREACHABLE
    fault = asked.ask("original", device(world, 721, "original").take(asked.ask("original")))
    world.agent.error = None
    assert fault.status == 503 and fault.get("Retry-After")
    world.agent.error = BTID_UNKNOWN
    assert asked.ask("original", device(world, 722, "original").take(asked.ask("original"))).status == 401
    world.agent.error = None


@pytest.mark.parametrize("way,change", [
    ("original", {"method": None}), ("original", {"target": None}), ("original", {"address": None}), ("original", {"suite": None}),
    ("original", {"address": "a.b.c.d"}), ("original", {"target": "/a b"}), ("original", {"method": "G ET"}),
    ("original", {"target": "/\tHost: x"}), ("original", {"target": "http://elsewhere.example/"}),
    ("original", {"extra": ["X-Original-URI: /b"]}), ("original", {"extra": ["X-Original-Method: GET"]}),
    ("original", {"extra": ["X-Real-IP: 192.0.2.8"]}), ("original", {"suite": "NO-SUCH-SUITE"}),
    ("forwarded", {"host": "a b"}), ("forwarded", {"host": None}), ("forwarded", {"extra": ["X-Forwarded-Host: " + NAF]}),
    ("itself", {"suite": None}),
])
def test_what_a_web_server_must_say(world, asked, way, change):
    """A header left out is not a device's to fill in, and one a device has smuggled in is seen."""
    digest = device(world, 730, way).take(asked.ask(way))
    if "suite" not in change or change["suite"] is None:
        assert asked.ask(way, **change).status == 500
    assert asked.ask(way, digest, **change).status == 500
    assert asked.ask(way, digest).status == 200


def test_last_address_counts(world, asked):
    digest = device(world, 735, "forwarded").take(asked.ask("forwarded"))
    assert asked.ask("forwarded", digest, address="203.0.113.9, 2001:db8::7").status == 200
    assert world.agent.sources[-1] == "2001:db8::7"


@pytest.mark.parametrize("change,why", [
    ({"address": '"0.0.0.0:1"'}, "loopback"), ({"tls": "true"}, "loopback"), ({"authorization": '"off"'}, "needs authorization"),
])
def test_configuration(tmp_path, change, why):
    items = {"address": '"127.0.0.1:1"', "tls": "false", "authorization": '"original"', "authorization-tls": '"suite"'}
    items.update(change)
    (tmp_path / "p.conf").write_text('listeners = ( { %s } );\nsites = ( { fqdn = "a.example"; upstream = "127.0.0.1:2"; } );\n'
                                     % " ".join("%s = %s;" % item for item in items.items()))
    run = subprocess.run([PROXY, "--check-config", str(tmp_path / "p.conf")], capture_output=True, text=True)
    assert run.returncode != 0 and why in run.stderr


class Front:
    """A web server of Debian's in front: the guide's text with this place's ports and files."""

    def __init__(self, folder, world, asked, kind):
        folder.mkdir()
        self.port, (cert, key) = free_port(), (world.cert, world.key)
        way = "original" if kind == "nginx" else "itself"
        text = guide(kind).replace("shop.example.com", NAF).replace("127.0.0.1:8081", "%s:%d" % (HOST, asked.ports[way]))
        text = text.replace("127.0.0.1:8080", "%s:%d" % (HOST, world.app.port))
        if kind == "nginx":
            text = text.replace("listen 443 ssl", "listen %s:%d ssl" % (HOST, self.port))
            text = text.replace("/etc/gba/shop.pem", cert).replace("/etc/gba/shop.key", key)
            folders = "".join("%s_temp_path %s;\n" % (name, folder / name) for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
            text = "daemon off;\npid %s;\nerror_log stderr;\nevents {}\nhttp {\naccess_log off;\nssl_protocols TLSv1.2 TLSv1.3;\n%s%s}\n" \
                % (folder / "pid", folders, text)
            if os.getuid() == 0:
                text = "user root;\n" + text
            line = ["nginx", "-c", str(folder / "conf"), "-p", str(folder)]
        else:
            with open(folder / "pem", "wb") as pem:
                pem.write(open(cert, "rb").read() + open(key, "rb").read())
            text = text.replace("bind :443", "bind %s:%d" % (HOST, self.port)).replace("/etc/gba/shop.pem", str(folder / "pem"))
            text = text.replace("/usr/local/share/gba-suite", os.path.join(TOP, "naf-adapter"))
            line = ["haproxy", "-db", "-f", str(folder / "conf")]
        (folder / "conf").write_text(text)
        self.process = Process(kind, line, str(folder / "out"))
        self.process.start()
        assert until(lambda: not self.process.alive() or port_open(HOST, self.port)) and self.process.alive(), self.process.log_text()


@pytest.fixture(scope="module", params=["nginx", "haproxy"])
def front(request, world, asked):
    one = Front(world.folder / request.param, world, asked, request.param)
    yield one
    one.process.stop(30)


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_front(world, front, version):
    tls = tls_client(world.ca, version)
    with Client(front.port, tls) as client:
        suite = client.sock.cipher()[0]
        number = {"ECDHE-RSA-AES256-GCM-SHA384": 0xc030, "ECDHE-RSA-AES128-GCM-SHA256": 0xc02f, "ECDHE-RSA-CHACHA20-POLY1305": 0xcca8,
                  "ECDHE-ECDSA-AES256-GCM-SHA384": 0xc02c, "ECDHE-ECDSA-AES128-GCM-SHA256": 0xc02b,
                  "TLS_AES_256_GCM_SHA384": 0x1302, "TLS_AES_128_GCM_SHA256": 0x1301, "TLS_CHACHA20_POLY1305_SHA256": 0x1303}[suite]
        digest = Digest(*world.agent.add(740, ua_id=ua_id(number), uss={1000001: (["sip:front@lab.test"], [])}))
        before = len(world.app.requests)
        lies = ['X-3GPP-Asserted-Identity: "sip:admin@lab.test"', "X-Forwarded-User: sip:admin@lab.test",
                'X-3GPP-Authorization-Flags: "1"', 'X_3GPP_Asserted_Identity: "sip:admin@lab.test"', "X.Forwarded.User: sip:admin@lab.test",
                "X_Forwarded_User: sip:admin@lab.test", 'X-GBA-Token: btid="sip:admin@lab.test"', "X-Original-Method: HEAD", "X-Original-URI: /free", "X-Real-IP: 198.51.100.1",
                "X-GBA-TLS-Suite: TLS_AES_128_GCM_SHA256"]
        refused = client.ask("POST", "/a?b=c", headers=lies, body=b"12345")
        assert len(world.app.requests) == before and refused.get("WWW-Authenticate")
        digest.take(refused)
    with Client(front.port, tls) as client:
        good = client.ask("POST", "/a?b=c", headers=lies + [digest.header("POST", "/a?b=c")], body=b"12345")
        assert good.status == 200 and good.body == b"path /a?b=c\n" and "rspauth=" in good.get("Authentication-Info")
        head, body = world.app.requests[-1]
        assert body == b"12345" and header(head, "X-3GPP-Asserted-Identity") == ['"sip:front@lab.test"']
        assert header(head, "X-Forwarded-User") == ["sip:front@lab.test"] and not header(head, "Authorization")
        assert not "".join(header(head, "X-3GPP-Authorization-Flags")) and b"admin" not in head
    with Client(front.port, tls) as client:
        assert client.ask("GET", "/a?b=c", headers=[digest.header("POST", "/a?b=c")]).status == 401
    assert len(world.app.requests) == before + 1
