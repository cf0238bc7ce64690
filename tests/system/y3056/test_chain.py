# SPDX-License-Identifier: Apache-2.0
"""The whole chain of ours, from the soft USIM to the application: three identities and one token in it. Everything between device and
BSF passes a tap; keys are computed here from K and OPc, and looked for wherever they must not be."""
import base64
import glob
import hashlib
import json
import os
import socket
import subprocess
import threading
import time

import pytest
from conftest import OTHER  # noqa: F401  (sets the path)
from lab.devices import TS_35233_SET_1, Device
from lab.process import free_port
from lab.realm import AGENT, ASP, BSF, FORBIDDEN_NAF, GSID, NAF, OPERATOR, Realm, Tree, q
from peers import aka, diameter as d
from peers.bsf_node import TOP, until
from peers.keys import ks_naf
from test_agent import h

SECOND_NAF = "meter." + ASP
DIGEST, TLS13 = b"\1\0\0\0\2", b"\1\0\0\0\7"
NOT_AUTHORIZED, FOREIGN_REALM = 10, 11  # of the local socket


class Tap:
    """Passes octets on in both directions and keeps them. slow: each octet by itself."""

    def __init__(self, target, slow=False):
        self.target, self.slow, self.seen, self.there = target, slow, b"", threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                device, _ = self.listener.accept()
            except OSError:
                return
            node = socket.create_connection(self.target)
            for one in (device, node):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for pair in ((device, node), (node, device)):
                threading.Thread(target=self._pump, args=pair, daemon=True).start()

    def _pump(self, source, sink):
        try:
            while True:
                octets = source.recv(65536)
                with self.there:
                    self.seen += octets
                for piece in ([octets[i:i + 1] for i in range(len(octets))] if self.slow else [octets]):
                    sink.sendall(piece)
                if not octets:
                    sink.shutdown(socket.SHUT_WR)
                    return
        except OSError:
            pass

    def close(self):
        self.listener.close()


class Chain:
    def __init__(self, folder):
        self.realm = r = Realm(str(folder), tree=Tree(os.environ.get("GBA_BUILD") or os.path.join(TOP, "build")), log_level="debug")
        self.port6, self.numbers = free_port("127.0.0.1"), iter(range(1, 1000))
        plain_conf, plain_bsf = r.proxy_conf, r.bsf_conf
        self.asp_tap = Tap((r.address("application"), 8080))  # what the ASP's own program is told
        r.names = [NAF, SECOND_NAF]
        r.proxy_conf = lambda **conf: self.with_ipv6(plain_conf(**conf))
        r.bsf_conf = lambda **conf: self.with_tls(plain_bsf(**conf))
        r.start()
        self.tap = Tap((r.address("bsf"), 80))

    def with_ipv6(self, path):
        with open(path, encoding="utf-8") as text:
            conf = text.read()
        listener = 'listeners = ( { address = "[::1]:%d"; tls = true; default-site = %s; },' % (self.port6, q(NAF))
        conf = conf.replace(q(self.realm.address("application") + ":8080"), q(self.asp_tap.address))
        return self.realm._write("proxy.conf", conf.replace("listeners = (", listener, 1))

    def with_tls(self, path):
        """Ub in clear, and inside TLS."""
        with open(path, encoding="utf-8") as text:
            conf = text.read()
        cert, key = self.realm.authority.issue(BSF)
        row = "{ listen = %s; tls-cert = %s; tls-key = %s; }, " % (q(self.realm.address("bsf") + ":443"), q(cert), q(key))
        return self.realm._write("bsf.conf", conf.replace("ub = ( ", "ub = ( " + row, 1) + "token-reports = true;\n")

    def device(self, tapped=True, **kw):
        number = next(self.numbers)
        one = Device(self.realm, "device-%d" % number, "00101%010d" % number, **kw)
        one.provision()
        one.personalise()
        if tapped:
            one.must("profile", "remove", "operator")
            one.must("profile", "add", "operator", "--bsf", BSF, "--connect", self.tap.address)
        return one

    def ask(self, btid, fqdn=NAF, ua=DIGEST, **kw):
        return h_ask(self.realm.path("naf.sock"), btid, fqdn=fqdn, ua_id=ua, **kw)

    def steps(self):
        with open(self.realm.trace, encoding="utf-8") as lines:
            return [json.loads(line) for line in lines]

    def files(self):
        """What the nodes have written that is no store: logs, output, the trace, audit logs."""
        names = [n for pattern in ("*.log", "*.out", "*.jsonl", "bsf/audit.log", "*audit*") for n in glob.glob(self.realm.path(pattern))]
        return {name: open(name, "rb").read() for name in names}

    def open(self, device, where, *options):
        return device.get("https://%s/hello" % NAF, "--psk", "--connect", where, *options)

    def close(self):
        self.tap.close()
        self.asp_tap.close()
        self.realm.stop()


def h_ask(path, btid, **kw):
    with h.Local(path) as local:
        error, elements = local.ask(btid, **kw)
    return error, next((v for v in elements.values() if len(v) == 32), None), elements


@pytest.fixture(scope="module")
def chain(tmp_path_factory):
    one = Chain(tmp_path_factory.mktemp("chain"))
    yield one
    one.close()


def card(device):
    return aka.Milenage(bytes.fromhex(device.k), opc=bytes.fromhex(device.opc))


def keys_of(device, btid, fqdn=NAF):
    """CK, IK and what is derived, from the card's own keys (TS 33.220 B.3)."""
    rand = base64.b64decode(btid.split("@")[0])
    _, _, ck, ik = card(device).vector(rand, 0)
    return rand, ck, ik, {ua: ks_naf(ck + ik, rand, device.impi, fqdn.encode() + ua) for ua in (DIGEST, TLS13)}


def forms(secret):
    return secret, secret.hex().encode(), secret.hex().upper().encode(), base64.b64encode(secret).rstrip(b"=")


def test_both_ends_compute_the_key_and_nobody_sends_it(chain):
    """REQ: Y3056-7.2-5, Y3056-10.4-4c, OBF-7.3-1, OBF-8.1-2, OBF-12.2-0, OBF-10.3-2,
    Y3056-9.6.3-2, Y3056-9.1.1-5, Y3056-9.4.1-3, TEC-2.2-6"""
    device = chain.device()
    btid = device.bootstrap()["btid"]
    rand, ck, ik, keys = keys_of(device, btid)
    error, given, _ = chain.ask(btid)  # what the BSF's token management hands out
    assert error == 0 and given == keys[DIGEST]
    said = device.must("token", "key", NAF)
    assert until(lambda: chain.tap.seen.count(b"<btid>")) and btid.encode() in chain.tap.seen
    prints = {row["fingerprint"] for row in (said if isinstance(said, list) else [said])}
    assert any(p and hashlib.sha256(key).hexdigest().startswith(p) for p in prints for key in keys.values()), said
    status, answer, error = chain.open(device, chain.realm.address("proxy") + ":443")
    assert status == 0 and answer["status"] == 200, error
    secrets = [bytes.fromhex(device.k), bytes.fromhex(device.opc), ck, ik, ck + ik, *keys.values()]
    places = dict(chain.files(), tap=chain.tap.seen)
    assert any(b"zn.bir" in text for text in places.values()) and len(places) > 6
    for name, text in places.items():
        for secret in secrets:
            assert not any(form in text for form in forms(secret)), name


def test_the_token_manager_gets_it_from_the_run(chain):
    """In the device: a fresh run hands its token over, a kept token needs no run. REQ: Y3056-10.5-2a"""
    device = chain.device()
    assert chain.open(device, chain.realm.address("proxy") + ":443")[0] == 0
    mine = [step for step in chain.steps() if step["from"] == "ue"]
    clauses = [step["clause"].rsplit(" ", 1)[-1] for step in mine]
    made, handed = len(clauses) - 1 - clauses[::-1].index("10.4-4a"), len(clauses) - 1 - clauses[::-1].index("10.5-2a")
    assert made < handed and mine[handed]["id"] == NAF and mine[handed]["message"] == "token of this run"
    assert chain.open(device, chain.realm.address("proxy") + ":443")[0] == 0
    after = [step["clause"].rsplit(" ", 1)[-1] for step in chain.steps() if step["from"] == "ue"]
    assert after.count("10.4-4a") == clauses.count("10.4-4a") and after.count("10.5-2a") == clauses.count("10.5-2a")


def test_three_parties_and_one_wrong_each(chain):
    """Operator, device and application are named in each exchange; who finds another than he expects ends it.
    REQ: Y3056-7.1-7, OBF-12.2-2, Y3056-11-5"""
    device = chain.device()
    where = chain.realm.address("proxy") + ":443"
    # the device: another operator answers than the profile names; no response is sent to it
    device.must("profile", "add", "wrong", "--bsf", "bsf.mnc002.mcc001.pub.3gppnetwork.org", "--connect", chain.tap.address)
    device.must("profile", "use", "wrong")
    before = chain.tap.seen.count(b"GET / ")
    assert device.ue("bootstrap")[1]["error"] == "GBA_E_REALM" and chain.tap.seen.count(b"GET / ") == before + 1
    device.must("profile", "use", "operator")
    # the operator: a device it does not know, and one that is not who it says
    stranger = Device(chain.realm, "stranger", "001019999999999")
    stranger.personalise()
    assert stranger.ue("bootstrap")[0] != 0
    other = chain.device()
    liar = Device(chain.realm, "liar", other.imsi)  # other's name, keys of its own
    liar.personalise()
    assert liar.ue("bootstrap")[1]["error"] == "GBA_E_AKA_MAC"
    # the operator: an application that is not this element's
    btid = device.bootstrap()["btid"]
    assert chain.ask(btid, FORBIDDEN_NAF)[0] == NOT_AUTHORIZED
    assert chain.ask(btid)[0] == 0
    # the application: a token of an operator that it has no agreement with
    assert chain.ask(btid.replace("mnc001", "mnc009"))[0] == FOREIGN_REALM
    # the device: somebody who has the key of another name
    with h_server(keys_of(device, btid)[3][DIGEST], btid) as address:
        assert chain.open(device, address)[0] != 0
    assert chain.open(device, where)[1]["status"] == 200


class h_server:
    """openssl s_server with this key for this B-TID."""

    def __init__(self, key, btid):
        self.port = free_port()
        self.process = subprocess.Popen(["openssl", "s_server", "-accept", "127.0.0.1:%d" % self.port, "-nocert", "-psk", key.hex(),
                                         "-psk_identity", "3GPP-bootstrapping;" + btid, "-tls1_3", "-www"], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def __enter__(self):
        def up():
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", self.port)) == 0
        assert until(up)
        return "127.0.0.1:%d" % self.port

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


IMEI = "352099001761481"


def test_a_token_resolves_to_its_three_parties(chain):
    """From the B-TID, with the operator's own tools: node and realm, device and its identities, the application and where it is.
    Nothing in it was made for the token. REQ: Y3056-8.4-1, Y3056-7.1-10, Y3056-7.2-1, OBF-10.1.3-1, OBF-10.2.3-1"""
    r, device = chain.realm, chain.device()
    r.ctl("realm", "add", "--realm", OPERATOR, "--name", "Op", "--bsf-identity", "bsf-dia." + OPERATOR, "--bsf-url", "http://%s/" % BSF,
          "--hss-identity", "hss." + OPERATOR, "--alias-domain", "apps." + OPERATOR)
    r.ctl("asp", "add", "--type", "cin", "--identity", "L17110MH1973PLC019786", "--name", "Meters")
    r.ctl("app", "add", "--asp", "cin:L17110MH1973PLC019786", "--type", "fqdn", "--identity", NAF, "--name", "Meter", "--push-peer", AGENT)
    r.ctl("verification", "add", "--reference", "c", "--name", "N", "--level", "2", "--verifier", "desk")
    r.ctl("user", "add", "--account", "u", "--verification", "c")
    r.ctl("authentication", "add", "--reference", "d", "--identities", "imei:" + IMEI, "--method", "aka", "--authenticator", "desk")
    r.ctl("device", "add", "--impi", device.impi, "--custodian", "u", "--authentication", "d")
    btid = device.bootstrap()["btid"]
    assert chain.ask(btid)[0] == 0

    rows = [json.loads(line) for line in r.ctl("audit", "show", r.path("bsf", "audit.log"), "--json", "--about", btid).splitlines()]
    keys = [row for row in rows if row["act"] == "zn.key"]
    assert keys and keys[-1]["object"] == btid and keys[-1]["who"] == AGENT and keys[-1]["subject"] == device.impi
    # network and key material (the B-TID is RAND at this BSF), device, application and protocol, kind of run, the user's settings
    assert keys[-1]["why"] == "Ks_NAF for %s %s by 3G GBA_ME, settings %d" % (NAF, DIGEST.hex(), GSID)
    application = keys[-1]["why"].split()[2]
    assert application == NAF
    realm = [json.loads(line) for line in r.ctl("realm", "list", "--json").splitlines()][0]
    assert realm["bsf_url"] == "http://%s/" % btid.split("@")[1] and realm["bsf_identity"].endswith(OPERATOR)
    shown = json.loads(r.ctl("subscriber", "show", keys[-1]["subject"], "--json"))
    assert shown["imsi"] == device.imsi
    bound = [json.loads(line) for line in r.ctl("device", "list", "--json").splitlines()]
    assert any(row["impi"] == device.impi and IMEI in json.dumps(row) for row in bound), bound
    app = [json.loads(line) for line in r.ctl("app", "list", "--json").splitlines()][0]
    assert app["identity"] == application and app["push_peer"] == keys[-1]["who"]
    back = r.ctl("audit", "show", r.path("bsf", "audit.log"), "--json", "--about", device.impi)
    assert btid in back  # and from the device to its tokens


def test_settings_come_from_the_operators_record(chain):
    """What the application element gets is what the authorization element has of this user. REQ: OBF-10.2.2-1, OBF-7.2.1-2"""
    device = chain.device()
    btid = device.bootstrap()["btid"]
    uid = b"sip:%s@example.com" % device.name.encode()
    seen = {gsids: b"".join(chain.ask(btid, gsids=gsids)[2].values()) for gsids in ((1000001,), ())}
    assert uid in seen[1000001,] and uid not in seen[()]


@pytest.mark.parametrize("path", ["IPv4", "IPv6", "octet by octet"])
def test_the_session_works_over_any_path(chain, path):
    """REQ: Y3056-10.5-4, OBF-10.2.4-4, OBF-11.1-3, OBF-11.2-1"""
    device, proxy = chain.device(), (chain.realm.address("proxy"), 443)
    slow = Tap(proxy, slow=True)
    where = {"IPv4": "%s:%d" % proxy, "IPv6": "[::1]:%d" % chain.port6, "octet by octet": slow.address}[path]
    for version in ("--tls1.2", "--tls1.3"):
        status, answer, error = chain.open(device, where, version)
        assert status == 0 and answer["status"] == 200 and device.name in json.dumps(answer), error
    slow.close()


@pytest.mark.parametrize("kind", [{}, dict(keys=TS_35233_SET_1, algorithm="tuak")], ids=["milenage", "tuak"])
def test_families_of_algorithms(chain, kind):
    """REQ: OBF-10.1-3, OBF-10.1.2-b2, Y3056-8.4-5"""
    device = chain.device(**kind)
    btid = device.bootstrap()["btid"]
    assert chain.open(device, chain.realm.address("proxy") + ":443")[1]["status"] == 200
    assert btid.endswith("@" + BSF) and len(base64.b64decode(btid.split("@")[0])) == 16


def test_one_run_is_followed_through_all_nodes(chain):
    """By eight digits that tell nothing of the user. REQ: Y3056-11-8"""
    device = chain.device()
    run = device.bootstrap()
    assert chain.open(device, chain.realm.address("proxy") + ":443")[0] == 0
    corr = run["corr"] if "corr" in run else next(s["corr"] for s in reversed(chain.steps()) if s.get("corr"))
    assert len(corr) == 8 and corr not in device.impi
    want = {"hss.log", "bsf.log", "agent.log", "proxy.log"}

    def found():
        return {os.path.basename(name) for name, text in chain.files().items() if corr.encode() in text}
    assert until(lambda: want <= found()), want - found()


def test_a_revocation_ends_the_session(chain, record_property):
    """From the operator's record to the TLS session at the application. REQ: Y3056-9.2.2-9, Y3056-9.2.2-10, Y3056-9.4.1-6"""
    devices = [chain.device() for _ in range(2)]
    host, port = chain.realm.address("proxy"), 443
    sessions = []
    for device in devices:
        btid = device.bootstrap()["btid"]
        line = ["openssl", "s_client", "-connect", "%s:%d" % (host, port), "-tls1_3", "-psk", keys_of(device, btid)[3][TLS13].hex(),
                "-psk_identity", "3GPP-bootstrapping;" + btid, "-servername", NAF, "-quiet"]
        one = subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        one.stdin.write(b"GET /hello HTTP/1.1\r\nHost: %s\r\n\r\n" % NAF.encode())
        one.stdin.flush()
        assert one.stdout.readline().startswith(b"HTTP/1.1 200")
        sessions.append(one)
    chain.realm.ctl("subscriber", "set", devices[0].impi, "--state", "barred")
    committed = time.monotonic()
    assert until(lambda: sessions[0].poll() is not None)
    record_property("seconds from commit to the session's end", "%.3f" % (time.monotonic() - committed))
    assert sessions[1].poll() is None and chain.open(devices[0], "%s:%d" % (host, port))[0] != 0
    for one in sessions:
        one.kill()
        one.communicate()


@pytest.mark.parametrize("gba_u", [False, True], ids=["keys in the device", "keys in the card"])
def test_one_run_keys_several_services(chain, gba_u):
    """Each with its own, as both ends compute it; the card is asked once. REQ: OBF-7.2.3-2"""
    device = chain.device(gba_u=gba_u)
    btid = device.bootstrap()["btid"]
    given = {}
    for fqdn in (NAF, SECOND_NAF):
        for ua in (DIGEST, TLS13):
            error, given[fqdn, ua], _ = chain.ask(btid, fqdn, ua)
            assert error == 0 and given[fqdn, ua] == keys_of(device, btid, fqdn)[3][ua]
            shown = json.dumps(device.must("token", "key", fqdn, "--ua-id", ua.hex(), "--reveal"))
            assert given[fqdn, ua].hex() in shown and btid in shown
    assert len(set(given.values())) == 4
    runs = [s for s in chain.steps() if s["clause"].endswith("10.4-4b") and s.get("id") == device.impi]
    assert len(runs) == 1


def identity_forms(device):
    """The permanent identity as text, in the digits' own packings and as it travels in headers and logs."""
    digits = device.imsi + "f" * (len(device.imsi) % 2)
    swapped = "".join(digits[i + 1] + digits[i] for i in range(0, len(digits), 2))
    texts = [device.imsi.encode(), device.impi.encode()]
    return texts + [t.hex().encode() for t in texts] + [base64.b64encode(t).rstrip(b"=") for t in texts] + [
        bytes.fromhex(swapped), swapped.encode(), base64.b64encode(b"%s:" % device.impi.encode())[:20]]


def test_nobody_learns_whose_token_it_is(chain):
    """On the way to the operator, on the way to the application, at the application: inside TLS never, in clear but for the first
    contact. What was seen is of no use to who saw it. REQ: Y3056-9.1.1-6, Y3056-11-9"""
    realm = chain.realm
    private, proxy = Tap((realm.address("bsf"), 443)), Tap((realm.address("proxy"), 443))
    device, other = chain.device(), chain.device()
    device.must("profile", "add", "private", "--bsf", BSF, "--url", "https://%s/" % BSF, "--connect", private.address, "--ca-file",
                realm.authority.ca)
    device.must("profile", "use", "private")
    asp = {name: len(text) for name, text in chain.files().items()}
    for _ in range(2):
        device.bootstrap("--force")
        status, answer, error = chain.open(device, proxy.address)
        assert status == 0 and answer["status"] == 200, error
    told = json.dumps(answer)
    assert "sip:%s@example.com" % device.name in told  # the name the operator has given it for this application
    assert private.seen and proxy.seen and until(lambda: b"sip:%s@" % device.name.encode() in chain.asp_tap.seen)
    places = {"towards the operator": private.seen, "towards the application": proxy.seen, "the application's program": chain.asp_tap.seen,
              "its answer": told.encode()}
    places.update((os.path.basename(name), text) for name, text in chain.files().items()
                  if os.path.basename(name).split(".")[0] in ("agent", "proxy", "application"))
    assert {"agent.log", "proxy.log", "agent.audit.log"} <= set(places) and asp
    for place, text in places.items():
        for form in identity_forms(device):
            assert form not in text, (place, form)
    # in clear: at first contact, then under a name that means nothing
    before = len(chain.tap.seen)
    other.bootstrap()
    first = len(chain.tap.seen)
    other.bootstrap("--force")
    assert until(lambda: chain.tap.seen[first:].count(b"<btid>") == 1)
    assert other.impi.encode() in chain.tap.seen[before:first]
    second = chain.tap.seen[first:]
    assert not any(form in second for form in identity_forms(other)) and b"@tmpi." in second
    # who saw it says it again: no token, and no other user's name for the pseudonym
    request = second[second.rindex(b"GET / "):].split(b"\r\n\r\n")[0] + b"\r\n\r\n"
    assert b"response=" in request and b" 401 " in said_to(realm.address("bsf"), request)
    as_user = b'GET / HTTP/1.1\r\nHost: %s\r\nAuthorization: Digest username="sip:%s@example.com", realm="%s", nonce="", uri="/", ' \
              b'response=""\r\n\r\n' % (BSF.encode(), device.name.encode(), BSF.encode())
    assert said_to(realm.address("bsf"), as_user).split(b" ")[1] in (b"400", b"403")
    private.close()
    proxy.close()


def open_files(node):
    """What the process has open."""
    folder, paths = "/proc/%d/fd" % node.pid, []
    for fd in os.listdir(folder):
        try:
            paths.append(os.readlink(os.path.join(folder, fd)))
        except FileNotFoundError:
            pass
    return paths


def test_keys_are_managed_in_one_node(chain):
    """Keys of users are with the authorization element: no other node has its database open, none but its own tool writes there, and
    nothing it says to the others names a key of a user. REQ: OBF-7.1.2-2"""
    r, device = chain.realm, chain.device()
    holders = {name for name, node in r.nodes.items() if any(path.startswith(r.path("hss.db")) for path in open_files(node))}
    assert holders == {"hss"} and {"bsf", "agent", "proxy"} <= set(r.nodes)
    for node in ("bsf", "agent", "proxy"):  # nor are they told where
        with open(r.path({"agent": "naf"}.get(node, node) + ".conf"), encoding="utf-8") as conf:
            text = conf.read()
        assert "hss.db" not in text and "hss.kek" not in text
    before = device.bootstrap("--force")
    new_k = os.urandom(16).hex()
    r.ctl("subscriber", "set", device.impi, "--k-file", "-", stdin=new_k + "\n")  # the tool: the next vector is the new key's
    assert before["btid"] and device.ue("bootstrap", "--force")[1]["error"] == "GBA_E_AKA_MAC"
    for name, text in chain.files().items():
        for secret in (bytes.fromhex(device.k), bytes.fromhex(new_k)):
            assert not any(form in text for form in forms(secret)), name


def said_to(address, octets):
    """First line of the answer."""
    with socket.create_connection((address, 80), 30) as conn:
        conn.sendall(octets)
        return conn.makefile("rb").readline()


def test_the_network_begins_a_bootstrapping(chain):
    """The operator asks for it: the tokens end, the application says so to the device, which bootstraps; on record as the network's.
    REQ: OBF-9.2.3-1"""
    r, device = chain.realm, chain.device()
    where = r.address("proxy") + ":443"
    r.ctl("verification", "add", "--reference", "renew", "--name", "N", "--level", "2", "--verifier", "desk")
    r.ctl("user", "add", "--account", "renew", "--verification", "renew")
    r.ctl("authentication", "add", "--reference", "renew", "--identities", "serial:renew-1", "--method", "aka", "--authenticator", "desk")
    r.ctl("device", "add", "--impi", device.impi, "--custodian", "renew", "--authentication", "renew")

    def entry():
        rows = [json.loads(line) for line in r.ctl("bootstrapping", "list", "--impi", device.impi, "--json").splitlines()]
        return rows[0] if rows else {}
    first = device.bootstrap()["btid"]
    assert chain.open(device, where)[1]["status"] == 200
    assert until(lambda: entry().get("started_by") == "client")
    r.ctl("device", "renew", device.impi)
    assert entry()["asked"]
    assert until(lambda: chain.ask(first)[0] != 0)  # the application has no key of it any more
    status, answer, error = chain.open(device, where)  # nobody at the device has done anything but use the application
    assert status == 0 and answer["status"] == 200 and answer["btid"] != first, error
    assert until(lambda: entry()["started_by"] == "network")
    assert (entry()["network_runs"], entry()["asked"]) == (1, None)
    device.bootstrap("--force")
    assert until(lambda: entry()["started_by"] == "client") and entry()["network_runs"] == 1


def test_no_two_runs_have_a_token_alike(chain):
    """REQ: OBF-10.3-1, Y3056-8.4-4"""
    device = chain.device()
    tokens = [device.bootstrap("--force")["btid"] for _ in range(8)]
    assert len(set(tokens)) == 8 and all(token.endswith("@" + BSF) for token in tokens)
    assert len({keys_of(device, token)[3][DIGEST] for token in tokens}) == 8


def test_reference_points_between_nodes_take_no_clear_connection(chain):
    """Who is configured, and comes without TLS, is not talked to. REQ: Y3056-9.6.1-1, OBF-10.2.1-1, OBF-10.2.1-2, Y3056-11-3"""
    realm = chain.realm
    for node, peer, identity, home, app in (("bsf", "agent", AGENT, "asp.example.com", d.ZN),
                                            ("hss", "bsf", "bsf-dia." + OPERATOR, OPERATOR, d.ZH)):
        realm.nodes.pop(peer).stop(25)  # its place is free
        # DIAMETER_NO_COMMON_SECURITY, RFC 6733 5.3; a node that still ends its last connection may close without a word
        assert until(lambda: "5017" in cea_of(realm.address(node), identity, home, app))


def cea_of(address, identity, home, app):
    """Why there is no connection; "" while the node still has one with the peer of this name."""
    with pytest.raises(ConnectionError) as refused:
        d.Client((address, 3868), identity, home, [app])
    return "" if "5012" in str(refused.value) else str(refused.value)
