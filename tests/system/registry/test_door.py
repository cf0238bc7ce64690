# SPDX-License-Identifier: Apache-2.0
"""Register, Acknowledge, Set, Report at the registry's door, as the application element in front of it passes them on."""
import hashlib
import http.client
import json
import os
import subprocess
import threading
import time

import pytest
from registrylab import IMPI, RegistryRealm

from peers import regdevid as oracle
from peers.waiting import until

IMEI = "490154203237518"
OTHER = "001010000000002@" + IMPI.split("@")[1]
PHONE = {"scheme": "imei", "identity": IMEI, "make": "Acme", "model": "One", "kind": "phone", "root_of_trust": "usim", "firmware": "1.0",
         "software": "2.0", "communication": ["4g", "wlan"], "power": "rechargeable", "protocols": ["http", "coap"]}


def luhn_imei(number):
    body = "35693803%06d" % number
    return body + oracle.luhn(body)


numbers = iter(range(100000))


def phone(**members):
    """A device nobody has seen."""
    return dict(PHONE, identity=luhn_imei(next(numbers)), **members)


@pytest.fixture(scope="module")
def node(tmp_path_factory, server):
    with RegistryRealm(tmp_path_factory.mktemp("door") / "realm", trace=False, server=server) as realm:
        realm.start_registry(extra="report-interval = 100;\nreport-grace = 10;\n")
        yield realm


@pytest.fixture
def door(node):
    return node.door()


def registered(door, device, impi=IMPI):
    """Through both steps; the RegDevID."""
    status, ack = door.ask("POST", "/register", device, impi)
    assert status == 201, ack
    status, done = door.ask("PUT", "/set", {"regdevid": ack["regdevid"], "serial": ack["serial"]}, impi)
    assert status == 200 and done["state"] == "registered", done
    return ack["regdevid"]


def test_effective_only_after_set(node, door):
    """REQ: Y3059-7-iv-a, Y3059-7-iv-b, Y3059-9.2-i-c, Y3059-9.2-i-e: every attribute is kept and given back."""
    status, ack = door.ask("POST", "/register", PHONE)
    assert status == 201 and ack["state"] == "acknowledged"
    assert ack["regdevid"] == oracle.regdevid("prefix", "IN1", "imei", IMEI) and ack["urn"] == "urn:regdevid:" + ack["regdevid"]
    assert ack["regdevid"] not in node.told()
    assert door.ask("POST", "/report", {"regdevid": ack["regdevid"], "seq": 2, "cause": "periodic"})[0] == 409
    assert door.ask("PUT", "/set", {"regdevid": ack["regdevid"], "serial": 9})[0] == 409
    assert door.ask("PUT", "/set", {"regdevid": ack["regdevid"], "serial": ack["serial"]}, OTHER)[0] == 404
    status, done = door.ask("PUT", "/set", {"regdevid": ack["urn"], "serial": ack["serial"]})
    assert status == 200 and done["state"] == "registered"
    assert node.told().count(ack["regdevid"]) == 1
    status, shown = door.ask("GET", "/device?regdevid=" + ack["regdevid"])
    assert status == 200 and {key: shown[key] for key in PHONE} == PHONE
    assert shown["status"] == "white" and shown["state"] == "registered" and shown["impi"] == IMPI
    assert [report["cause"] for report in shown["reports"]] == ["initial"]


def test_repeated_messages_make_no_second_identity(node, door):
    """Lost answers on either side: the same Register and Set again, also at the same time from several connections."""
    device, answers = phone(), []
    threads = [threading.Thread(target=lambda: answers.append(door.ask("POST", "/register", device))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(status for status, _ in answers) == [200] * 7 + [201]
    assert len({(ack["regdevid"], ack["serial"], ack["expires"]) for _, ack in answers}) == 1
    ack = answers[0][1]
    confirm = {"regdevid": ack["regdevid"], "serial": ack["serial"]}
    assert [door.ask("PUT", "/set", confirm)[0] for _ in range(3)] == [200] * 3
    status, again = door.ask("POST", "/register", device)
    assert (status, again["state"], again["serial"]) == (200, "registered", ack["serial"])
    for bad, want in (({"firmware": "x" * 65}, 422), ({"protocols": ["a"] * 100}, 422), ({"kind": "toaster"}, 422), ({"root_of_trust": "none"}, 403)):
        assert door.ask("POST", "/register", dict(device, **bad))[0] == want, bad
    assert node.rows("SELECT rev FROM device WHERE identity = ?", device["identity"]) == [(2,)]  # none of that came of it
    assert node.rows("SELECT count(*) FROM device WHERE identity = ?", device["identity"]) == [(1,)]
    assert node.told().count(ack["regdevid"]) == 1


def test_a_subscription_takes_so_many_identities(node, door):
    """devices-per-subscription: who has one card cannot take what is many others'; the refusal is that of an identity that is taken."""
    impi = "001010000000055@" + IMPI.split("@")[1]
    macs = ["00:1b:63:01:02:%02x" % n for n in range(65)]
    asks = [door.ask("POST", "/register", dict(phone(), scheme="mac", identity=mac), impi) for mac in macs]
    assert [status for status, _ in asks] == [201] * 64 + [403]
    assert door.ask("POST", "/register", dict(phone(), scheme="mac", identity=macs[0]), impi)[0] == 200  # its own, again
    assert asks[-1][1]["errors"] == door.ask("POST", "/register", dict(phone(), scheme="mac", identity=macs[0]), OTHER)[1]["errors"]
    node.change("UPDATE device SET state = 3 WHERE impi = ? AND identity = ?", impi, macs[1])  # retired
    assert door.ask("POST", "/register", dict(phone(), scheme="mac", identity=macs[-1]), impi)[0] == 201


@pytest.mark.parametrize("wrong,status", [
    ({"identity": "490154203237519"}, 422), ({"identity": "4901542032375"}, 422), ({"identity": ""}, 422), ({"scheme": "nothing"}, 422),
    ({"scheme": "advertising", "identity": "f81d4fae-7dec-11d0-a765-00a0c91e6bf6"}, 422), ({"scheme": "imsi", "identity": "001010000000001"}, 422),
    ({"make": ""}, 422), ({"make": 7}, 422), ({"model": "x" * 129}, 422), ({"root_of_trust": "none"}, 403), ({"root_of_trust": "magic"}, 422),
    ({"communication": ["telepathy"]}, 422), ({"communication": "4g"}, 422), ({"firmware": "x" * 65}, 422), ({"firmware": "a\nb"}, 422),
    ({"protocols": ["a b"]}, 422), ({"custodian": "nobody"}, 403), ({"custodian": 1}, 403), ({"state": "registered"}, 422),
    ({"status": "white"}, 422), ({"impi": OTHER}, 422), ({"regdevid": "IN1-IMEI-490154203237518-D2"}, 422), ({"identities": "x"}, 422),
    ({"identities": [{"scheme": "imei", "value": "1"}]}, 422), ({"identities": [{"scheme": "nothing", "value": "1"}]}, 422),
    ({"identities": [{}] * 17}, 422), ({"identities": [[[]]]}, 422), ({"identities": {"a": 1}}, 422),
    ({"identities": [{"scheme": "mac", "value": "00:1b:63:84:45:e7", "more": 1}]}, 422)])
def test_a_bad_registration_changes_nothing(node, door, wrong, status):
    """REQ: Y3059-6.1-2, Y3059-7-iii, TEC-A1-13, Y3059-9.2-i-d"""
    before = node.rows("SELECT (SELECT count(*) FROM device), (SELECT count(*) FROM report), (SELECT count(*) FROM device_identity)")
    got, problem = door.ask("POST", "/register", dict(phone(), **wrong))
    assert got == status and problem["status"] == status, problem
    assert node.rows("SELECT (SELECT count(*) FROM device), (SELECT count(*) FROM report), (SELECT count(*) FROM device_identity)") == before
    if not {"identity", "scheme", "make", "model"} & set(wrong):  # the same of one that is being registered
        one = phone()
        assert door.ask("POST", "/register", one)[0] == 201
        assert [door.ask("POST", "/register", dict(one, **more))[0] for more in (wrong, {})] == [status, 200]


def test_what_is_no_request(door):
    for body, status in (("{", 400), ("[]", 400), ("", 400), ('{"a":1,"a":2}', 400), ("x" * 20000, 413), ("[" * 100, 400)):
        assert door.ask("POST", "/register", body)[0] == status
    assert door.ask("POST", "/nothing", {})[0] == 404 and door.ask("GET", "/register")[0] == 405
    assert door.ask("GET", "/device")[0] == 422 and door.ask("GET", "/device?regdevid=IN1-IMEI-490154203237518-D3")[0] == 404


def test_who_has_no_token_is_not_heard(node, door):
    """REQ: Y3059-9.2-n, Y3059-10-1, Y3059-8-2: not without an IMPI of the application element, not from another user."""
    assert door.ask("POST", "/register", phone(), impi=None)[0] == 401
    for identity in ("", "alice", '", "'):
        assert door.ask("POST", "/register", phone(), None, ['X-3GPP-Asserted-Identity: "%s"' % identity])[0] == 401
    script = ("import json, sys; sys.path[:0] = [%r, %r, %r]\nfrom registrylab import Door\n"
              "print(Door(%r).ask('POST', '/register', %r)[0])" % ("tests", "tools", "tests/system/registry", door.path, phone()))
    folder = node.folder
    for _ in range(4):  # pytest's folders are for their owner alone
        subprocess.run(["chmod", "o+x", folder], check=True)
        folder = folder.rsplit("/", 1)[0]
    done = subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "/usr/bin/python3", "-c", script], text=True,
                          capture_output=True, cwd=node.tree.top, check=False)
    assert done.stdout.strip() == "403", done.stderr


def test_identities_belong_to_who_registered_them(node, door):
    """Another subscription does not take a device over, unless its custodian answers for both."""
    device = phone()
    registered(door, device)
    assert door.ask("POST", "/register", device, OTHER)[0] == 403
    assert door.ask("POST", "/register", dict(device, model="Two"))[0] == 403


def test_the_custodian_is_checked(node, door):
    """REQ: Y3059-9.2-i-d: known, verified, and answering for this device by its code or its list."""
    code = "open sesame"
    for account, state, impis, hash_ in (("acme", 1, None, hashlib.sha256(code.encode()).hexdigest()), ("fleet", 1, IMPI, None),
                                        ("late", 0, IMPI, None), ("bad", 2, IMPI, None), ("gone", 3, IMPI, None)):
        node.change("INSERT INTO custodian (rev, created, changed, account, kind, state, level, checked, impis, code_hash)"
                    " VALUES (1, 0, 0, ?, 0, ?, 0, 0, ?, ?)", account, state, impis, hash_)
    for account in ("acme", "late", "bad", "gone"):
        assert door.ask("POST", "/register", phone(custodian=account, custodian_code="wrong"))[0] == 403, account
    device = phone(custodian="acme", custodian_code=code)
    registered(door, device)
    registered(door, phone(custodian="fleet"))
    assert door.ask("POST", "/register", dict(device, custodian_code="x"), OTHER)[0] == 403
    status, ack = door.ask("POST", "/register", device, OTHER)  # the SIM was changed
    assert status == 201 and ack["serial"] == 2
    assert code not in "".join(row[0] for row in node.rows("SELECT body FROM report"))
    assert code not in node.registry_log()


def test_too_late_to_confirm(node, door):
    ack = door.ask("POST", "/register", device := phone())[1]
    node.change("UPDATE device SET expires = 1 WHERE regdevid = ?", ack["regdevid"])
    assert door.ask("PUT", "/set", {"regdevid": ack["regdevid"], "serial": ack["serial"]})[0] == 409
    status, again = door.ask("POST", "/register", device)
    assert status == 201 and again["regdevid"] == ack["regdevid"] and again["serial"] == ack["serial"] + 1
    assert door.ask("PUT", "/set", {"regdevid": ack["regdevid"], "serial": ack["serial"]})[0] == 409
    assert door.ask("PUT", "/set", {"regdevid": again["regdevid"], "serial": again["serial"]})[0] == 200


def test_reports_are_kept_with_their_times(node, door):
    """REQ: Y3059-7-iv-c, Y3059-9.3-ii-a, Y3059-9.3-iv-b, Y3059-9.3-i-c: the whole history, and no report twice."""
    begun, name = time.time(), registered(door, phone())
    changes = [{"firmware": "1.1"}, {}, {"communication": ["5g"], "power": "mains"}, {"firmware": "1.1"}]
    for seq, change in enumerate(changes, 2):
        report = dict(change, regdevid=name, seq=seq, cause="change" if change else "periodic")
        assert door.ask("POST", "/report", report)[0] == 201
        assert door.ask("POST", "/report", report)[0] == 200  # its answer was lost
        assert door.ask("POST", "/report", dict(report, software="9"))[0] == 409
    assert door.ask("POST", "/report", {"regdevid": name, "seq": 2, "cause": "change", "firmware": "1.1"})[0] == 409
    assert door.ask("POST", "/report", {"regdevid": name, "seq": 9, "cause": "periodic"})[0] == 422
    assert door.ask("POST", "/report", {"regdevid": name, "seq": 6, "cause": "boredom"})[0] == 422
    assert door.ask("POST", "/report", {"regdevid": name, "seq": 6, "cause": "periodic", "status": "white"})[0] == 422
    assert door.ask("POST", "/report", {"regdevid": name, "seq": 6, "cause": "periodic"}, OTHER)[0] == 404
    shown = door.ask("GET", "/device?regdevid=" + name)[1]
    assert [report["seq"] for report in shown["reports"]] == [5, 4, 3, 2, 1]
    assert [{k: v for k, v in r["body"].items() if k not in ("regdevid", "seq", "cause")} for r in shown["reports"][:4]] == changes[::-1]
    assert all(begun - 2 <= report["at"] <= time.time() + 1 for report in shown["reports"])
    assert (shown["firmware"], shown["communication"], shown["power"]) == ("1.1", ["5g"], "mains")
    rows = node.rows("SELECT report.changed FROM report JOIN device ON device.id = report.device WHERE regdevid = ? ORDER BY seq", name)
    assert [json.loads(text) if text else None for text, in rows] == [
        None, {"firmware": ["1.0", "1.1"]}, None, {"communication": [["4g", "wlan"], ["5g"]], "power": ["rechargeable", "mains"]}, None]


def test_overdue_devices_are_flagged(node, door):
    """REQ: Y3059-9.3-i-c: and are no longer when they have reported."""
    name = registered(door, phone())
    node.change("UPDATE device SET report_due = ? WHERE regdevid = ?", int(time.time()) - 11, name)
    assert until(lambda: door.ask("GET", "/device?regdevid=" + name)[1]["overdue"])
    assert door.ask("POST", "/report", {"regdevid": name, "seq": 2, "cause": "periodic"})[0] == 201
    assert door.ask("GET", "/device?regdevid=" + name)[1]["overdue"] is False


def test_virtual_identities(node, door):
    """REQ: Y3059-3.2-6, Y3059-9.2-i-f: nothing in them is of the device, nor of each other."""
    name = registered(door, phone())
    asked = [door.ask("POST", "/virtual", {"regdevid": name, "kind": kind, "seconds": 60, "audience": "enquirer:5"}) for kind in ("timed", "single")]
    assert [status for status, _ in asked] == [201, 201]
    texts = [answer["regdevid"] for _, answer in asked]
    assert texts[0] != texts[1] and all(oracle.check(text[:-2]) == text[-2:] and text.startswith("IN1-VID-") for text in texts)
    assert not any(text[8:40] in repr(node.rows("SELECT * FROM virtual_id")) for text in texts)
    for wrong in ({"kind": "eternal"}, {"seconds": 0}, {"seconds": 10 ** 10}, {"audience": "x" * 97},
                  {"audience": "shop"}, {"audience": "enquirer:"}, {"audience": "device:5"}):
        assert door.ask("POST", "/virtual", dict({"regdevid": name, "kind": "timed", "seconds": 60}, **wrong))[0] == 422
    assert door.ask("POST", "/virtual", {"regdevid": name, "kind": "timed", "seconds": 60}, OTHER)[0] == 404


def test_virtual_identities_are_forgotten(node, door):
    """REQ: Y3059-3.2-6: when their time is over, by the node itself."""
    name = registered(door, phone())
    assert door.ask("POST", "/virtual", {"regdevid": name, "kind": "timed", "seconds": 1})[0] == 201
    of_it = "SELECT count(*) FROM virtual_id JOIN device ON device.id = virtual_id.device WHERE device.regdevid = ?"
    assert until(lambda: node.rows(of_it, name) == [(0,)])


def test_kill_9_leaves_one_identity(tmp_path, server):
    """REQ: Y3059-9.2-i-c: whatever the moment, the device that asks again gets the one that was given."""
    with RegistryRealm(tmp_path / "realm", trace=False, server=server) as node:
        node.start_registry()
        door, devices, seen = node.door(), [phone() for _ in range(40)], {}

        def walk():
            try:
                for device in devices:
                    ack = door.ask("POST", "/register", device)[1]
                    seen[device["identity"]] = ack
                    door.ask("PUT", "/set", {"regdevid": ack["regdevid"], "serial": ack["serial"]})
            except (OSError, ValueError, http.client.HTTPException):
                pass

        for round_ in range(3):
            walker = threading.Thread(target=walk)
            walker.start()
            assert until(lambda: len(seen) > 8 * (round_ + 1))
            node.nodes["registry"].kill()
            walker.join()
            node.start_registry()
        for device in devices:
            ack = door.ask("POST", "/register", device)[1]
            assert device["identity"] not in seen or ack["serial"] == seen[device["identity"]]["serial"]
            assert door.ask("PUT", "/set", {"regdevid": ack["regdevid"], "serial": ack["serial"]})[0] == 200
        assert node.rows("SELECT count(*), count(DISTINCT regdevid) FROM device WHERE state = 2") == [(40, 40)]
        assert len(node.told()) == len(set(node.told())) == 40


@pytest.mark.parametrize("reg_type", ["sectoral", "geographical"])
def test_registries_above_refer_down(tmp_path, reg_type):
    """REQ: Y3059-6.1-13"""
    with RegistryRealm(tmp_path / "realm", trace=False) as node:
        node.start_registry(reg_type=reg_type, extra='primaries = [ "https://register.asp.example/" ];\n')
        status, problem = node.door().ask("POST", "/register", phone())
        assert status == 409 and "https://register.asp.example/" in problem["detail"]
        assert node.rows("SELECT count(*) FROM device") == [(0,)]


def test_policies(tmp_path):
    """A device without root of trust is Grey where it may come at all; the identity is hidden, the RegID behind, the custodian needed."""
    with RegistryRealm(tmp_path / "realm", trace=False) as node:
        node.start_registry(extra='root-of-trust = "grey";\nhide-identity = true;\nregdevid-form = "suffix";\nurn-namespace = "x-reg";\n')
        status, ack = node.door().ask("POST", "/register", dict(phone(), root_of_trust="none"))
        assert status == 201 and ack["regdevid"].startswith("HID-") and "--IN1-" in ack["regdevid"]
        assert ack["urn"] == "urn:x-reg:" + ack["regdevid"]
        assert node.door().ask("PUT", "/set", {"regdevid": ack["regdevid"], "serial": ack["serial"]})[0] == 200
        assert node.rows("SELECT status FROM device") == [(0,)]
        assert node.told() == [ack["regdevid"]] and "3569380" not in repr(node.rows("SELECT wire FROM event"))
        node.nodes["registry"].kill()
        ctl = [node.tree.program("gba-ctl"), "--config", node.path("registry.conf"), "registry", "device", "retire", "1"]
        subprocess.run(ctl, check=True, capture_output=True, timeout=60, env=dict(os.environ, **node.tree.environment()))
        assert node.told("device.removed") == [ack["regdevid"]]  # whom they have heard of, others hear the end of
        node.start_registry(extra="custodian-required = true;\n")
        assert node.door().ask("POST", "/register", phone())[0] == 403
