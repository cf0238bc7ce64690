# SPDX-License-Identifier: Apache-2.0
"""The registry's REST API: who may do what, and bulk imports with progress, per-row errors and a name to go on under."""
import http.client
import json
import os
import re
import ssl
import subprocess

import pytest
from registrylab import RegistryRealm
from test_records import imei

from peers.waiting import until

JSON_LINES, CSV = "application/x-ndjson", "text/csv"


class Node(RegistryRealm):
    def start_api(self, extra=""):
        self.pem, key = self.path("api.pem"), self.path("api.key")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out",
                        self.pem, "-days", "2", "-subj", "/CN=localhost"], check=True, capture_output=True)
        before = len(self.api_ports())
        self.start_registry(extra='api-listen = "%s:0";\napi-cert = "%s";\napi-key = "%s";\n%s'
                            % (self.address("registry"), self.pem, key, extra))
        assert until(lambda: len(self.api_ports()) > before), self.registry_log()[-2000:]
        self.port = self.api_ports()[-1]

    def api_ports(self):
        """The API's, of each start."""
        log = self.registry_log() if os.path.exists(self.path("registry.log")) else ""
        return [int(port) for port in re.findall(r"REST API on port (\d+)\b", log)]

    def token(self, role, owner=0):
        done = self.run("gba-ctl", "-c", self.path("registry.conf"), "registry", "token", "issue", "--acts-as", role, "--owner", str(owner),
                        "--name", role, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)["token"]

    def call(self, method, path, body=None, token=None, kind="application/json"):
        tls = ssl.create_default_context(cafile=self.pem)
        tls.check_hostname = False
        link = http.client.HTTPSConnection(self.address("registry"), self.port, context=tls, timeout=60)
        head = {"Content-Type": kind} if body is not None else {}
        if token:
            head["Authorization"] = "Bearer " + token
        link.request(method, path, json.dumps(body) if isinstance(body, dict) else body, head)
        answer = link.getresponse()
        text = answer.read()
        link.close()
        return answer.status, json.loads(text) if text else None


@pytest.fixture(scope="module")
def node(tmp_path_factory, server):
    with Node(tmp_path_factory.mktemp("api") / "realm", trace=False, server=server) as realm:
        realm.start_api()
        yield realm


def device(n, **more):
    return dict({"scheme": "imei", "identity": imei(n), "make": "Acme", "model": "One"}, **more)


def test_a_caller_has_one_role(node):
    """REQ: Y3059-9.1-iii: who administers does not read personal data, and cannot give itself the right to."""
    admin, privacy = node.token("admin"), node.token("privacy")
    assert node.call("GET", "/v1/custodians")[0] == 401
    assert node.call("GET", "/v1/self", token=admin)[1]["role"] == "admin"
    status, made = node.call("POST", "/v1/custodians", {"account": "asha", "name": "Asha R", "state": "verified", "verifier": "desk"}, admin)
    assert status == 201 and "name" not in made
    path = "/v1/custodians/%d" % made["id"]
    assert "name" not in node.call("GET", path, token=admin)[1]
    assert node.call("GET", path, token=privacy)[1]["name"] == "Asha R"
    assert node.call("POST", "/v1/tokens", {"acts_as": "privacy", "name": "mallory"}, admin)[0] == 422
    for order in ({"acts_as": "system", "name": "x"}, {"acts_as": "maker", "owner": 99, "name": "x"}, {"acts_as": "admin", "owner": 1, "name": "x"}):
        assert node.call("POST", "/v1/tokens", order, admin)[0] == 422, order
    maker = node.call("POST", "/v1/makers", {"name": "Acme", "policy_url": "https://acme.example/psirt"}, admin)[1]
    status, token = node.call("POST", "/v1/tokens", {"acts_as": "maker", "owner": maker["id"], "name": "acme"}, admin)
    assert status == 201
    other = node.call("POST", "/v1/makers", {"name": "Other"}, admin)[1]
    assert node.call("GET", "/v1/makers/%d" % maker["id"], token=token["token"])[0] == 200
    assert node.call("GET", "/v1/makers/%d" % other["id"], token=token["token"])[0] == 404
    assert node.call("POST", "/v1/devices", device(900), token["token"])[0] == 403
    assert node.call("POST", "/v1/credentials/%d/revoke" % token["id"], {}, admin)[0] == 200
    assert node.call("GET", "/v1/self", token=token["token"])[0] == 401


def test_rows_are_imported_under_a_name(node):
    """A job's rows are done once, however often they are sent; what was wrong with a row is told each time."""
    bulk = node.token("bulk")
    rows = [device(n) for n in range(20)]
    rows[7]["identity"], rows[11]["model"] = "123", None
    body = "".join(json.dumps(row) + "\n" for row in rows)
    path = "/v1/devices/import?mode=rows&job=meters-1"
    status, half = node.call("POST", path, "".join(body.splitlines(True)[:10]), bulk, JSON_LINES)
    assert status == 200 and (half["rows"], half["added"], half["rejected"]) == (10, 9, 1)
    for _ in range(2):
        status, whole = node.call("POST", path, body, bulk, JSON_LINES)
        assert status == 200 and (whole["rows"], whole["added"], whole["kept"], whole["rejected"]) == (20, 18, 0, 2)
        assert [bad["row"] for bad in whole["rejections"]] == [8, 12]
        assert [bad["errors"][0]["pointer"] for bad in whole["rejections"]] == ["/identity", "/model"]
    status, job = node.call("GET", "/v1/imports/meters-1", token=bulk)
    assert status == 200 and job["done"] and (job["rows"], job["added"], job["rejected"]) == (20, 18, 2)
    assert node.call("GET", "/v1/imports/meters-1", token=node.token("agency"))[0] == 404  # another caller's
    assert node.call("POST", "/v1/devices/import?job=x", body, bulk, JSON_LINES)[0] == 400
    assert node.call("POST", "/v1/devices/import?mode=rows&job=a/b", body, bulk, JSON_LINES)[0] == 400
    listed = node.call("GET", "/v1/devices?limit=1000", token=bulk)[1]["items"]
    assert len([one for one in listed if one["make"] == "Acme"]) == 18


def test_rows_may_be_csv(node):
    bulk = node.token("bulk")
    body = ("scheme,identity,make,model,communication\r\n" + 'imei,%s,"Acme, Inc.",Two,4g 5g\r\n' % imei(101) +
            "imei,%s,Acme,Two\r\n" % imei(102) + "imei,%s,Acme,Two,6g\r\n" % imei(103) + "imei,%s,Acme,Two,\r\n" % imei(104))
    status, report = node.call("POST", "/v1/devices/import?mode=rows", body, bulk, CSV)
    assert status == 200 and (report["rows"], report["added"], report["rejected"]) == (4, 2, 2)
    assert [bad["row"] for bad in report["rejections"]] == [2, 3]
    found = node.call("GET", "/v1/devices/key:imei,%s" % imei(101), token=bulk)[1]
    assert found["make"] == "Acme, Inc." and found["communication"] == ["4g", "5g"]
    assert node.call("POST", "/v1/devices/import", "scheme,colour\nimei,red\n", bulk, CSV)[0] == 422
    assert node.call("POST", "/v1/devices/import", body, bulk, "text/plain")[0] == 415


def test_what_is_done_is_audited(node):
    admin = node.token("admin")
    node.call("POST", "/v1/makers", {"name": "Audited"}, admin)
    with open(node.path("registry.db.audit"), encoding="utf-8") as log:
        acts = [json.loads(line).get("act") for line in log]
    assert {"registry.token.issue", "maker.add", "device.import"} <= set(acts)
    verify = node.run("gba-ctl", "audit", "verify", node.path("registry.db.audit"))
    assert verify.returncode == 0, verify.stderr
