# SPDX-License-Identifier: Apache-2.0
"""doc/asp-guide.md from the bundle to the first request by each protocol: every command and every configuration as it stands there, run
as one script. Only addresses are led to the laboratory's: by a program that stands before each of the guide's.

REQ: Y3056-10.2-1c, Y3056-10.1-3b, OBF-11.2-1"""
import json
import os
import re
import subprocess
import sys
import types

import pytest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
sys.path.insert(0, os.path.join(TOP, "tools"))

from lab import rest  # noqa: E402
from lab.flows import Flows  # noqa: E402
from lab.process import Process, free_port, wait_until  # noqa: E402
from lab.realm import BSF_DIAMETER, HSS, NAF, OPERATOR, Realm, q  # noqa: E402

AGENT = "agent." + NAF
PAGE = open(os.path.join(TOP, "doc", "asp-guide.md"), encoding="utf-8").read()
STAND_IN = r'''
import json, os, re, subprocess, sys, time
name, words = sys.argv[1], sys.argv[2:]
place = json.load(open(os.environ["PLACE"]))
def here(text):
    for old, new in place["texts"]:
        text = text.replace(old, new)
    return text
def conf_of(path):
    text = here(open(path).read())
    if os.path.basename(path) == "freeDiameter.conf":
        for extension, file in place["extensions"].items():
            text = re.sub('"[^"]*/%s.fdx"' % extension, '"%s"' % file, text)
        text = text.replace("\nPort = 3868;\nSecPort = 5868;", "\nPort = %d;\nSecPort = 0;" % place["port"])
    with open(path + ".here", "w") as out:
        out.write(text)
    return path + ".here"
background = any(word in ("-c", "http.server", "--listen", "--bind") for word in words) or name == "python3" and len(words) == 3
words = [conf_of(word) if before == "-c" and os.path.exists(word) else here(word) for before, word in zip([""] + words, words)]
real = place["programs"][name]
if name == "curl":
    words = [word for row in place["connect"] for word in ("--connect-to", row)] + words
if name in ("mosquitto_pub", "coap-client-openssl"):
    words = [word.replace(place["naf"], place["front"]) for word in words]
if name == "gba-ue":
    url = next((word for word in words if "://" in word), "")
    port = {"http": "80", "https": "443", "coaps": "5684"}.get(url.split(":")[0], url.rsplit(":", 1)[-1])
    words = ["--state", place["state"]] + words + (["--connect", "%s:%s" % (place["front"], port)] if url else [])
for attempt in range(40):  # what was started a moment ago may not listen yet
    if background:
        os.execvp(real, [real] + words)
    done = subprocess.run([real] + words, stdout=subprocess.PIPE)
    # coap-client is content with no answer
    status = done.returncode or int(name.startswith("coap-client") and (not done.stdout or b"refused" in done.stdout))
    if status == 0:
        sys.stdout.buffer.write(done.stdout)
        sys.stdout.flush()
    if status == 0 or attempt == 39:
        sys.exit(status)
    time.sleep(0.5)
'''
PROGRAMS = ["curl", "gba-naf-agent", "gba-naf-proxy", "gba-naf-mqtt", "gba-naf-coap", "gba-ue", "mosquitto", "mosquitto_pub",
            "coap-client-openssl", "redis-server", "redis-cli", "python3"]


def blocks(kind):
    return re.findall(r"^```%s\n(.*?)^```" % kind, PAGE, re.M | re.S)


class CertifiedRealm(Realm):
    """Its nodes have certificates of the realm's own CA, as the bundle's agent has."""

    def daemon_conf(self, node, identity, *rest_of):
        ca = self.path("ca")
        made = json.loads(self.ctl("--json", "ca", "issue", identity, "--dns", identity, "--ca-dir", ca, "--key-out",
                                   os.path.join(self.authority.folder, identity + ".key")))
        with open(os.path.join(self.authority.folder, identity + ".pem"), "w", encoding="ascii") as out:
            out.write(made["certificate"])
        path = super().daemon_conf(node, identity, *rest_of)
        with open(path, "r+", encoding="ascii") as conf:
            text = conf.read().replace(q(self.authority.ca), q(os.path.join(ca, "ca.pem")))
            conf.seek(0)
            conf.write(text)
            conf.truncate()
        return path


class Guided(Flows):
    """The operator's side up to the point where the guide begins: an application on board, a user who may use it."""

    def hss_conf(self):
        return super().hss_conf() + "naf-connect-to = %s;\n" % q(self.realm.address("bsf"))

    def start_bsf(self):
        realm = self.realm
        nafs = '{ identity = %s; fqdns = [ %s ]; gsids = [ "*" ]; impi-allowed = true; }' % (q(AGENT), q(NAF))
        guard = realm.guard_conf("bsf", [(HSS, ["zh", "rpb"]), (AGENT, ["zn", "rpa"])])
        daemon = realm.daemon_conf("bsf", BSF_DIAMETER, OPERATOR, [("dict_gba", ""), ("dict_y3056", ""), ("gba_guard", guard),
                                                                  ("bsf", realm.bsf_conf(nafs=nafs))],
                                   [(HSS, realm.address("hss")), (AGENT, None)])
        realm.start_daemon("bsf", daemon, 80)


@pytest.fixture(scope="module")
def operator(tmp_path_factory):
    with CertifiedRealm(str(tmp_path_factory.mktemp("guide"))) as realm:
        flows = Guided(realm, types.SimpleNamespace(json=False, quiet=True))
        realm.start_hss(extra=flows.hss_conf())
        flows.start_bsf()
        flows.device.provision(guss=False)
        flows.device.personalise("--announce")
        flows.deployment()
        flows.on_boarding()
        record = flows.operator.get("/v1/applications/%d" % flows.application["id"])
        flows.operator.patch(record, "applications", {"ua_ids": ["0100000007", "0100000002", "010001ccac"]})
        flows.people()
        flows.heard = lambda: True  # nobody to push to yet
        flows.trust_extension()
        key_as_text(flows.device)
        yield flows


def key_as_text(device):
    """coap-client takes keys as text: a token whose key can be given as one."""
    for _ in range(60):
        device.bootstrap("--force")
        key = bytes.fromhex(device.must("token", "key", NAF, "--ua-id", "010001ccac", "--reveal")["key"])
        if b"\0" not in key and not key.endswith(b"\n"):
            return
    raise AssertionError("sixty keys with a NUL")


def api_name(realm):
    """What the API's certificate is for."""
    return next(name[:-4] for name in sorted(os.listdir(realm.authority.folder)) if name.startswith("api.") and name.endswith(".pem"))


def extensions(realm):
    return {name: realm.tree.extension(name) for name in ("dict_gba", "dict_y3056", "gba_guard", "naf")}


def stand_ins(folder, flows):
    """A folder of programs that lead the guide's commands to this laboratory."""
    realm, folder = flows.realm, str(folder)
    front, local = realm.address("proxy"), realm.address("ue")
    place = {
        "naf": NAF, "front": front, "state": flows.device.state, "port": free_port(), "extensions": extensions(realm),
        "connect": ["%s:80:%s:80" % (NAF, front), "%s:443:%s:443" % (NAF, front), "%s:%d:%s:%d" % (api_name(realm), rest.API_PORT,
                                                                                           realm.address("hss"), rest.API_PORT)],
        "programs": {"python3": "/usr/bin/python3"},
        "texts": [["0.0.0.0", front], ["127.0.0.1", local], ["listener 8883\n", "user root\nlistener 8883 %s\n" % front],
                  ["/usr/local/lib/gba-suite/gba_mqtt.so", realm.tree.plugin("gba_mqtt.so")], ["/etc/gba/", ""],
                  ["/usr/local/share/gba-suite/lab", os.path.join(TOP, "tools", "lab")],
                  ["unix:application.sock", "unix:" + os.path.join(folder, "application.sock")],
                  ["1000001", str(flows.application["gsid"])]]}
    for name in PROGRAMS:
        place["programs"].setdefault(name, realm.tree.program(name))
    with open(os.path.join(folder, "place.json"), "w", encoding="ascii") as out:
        json.dump(place, out)
    with open(os.path.join(folder, "stand_in.py"), "w", encoding="ascii") as out:
        out.write(STAND_IN)
    os.mkdir(os.path.join(folder, "bin"))
    for name in PROGRAMS:
        path = os.path.join(folder, "bin", name)
        with open(path, "w", encoding="ascii") as out:
            out.write('#!/bin/sh\nexec /usr/bin/python3 %s/stand_in.py %s "$@"\n' % (folder, name))
        os.chmod(path, 0o755)


def test_the_page_is_true(operator, tmp_path):
    realm = operator.realm
    stand_ins(tmp_path, operator)
    for kind, name in (("stream", "stream.conf"), ("mosquitto", "mosquitto.conf"), ("naf-mqtt", "naf-mqtt.conf"), ("coap", "coap.conf"),
                       ("ws", "ws.conf")):
        (text,) = blocks(kind)
        (tmp_path / name).write_text(text.replace("1000001", str(operator.application["gsid"])))
    script = "set -eux -o pipefail\ntrap 'kill $(jobs -p)' EXIT\n" + "".join(blocks("sh")).replace(
        "cd gba-naf-%s\n" % NAF, "cd gba-naf-%s\ncp ../*.conf .\n" % NAF)
    assert len(blocks("sh")) >= 10
    environment = dict(os.environ, **realm.tree.environment(), PATH=str(tmp_path / "bin") + ":" + os.environ["PATH"] + ":/usr/sbin",
                       PLACE=str(tmp_path / "place.json"), API="https://%s:%d" % (api_name(realm), rest.API_PORT),
                       APP=str(operator.application["id"]), ASP="Authorization: Bearer " + operator.asp.token, USER="root",
                       ME=operator.permission["pseudonym"], GBA_NAF_SOCKET=str(tmp_path / "naf.sock"),
                       CURL_CA_BUNDLE=realm.authority.ca)
    backing = Process("application", ["/usr/bin/python3", os.path.join(TOP, "tools", "lab", "app.py"), "unix:" + str(tmp_path / "application.sock"),
                                      "0"], str(tmp_path / "app.out")).start()
    try:
        wait_until(lambda: os.path.exists(tmp_path / "application.sock"), 30, "the application listens")
        done = subprocess.run(["bash", "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, errors="replace", timeout=180,
                              check=False)
    finally:
        backing.stop()
    folder = tmp_path / ("gba-naf-" + NAF)
    logs = "".join("%s:\n%s\n" % (path.name, path.read_text(errors="replace")[-1500:]) for path in folder.glob("*.log")) if folder.exists() else ""
    assert done.returncode == 0, done.stdout[-1500:] + done.stderr[-3000:] + logs
    assert "PONG" in done.stdout and done.stdout.count("the first request") == 3
    assert "hello " + operator.permission["pseudonym"] in done.stdout and done.stdout.count(operator.permission["pseudonym"]) >= 2
    assert operator.device.impi not in done.stdout
    assert "id=" + operator.permission["pseudonym"] in logs


@pytest.mark.parametrize("program,kind", [("gba-naf-proxy", "stream"), ("gba-naf-proxy", "ws"), ("gba-naf-mqtt", "naf-mqtt")])
def test_configurations_are_good(operator, tmp_path, program, kind):
    (text,) = blocks(kind)
    (tmp_path / "conf").write_text(text)
    done = operator.realm.run(program, "--check-config", tmp_path / "conf")
    assert done.returncode == 0, done.stderr
