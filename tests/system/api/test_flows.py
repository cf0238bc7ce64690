# SPDX-License-Identifier: Apache-2.0
"""The flows of Y.3056 10.1 to 10.3 as an ASP, a user and an operator walk them."""
import email
import email.policy
import hashlib
import hmac
import html.parser
import io
import json
import os
import re
import stat
import subprocess
import tarfile
import threading

import pytest

import apilab


class Page(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.text = [], ""

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data


def letters(api, drop):
    folder = os.path.join(api.drop, drop)
    found = []
    for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
        assert name.endswith(".eml") or name.startswith(".")
        if name.endswith(".eml"):
            with open(os.path.join(folder, name), "rb") as text:
                found.append(email.message_from_bytes(text.read(), policy=email.policy.SMTP))
    return found


def steps(api):
    with open(api.node.trace, encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def traced(api, *clauses):
    """Wait until there are steps of these: the node writes of one after it has done it."""
    missing = lambda: {"Y.3056 " + clause for clause in clauses} - {step["clause"] for step in steps(api)}
    apilab.wait_until(lambda: not missing(), "steps of %s" % (clauses,))


def test_what_a_realm_makes_known(api, admin):
    """REQ: Y3056-7.5-1, Y3056-10.1-2, Y3056-10.1-3a, Y3056-10.1-4, OBF-10.1-1"""
    open_caller = apilab.Caller(api)
    got = open_caller.get("/.well-known/gba-realm")
    profile = got.json()
    for name, value in apilab.REALM.items():
        assert profile[name] == value, name
    assert profile["token"]["lifetime"] == 3600 and "B-TID" in profile["token"]["identifier"]
    assert profile["links"]["asp_registration"] == "/v1/asp-registrations" and not {"id", "rev", "registered_only"} & set(profile)
    for path in profile["links"].values():
        assert open_caller.call("GET", path).status in (200, 405), path
    page = Page()
    answer = open_caller.get("/realm")
    page.feed(answer.body.decode())
    assert answer.headers["content-type"].startswith("text/html") and "Operator & Sons" in page.text
    assert "bsf.operator.example" in page.text and "/v1/asp-registrations" in page.text and "bootstraps" in page.text
    assert "script" not in [tag for tag, _ in page.tags] and "default-src 'none'" in answer.headers["content-security-policy"]
    problems = Page()
    problems.feed(open_caller.get("/problems").body.decode())
    assert "rate-limit" in [attrs.get("id") for _, attrs in problems.tags]


def test_an_asp_comes_on_board(api, admin):
    """REQ: Y3056-7.5-3a, Y3056-7.7-1, Y3056-7.7-2, Y3056-9.2.2-1, Y3056-9.2.2-5, Y3056-10.2-1a, Y3056-10.2-1b, Y3056-10.2-1c, Y3056-10.2-2a
    REQ: Y3056-10.2-2b, Y3056-10.2-2c"""
    wish = {"type": "cin", "identity": "L17110MH1973PLC019786", "name": "Fabrics", "contact": "it@fabrics.example",
            "names": ["fabrics.example", "gs1:*"]}
    asked = apilab.Caller(api).post("/v1/asp-registrations", wish).json()
    assert asked["state"] == "requested"
    caller = apilab.Caller(api, asked["token"])
    assert caller.call("GET", "/v1/self").status == 401  # the operator has not decided
    again = apilab.Caller(api).post("/v1/asp-registrations", dict(wish, name="Somebody"))  # nobody learns who is registered
    assert set(again.json()) == set(asked) and again.json()["token"] != asked["token"] and len(again.json()["token"]) == len(asked["token"])
    apilab.Caller(api).post("/v1/asp-registrations", dict(wish, identity="L17110MH1973PLC01978"), want=422)
    for name in ("fabrics example", "url:https://x.example", "ip:", "mac:1", ":x", "*.example"):
        got = apilab.Caller(api).post("/v1/asp-registrations", dict(wish, names=["fabrics.example", name]), want=422).json()
        assert [e["pointer"] for e in got["errors"]] == ["/names/1"], (name, got)

    record = [a for a in admin.get("/v1/asps?state=requested").json()["items"] if a["identity"] == wish["identity"]][0]
    assert record["name"] == "Fabrics" and len([a for a in admin.get("/v1/asps?state=requested").json()["items"]
                                                if a["identity"] == wish["identity"]]) == 1
    admin.patch("/v1/asps/%d" % record["id"], {"state": "active", "notice_drop": "fabrics"}, '"%d"' % record["rev"])
    assert caller.get("/v1/self").json() == {"role": "asp", "id": record["id"], "name": "asp:%d" % record["id"]}
    assert apilab.Caller(api, again.json()["token"]).call("GET", "/v1/self").status == 401
    caller.post("/v1/asps/%d/credentials" % record["id"], {"name": "server", "type": "certificate"})

    app = caller.post("/v1/applications", {"asp": record["id"], "type": "fqdn", "identity": "shop.fabrics.example", "name": "Shop",
                                           "published": True})
    assert app.json()["naf_fqdn"] == "shop.fabrics.example" and app.json()["gsid"] >= 1000000
    digits = "972132100001"
    number = digits + str(-sum(int(c) * (3 - 2 * (i % 2)) for i, c in enumerate(reversed(digits))) % 10)  # GS1 General Specifications 7.9
    gs1 = caller.post("/v1/applications", {"asp": record["id"], "type": "gs1", "identity": number, "name": "Scales"}).json()
    assert gs1["identity"] == number and gs1["naf_fqdn"].endswith("." + apilab.REALM["alias_domain"])
    other = apilab.asp(admin, api, "U72200KA2011PTC060130", "Other")[0]
    caller.post("/v1/applications", {"asp": other["id"], "type": "fqdn", "identity": "x.example", "name": "X"}, want=422)

    told = apilab.wait_until(lambda: letters(api, "fabrics")[1:], "two letters to the ASP") + letters(api, "fabrics")[:1]
    letter = [one for one in told if json.loads(one.get_content())["about"]["id"] == app.json()["id"]][0]
    assert letter["Subject"] == "application-registered" and letter["To"] == "it@fabrics.example" and letter["Date"].datetime
    assert letter.get_content_type() == "application/json" and letter["Message-ID"]
    traced(api, "10.2-1a", "10.2-1b", "10.2-1c", "10.2-2a", "10.2-2b", "10.2-2c")


def unpack(archive, folder):
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as tar:
        names = tar.getnames()
        assert all(re.fullmatch(r"gba-naf-[a-z0-9.-]+/[A-Za-z.]+", name) for name in names), names
        modes = {os.path.basename(m.name): stat.S_IMODE(m.mode) for m in tar.getmembers()}
        tar.extractall(folder)
    return os.path.join(folder, os.path.dirname(names[0])), modes


@pytest.fixture(scope="module")
def meters(api, admin):
    """An ASP with a webhook, and its application."""
    owner, caller = apilab.asp(admin, api, "U72200KA2011PTC060131", "Meters", notice_url=api.hook.url("/meters"),
                              names=["meters.example", "kinds.example", "hidden.example", "ip:192.0.2.*", "gs1:0950*", "onem2m:Nkinds*"])
    app = caller.post("/v1/applications", {"asp": owner["id"], "type": "fqdn", "identity": "meters.example", "name": "Readings",
                                           "published": True, "min_level": 2, "attributes": ["name", "level"]}).json()
    return owner, caller, app


def test_a_bundle_is_ready_to_run(api, admin, meters, tmp_path):
    """The agent of the bundle starts and comes to the operator's node with its certificate.
    REQ: Y3056-10.1-3b, Y3056-10.2-1c, Y3056-9.2.2-7,
    Y3056-9.2-2"""
    _, caller, app = meters
    where = "/v1/applications/%d/bundle" % app["id"]
    for identity in ("bsf.operator.example", "hss.operator.example", "naf.other.example", "example", "operator.example"):
        assert caller.post(where, {"identity": identity}, want=422).json()["errors"][0]["pointer"] == "/identity"
    got = caller.post(where, {"identity": "naf.meters.example", "user": "root"}, want=200)
    assert got.headers["content-type"] == "application/gzip" and got.headers["cache-control"] == "no-store"
    folder, modes = unpack(got.body, str(tmp_path))
    assert set(modes) == {"README", "freeDiameter.conf", "guard.conf", "naf.conf", "proxy.conf", "agent.pem", "agent.key", "ca.pem"}
    assert modes["agent.key"] == 0o600
    assert admin.get("/v1/applications/%d" % app["id"]).json()["push_peer"] == "naf.meters.example"
    apilab.openssl("verify", "-x509_strict", "-CAfile", folder + "/ca.pem", folder + "/agent.pem")
    agent = os.path.join(apilab.BUILD, "naf-adapter/agent/gba-naf-agent")
    assert "good" in subprocess.run([agent, "--check-config", "naf.conf"], cwd=folder, capture_output=True, text=True, timeout=60,
                                    check=True).stdout

    bsf_key, bsf_pem = str(tmp_path / "bsf.key"), str(tmp_path / "bsf.pem")
    made = json.loads(api.ctl("ca", "issue", "bsf.operator.example", "--dns", "bsf.operator.example", "--key-out", bsf_key, "--json"))
    with open(bsf_pem, "w", encoding="ascii") as out:
        out.write(made["certificate"])
    port = apilab.zhlab.free_port()
    server = subprocess.Popen(["openssl", "s_server", "-accept", "127.0.0.1:%d" % port, "-cert", bsf_pem, "-key", bsf_key, "-CAfile",
                               folder + "/ca.pem", "-Verify", "3", "-verify_return_error", "-naccept", "1"], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    with open(folder + "/freeDiameter.conf", encoding="ascii") as text:
        conf = text.read()
    for name, path in (("dict_gba", "dict"), ("dict_y3056", "dict"), ("gba_guard", "lib/dia/guard"), ("naf", "naf-adapter/agent")):
        conf = re.sub(r'"[^"]*/%s.fdx"' % name, '"%s/%s/.libs/%s.fdx"' % (apilab.BUILD, path, name), conf)
    conf = conf.replace("\nPort = 3868;\nSecPort = 5868;", "\nPort = %d;\nSecPort = 0;" % apilab.zhlab.free_port())
    assert 'ConnectTo = "127.0.0.1"; Port = 5868;' in conf
    output = []
    reader = threading.Thread(target=lambda: output.extend(server.stdout), daemon=True)
    reader.start()
    apilab.wait_until(lambda: b"ACCEPT" in b"".join(output), "the BSF listens")  # who finds nobody comes again after half a minute
    conf = conf.replace("Port = 5868; No_SCTP", "Port = %d; No_SCTP" % port)
    with open(folder + "/freeDiameter.conf", "w", encoding="ascii") as out:
        out.write(conf)
    socket_path = str(tmp_path / "naf.sock")
    environment = dict(os.environ, PATH=os.environ["PATH"] + ":/usr/sbin", GBA_NAF_SOCKET=socket_path)
    with open(str(tmp_path / "agent.log"), "wb") as log:
        process = subprocess.Popen([agent, "-c", "freeDiameter.conf"], cwd=folder, stdin=subprocess.DEVNULL, stdout=log,
                                   stderr=subprocess.STDOUT, env=environment)
    try:
        apilab.wait_until(lambda: os.path.exists(socket_path), "the agent's socket")
        apilab.wait_until(lambda: b"naf.meters.example" in b"".join(output), "the agent comes with its certificate")
        assert process.poll() is None
    finally:
        process.terminate()
        server.kill()
        process.wait(60)
        server.wait(30)


PROXY = os.path.join(apilab.BUILD, "naf-adapter/proxy/gba-naf-proxy")
KINDS = [("fqdn", "kinds.example"), ("ip", "192.0.2.77"), ("url", "https://www.kinds.example/shop"), ("gs1", "09506000134352"),
         ("onem2m", "Nkinds.example")]


def items(folder, name="proxy.conf"):
    """Items of the site in a bundle's proxy.conf."""
    with open(os.path.join(folder, name), encoding="utf-8") as text:
        return dict(re.findall(r"([a-z0-9-]+) = (\[[^]]*\]|\"[^\"]*\"|[a-z0-9]+);", text.read()))


@pytest.mark.parametrize("kind,identity", KINDS)
def test_the_application_is_configured_with_its_identity(meters, tmp_path, kind, identity):
    """Of each agreed kind, from the record into the configuration of what stands before the application, which starts with it, and
    not without a name. REQ: Y3056-7.6-1"""
    owner, caller, _ = meters
    app = caller.post("/v1/applications", {"asp": owner["id"], "type": kind, "identity": identity, "name": "Kind " + kind}).json()
    where = "/v1/applications/%d/bundle" % app["id"]
    folder, _ = unpack(caller.post(where, {"identity": "naf." + app["naf_fqdn"]}, want=200).body, str(tmp_path))
    site = items(folder)
    assert site["application-id"] == '"%s:%s"' % (kind, identity) and site["fqdn"] == '"%s"' % app["naf_fqdn"]
    with open(folder + "/proxy.conf", encoding="utf-8") as text:
        conf = text.read().replace("0.0.0.0:443", "127.0.0.1:%d" % apilab.zhlab.free_port()).replace(
            "0.0.0.0:80", "127.0.0.1:%d" % apilab.zhlab.free_port())

    def check(text):
        with open(folder + "/own.conf", "w", encoding="utf-8") as out:
            out.write(text)
        return subprocess.run([PROXY, "--check-config", folder + "/own.conf"], capture_output=True, text=True, timeout=60, check=False)
    assert check(conf).returncode == 0, check(conf).stderr
    with open(folder + "/log", "wb") as log:
        process = subprocess.Popen([PROXY, "-c", folder + "/own.conf"], stdout=log, stderr=log, stdin=subprocess.DEVNULL)
    try:
        apilab.wait_until(lambda: "application %s:%s" % (kind, identity) in open(folder + "/log", encoding="utf-8").read(), "it starts")
    finally:
        process.terminate()
        process.wait(60)
    nameless = check(conf.replace('fqdn = "%s"; ' % app["naf_fqdn"], ""))
    assert nameless.returncode != 0 and "fqdn: missing" in nameless.stderr + nameless.stdout
    for bad in ("gs1:09506000134353", "ip:300.1.1.1", "url:nowhere", "onem2m:x", "fqdn:elsewhere.example", "imei:1", "09506000134352"):
        assert check(conf.replace("%s:%s" % (kind, identity), bad)).returncode != 0, bad


PROFILES = [  # the realm's Ua protocols, and the site's items that follow from them
    (["0100000007"], {"psk": "true", "tls-digest": "false", "http-digest": "false", "tls-min": '"1.3"', "tls-max": '"1.3"'}, ["1.3"]),
    (["01000100a8"], {"psk": "true", "tls-digest": "false", "http-digest": "false", "tls-min": '"1.2"', "tls-max": '"1.2"'}, ["1.2"]),
    (["0100000002"], {"psk": "false", "tls-digest": "false", "http-digest": "true"}, []),
    (["010001c02f", "0100000002", "0100000007"], {"psk": "true", "tls-digest": "true", "http-digest": "true", "tls-min": '"1.2"'}, ["1.2", "1.3"]),
]


def test_protocols_follow_the_realms_profile(tmp_path_factory):
    """What is offered to devices changes with what the operator publishes; the token's life, too. REQ: Y3056-7.6-2, Y3056-8.3-2"""
    folder = tmp_path_factory.mktemp("profile")
    one = apilab.Api(folder)
    one.start()
    try:
        root = one.admin()
        realm = root.post("/v1/realm", apilab.REALM).json()
        owner, caller = apilab.asp(root, one, names=["site.example"])
        app = caller.post("/v1/applications", {"asp": owner["id"], "type": "fqdn", "identity": "site.example", "name": "S",
                                               "ua_ids": ["010001c02f", "0100000002", "0100000007", "01000100a8"]}).json()
        for n, (ua_ids, want, versions) in enumerate(PROFILES):
            realm = root.patch("/v1/realm/%d" % realm["id"], {"ua_ids": ua_ids, "token_lifetime": 600 + n}, '"%d"' % realm["rev"]).json()
            public = apilab.Caller(one).get("/.well-known/gba-realm").json()
            assert ua_ids == public["ua_ids"]
            got = caller.post("/v1/applications/%d/bundle" % app["id"], {"identity": "naf.site.example"}, want=200)
            where, _ = unpack(got.body, str(folder / str(n)))
            site = items(where)
            assert {name: site.get(name) for name in want} == want, ua_ids
            agent = items(where, "naf.conf")
            assert agent["key-lifetime-max"] == str(600 + n) and re.findall(r"[0-9a-f]{10}", agent["ua-protocols"]) == ua_ids
            offered(where, versions, "http-digest" in want and want["http-digest"] == "true")
    finally:
        assert one.stop()


def offered(folder, versions, http):
    """Start the bundle's proxy as it is, and see which versions of TLS and whether plain HTTP it takes."""
    ports = [apilab.zhlab.free_port() for _ in range(2)]
    with open(folder + "/proxy.conf", encoding="utf-8") as text:
        conf = text.read().replace("0.0.0.0:443", "127.0.0.1:%d" % ports[0]).replace("0.0.0.0:80", "127.0.0.1:%d" % ports[1])
    with open(folder + "/own.conf", "w", encoding="utf-8") as out:
        out.write(conf)
    with open(folder + "/log", "wb") as log:
        process = subprocess.Popen([PROXY, "-c", folder + "/own.conf"], stdout=log, stderr=log, stdin=subprocess.DEVNULL)
    try:
        want = bool(versions), http
        apilab.wait_until(lambda: all(apilab.listens(port) for port, there in zip(ports, want) if there), "the proxy listens")
        assert tuple(map(apilab.listens, ports)) == want
        for version in ("1.2", "1.3") if versions else ():
            done = subprocess.run(["openssl", "s_client", "-connect", "127.0.0.1:%d" % ports[0], "-servername", "site.example",
                                   "-tls" + version.replace(".", "_")], stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False)
            alert = b"protocol version" in done.stderr or b"unsupported protocol" in done.stderr  # else: no key of ours (40)
            assert alert == (version not in versions) and b"alert number" in done.stderr, (version, versions, done.stderr)
    finally:
        process.terminate()
        process.wait(60)


def test_a_bundle_for_a_key_of_their_own(meters, tmp_path):
    _, caller, app = meters
    request = apilab.openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
                             str(tmp_path / "k"), "-subj", "/CN=hss.operator.example")
    got = caller.post("/v1/applications/%d/bundle" % app["id"], {"identity": "naf.meters.example", "csr": request}, want=200)
    folder, modes = unpack(got.body, str(tmp_path))
    assert "agent.key" not in modes
    text = apilab.openssl("x509", "-in", folder + "/agent.pem", "-noout", "-text")
    assert "hss.operator.example" not in text and "DNS:naf.meters.example" in text
    key = apilab.openssl("pkey", "-in", str(tmp_path / "k"), "-pubout")
    assert apilab.openssl("x509", "-in", folder + "/agent.pem", "-noout", "-pubkey") == key


def signed(entry, key):
    """The body of a webhook whose signature is right."""
    _, headers, body = entry
    when, mac = re.fullmatch(r"t=(\d+),v1=([0-9a-f]{64})", headers["GBA-Signature"]).groups()
    assert hmac.new(key.encode(), when.encode() + b"." + body, hashlib.sha256).hexdigest() == mac
    assert headers["Content-Type"] == "application/json"
    return json.loads(body)


def test_trust_is_extended(api, admin, meters):
    """REQ: Y3056-10.3-0, Y3056-10.3-1, Y3056-10.3-2, Y3056-10.3-3, Y3056-10.3-4, Y3056-10.3-5, Y3056-10.3-6, Y3056-7.5-3b, Y3056-9.2.2-2
    REQ: Y3056-9.2.2-3, Y3056-9.2.2-4, Y3056-9.2.2-8, OBF-10.1.2-a3, Y3056-8.4-3"""
    owner, asp, app = meters
    key = asp.get("/v1/asps/%d/webhook-key" % owner["id"]).json()["key"]
    impi = api.subscriber("flow@lab.test")
    person, user = apilab.user(admin, api, "flow", notice_drop="flow")
    apilab.device(admin, impi, person["id"], 300)
    user.post("/v1/requests", {"impi": "nobody@lab.test", "application": app["id"]}, want=None)
    low, low_user = apilab.user(admin, api, "low", level=1)
    impi_low = api.subscriber("low@lab.test")
    apilab.device(admin, impi_low, low["id"], 301)
    refused = low_user.post("/v1/requests", {"impi": impi_low, "application": app["id"], "consent": True}).json()
    assert refused["state"] == "refused" and "level" in refused["reason"]

    wish = user.post("/v1/requests", {"impi": impi, "application": app["id"]}).json()
    assert wish["state"] == "verified"  # 10.3-2; nothing goes to the ASP before the user agrees
    asp.get("/v1/requests/%d" % wish["id"], want=404)
    user.post("/v1/requests/%d/consent" % wish["id"], {"attributes": ["name"]}, want=200)
    body = apilab.wait_until(lambda: [signed(e, key) for e in api.hook.of("/meters")
                                      if json.loads(e[2])["event"] == "request-passed"], "the ASP's webhook")[0]
    pseudonym = body["data"]["pseudonym"]
    seen = asp.get("/v1/requests/%d" % wish["id"]).json()
    assert body["data"]["request"] == wish["id"] and seen["pseudonym"] == pseudonym and json.loads(seen["shared"]) == {"name": "Flow"}
    assert impi not in json.dumps(seen) and impi not in json.dumps(body) and "account" not in seen

    api.hook.refuse["/meters"] = 0
    granted = asp.post("/v1/requests/%d/grant" % wish["id"], {"valid_until": "2040-01-01T00:00:00Z"}, want=200).json()
    assert granted["state"] == "granted"
    right = asp.get("/v1/permissions/%d" % granted["permission"]).json()
    assert right["flag"] == "set" and right["in_force"] and right["pseudonym"] == pseudonym and "impi" not in right
    assert right["valid_until"] == "2040-01-01T00:00:00Z"
    letter = apilab.wait_until(lambda: [one for one in letters(api, "flow") if one["Subject"] == "access-granted"], "the user's letter")[0]
    assert json.loads(letter.get_content())["data"]["naf_fqdn"] == "meters.example"
    traced(api, "10.3-1", "10.3-2", "10.3-3", "10.3-4", "10.3-5", "10.3-6")
    guss = api.record(impi)
    assert pseudonym in json.dumps(guss)  # what Zh hands out carries the permission

    tag = asp.get("/v1/permissions/%d" % right["id"]).headers["etag"]
    cleared = asp.patch("/v1/permissions/%d" % right["id"], {"flag": "cleared"}, tag).json()
    assert cleared["in_force"] is False and pseudonym not in json.dumps(api.record(impi))


def test_a_subscriber_finds_and_registers(api, admin, meters):
    """The catalogue: what its ASP publishes, and from there to a request. REQ: Y3056-7.7-4, OBF-9.2.2-5"""
    owner, asp, app = meters
    hidden = asp.post("/v1/applications", {"asp": owner["id"], "type": "fqdn", "identity": "hidden.example", "name": "Hidden"}).json()
    person, user = apilab.user(admin, api, "finder")
    impi = api.subscriber("finder@lab.test")
    apilab.device(admin, impi, person["id"], 320)
    found = {item["id"]: item for item in user.get("/v1/applications?limit=100").json()["items"]}
    assert app["id"] in found and hidden["id"] not in found
    shown = found[app["id"]]
    assert shown["name"] == "Readings" and shown["naf_fqdn"] == "meters.example" and shown["attributes"] == ["name", "level"]
    user.get("/v1/applications/%d" % hidden["id"], want=404)
    wish = user.post("/v1/requests", {"impi": impi, "application": shown["id"], "consent": True, "attributes": ["name"]}).json()
    assert wish["state"] == "passed"
    user.post("/v1/requests", {"impi": impi, "application": hidden["id"]}, want=422)
    tag = asp.get("/v1/applications/%d" % hidden["id"]).headers["etag"]
    asp.patch("/v1/applications/%d" % hidden["id"], {"published": True}, tag)
    assert hidden["id"] in {item["id"] for item in user.get("/v1/applications?limit=100").json()["items"]}


def test_rights_are_lent_and_taken_back(api, admin, meters):
    """REQ: Y3056-7.7-5a, Y3056-9.2.2-6, Y3056-9.2.2-9, Y3056-9.2.2-10"""
    _, _, app = meters
    impis = [api.subscriber("lend%d@lab.test" % n) for n in range(2)]
    people = [apilab.user(admin, api, "lend%d" % n) for n in range(2)]
    devices = [apilab.device(admin, impis[n], people[n][0]["id"], 310 + n) for n in range(2)]
    right = admin.post("/v1/permissions", {"impi": impis[0], "application": app["id"]}).json()
    lender, borrower = people[0][1], people[1][1]
    borrower.post("/v1/delegations", {"permission": right["id"], "to_impi": impis[1], "valid_until": "2040-01-01T00:00:00Z"}, want=422)
    lent = lender.post("/v1/delegations", {"permission": right["id"], "to_impi": impis[1], "valid_until": "2040-01-01T00:00:00Z"}).json()
    assert lent["in_force"] and str(app["gsid"]) in json.dumps(api.record(impis[1]))
    assert borrower.get("/v1/delegations/%d" % lent["id"]).json()["to_impi"] == impis[1]
    ended = lender.post("/v1/delegations/%d/end" % lent["id"], want=200).json()
    assert ended["state"] == "ended" and ended["in_force"] is False
    assert str(app["gsid"]) not in json.dumps(api.record(impis[1]))
    admin.delete("/v1/devices/%d" % devices[0]["id"])
    lender.get("/v1/devices/%d" % devices[0]["id"], want=404)


def test_webhooks_are_repeated_until_they_are_taken(api, admin):
    owner, caller = apilab.asp(admin, api, "U72200KA2011PTC060132", "Retry", names=["retry.example"], notice_url=api.hook.url("/retry"))
    api.hook.refuse["/retry"] = 2
    app = caller.post("/v1/applications", {"asp": owner["id"], "type": "fqdn", "identity": "retry.example", "name": "R"}).json()
    apilab.wait_until(lambda: len(api.hook.of("/retry")) >= 3, "three posts")
    apilab.wait_until(lambda: caller.get("/v1/notices").json()["items"] == [], "the notice is gone")
    key = admin.get("/v1/asps/%d/webhook-key" % owner["id"]).json()["key"]
    bodies = [signed(entry, key) for entry in api.hook.of("/retry")]
    assert len({body["id"] for body in bodies}) == 1 and bodies[0]["about"] == {"kind": "application", "id": app["id"]}


def test_webhooks_do_not_reach_inside(admin, tmp_path):
    """A name that points to a private address is refused when the connection is made, and the notice waits."""
    one = apilab.Api(tmp_path / "inside", conf="webhook-retry = 10;\nwebhook-tries = 3;\n", ca=False)
    hook = apilab.Hook(str(tmp_path))
    one.start()
    try:
        root = one.admin()
        root.post("/v1/realm", apilab.REALM)
        owner, caller = apilab.asp(root, one, names=["inside.example"], notice_url=hook.url("/inside"))
        caller.post("/v1/applications", {"asp": owner["id"], "type": "fqdn", "identity": "inside.example", "name": "I"})
        apilab.wait_until(lambda: "notice.given-up" in one.log(), "given up after three attempts")
        assert one.log().count("notice.failed") == 2 and "loopback, private" in one.log()
        apilab.wait_until(lambda: caller.get("/v1/notices").json()["items"] == [], "the notice is gone")
        assert hook.seen == []
        assert root.call("POST", "/v1/applications/1/bundle", {"identity": "inside.example"}).status == 409  # no CA
    finally:
        hook.stop()
        assert one.stop()


def test_letters_stay_in_their_folder(admin):
    for drop in ("../out", "..", ".hidden", "a/b", "/tmp", "a\\0b"):
        got = admin.post("/v1/asps", {"type": "cin", "identity": "U72200KA2011PTC060133", "name": "Out", "notice_drop": drop}, want=422)
        assert got.json()["errors"][0]["pointer"] == "/notice_drop", drop


def test_gba_ctl_does_it_too(api, admin, tmp_path):
    """A token and a bundle without the API."""
    owner, _ = apilab.asp(admin, api, "U72200KA2011PTC060135", "Ctl", names=["ctl.example"])
    token = json.loads(api.ctl("credential", "issue", "console", "--for", "asp:%d" % owner["id"], "--json"))["token"]
    caller = apilab.Caller(api, token)
    assert caller.get("/v1/self").json()["id"] == owner["id"]
    app = caller.post("/v1/applications", {"asp": owner["id"], "type": "fqdn", "identity": "ctl.example", "name": "C"}).json()
    path = str(tmp_path / "bundle.tar.gz")
    api.ctl("app", "bundle", str(app["id"]), "--identity", "ctl.example", "--out", path)
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    with open(path, "rb") as archive:
        folder, modes = unpack(archive.read(), str(tmp_path))
    assert len(modes) == 8
    apilab.openssl("verify", "-CAfile", folder + "/ca.pem", folder + "/agent.pem")
    assert caller.get("/v1/applications/%d" % app["id"]).json()["push_peer"] == "ctl.example"
    with pytest.raises(AssertionError, match="a name of the operator|not the application"):
        api.ctl("app", "bundle", str(app["id"]), "--identity", "hss.operator.example", "--out", path)


def test_keys_and_certificates_for_each_party(api, admin, tmp_path):
    """A service provider's node, an ASP, a device maker: certificates of the realm's CA, with keys made here or by themselves, that others
    verify, and no longer when they are revoked. REQ: TEC-A4-7"""
    asp, _ = apilab.asp(admin, api, "U72200KA2011PTC060777", "Key Works", names=["key.example"])
    key, csr = str(tmp_path / "maker.key"), str(tmp_path / "maker.csr")
    apilab.openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out", csr, "-subj",
                   "/CN=maker")
    words = {"provider": ("hss.tel.example", "--dns", "hss.tel.example", "--key-out", str(tmp_path / "provider.key")),
             "asp": ("key-works", "--for", "asp:%d" % asp["id"], "--key-out", str(tmp_path / "asp.key")),
             "maker": ("maker-of-meters", "--csr", csr)}
    made = {who: json.loads(api.ctl("ca", "issue", *words[who], "--json")) for who in words}
    ca, crl = str(tmp_path / "ca.pem"), str(tmp_path / "crl.pem")
    with open(ca, "w", encoding="ascii") as out:
        out.write(admin.get("/v1/ca/certificate").body.decode())

    def good(who):
        with open(crl, "w", encoding="ascii") as out:
            out.write(admin.get("/v1/ca/crl").body.decode())
        line = ["openssl", "verify", "-x509_strict", "-crl_check", "-CAfile", ca, "-CRLfile", crl, str(tmp_path / (who + ".pem"))]
        return subprocess.run(line, capture_output=True, check=False, timeout=60).returncode == 0

    for who, one in made.items():
        pem = str(tmp_path / (who + ".pem"))
        with open(pem, "w", encoding="ascii") as out:
            out.write(one["certificate"])
        public = apilab.openssl("pkey", "-in", str(tmp_path / (who + ".key")), "-pubout")
        assert apilab.openssl("x509", "-in", pem, "-noout", "-pubkey") == public and good(who), who
    for who, one in made.items():
        api.ctl("ca", "revoke", one["serial"])
        assert not good(who), who
