# SPDX-License-Identifier: Apache-2.0
"""gba-ue bootstrap against a BSF written in Python: what is sent, what is accepted, what stops a run."""

import json
import os
import socket
import subprocess
import threading
import time

import pytest

from conftest import BSF, EXAMPLE, IMPI, K, OPC
from peers.digest import response_of
from peers.fake_bsf import FakeBsf
from peers.waiting import until

RAND = bytes.fromhex(EXAMPLE["input"]["rand"])


def test_worked_example_on_the_wire(ue, bsf):
    """Both requests as TS 24.109 A.3 shows them; cnonce and what follows from it recomputed. REQ: Y3056-10.4-2c, Y3056-8.5-c,
    Y3056-8.1.1-1, Y3056-9.3-2, Y3056-9.6.3-1, OBF-7.1.1-1, OBF-8.5-1"""
    bsf.rands, bsf.users[IMPI].sqn = [RAND], 1
    ue.equip(bsf)
    run = ue.json("bootstrap")
    assert run["btid"] == EXAMPLE["b_tid"] and run["fresh"] and run["tmpi"]
    first, second = bsf.requests
    assert len(bsf.requests) == 2
    assert first[1]["Host"] == BSF and first[1]["Authorization"] == EXAMPLE["ub"]["step1_request"]["Authorization"]
    assert first[1]["User-Agent"].split()[0].startswith("gba-ue/") and "3gpp-gba-tmpi" in first[1]["User-Agent"].split()
    want = dict(username=IMPI, realm=BSF, uri="/", qop="auth-int", nc="00000001", algorithm="AKAv1-MD5",
                nonce=EXAMPLE["ub"]["step2_401"]["WWW-Authenticate"].split('nonce="')[1].split('"')[0])
    assert {name: second[0][name] for name in want} == want
    assert second[0]["response"] == response_of("MD5", second[0], BSF, bytes.fromhex(EXAMPLE["aka"]["xres"]), "GET", b"")
    order = [part.split("=")[0].strip() for part in second[1]["Authorization"][7:].split(", ")]
    assert order == [part.split("=")[0].strip() for part in EXAMPLE["ub"]["step3_request"]["Authorization"][7:].split(", ")]
    key = ue.json("token", "key", EXAMPLE["input"]["naf_fqdn"], "--reveal")
    assert key["key"] == EXAMPLE["keys"]["http_digest_ua"]["ks_naf"]
    assert key["digest-password"] == EXAMPLE["keys"]["http_digest_ua"]["ks_naf_base64"]
    assert key["naf-id"] == EXAMPLE["keys"]["http_digest_ua"]["naf_id"]
    assert ue.json("token", "show")["next-username"] == EXAMPLE["keys"]["tmpi"]["tmpi"]


def test_second_call_uses_the_stored_token(ue, bsf):
    """REQ: Y3056-10.4-0, OBF-12.1-1"""
    ue.equip(bsf)
    first = ue.json("bootstrap")
    second = ue.json("bootstrap")
    assert first["btid"] == second["btid"] and first["fresh"] and not second["fresh"] and len(bsf.requests) == 2


def test_tmpi_hides_the_identity_and_falls_back(ue, bsf):
    """REQ: Y3056-7.5-6b"""
    ue.equip(bsf)
    ue.json("bootstrap")
    tmpi = bsf.tmpi_of(bsf.sessions[bsf.order[0]])
    ue.json("bootstrap", "--force")
    assert [fields["username"] for fields, _ in bsf.requests[2:]] == [tmpi, tmpi]
    assert not any(IMPI in str(headers) for _, headers in bsf.requests[2:])
    bsf.tmpis = {}  # the BSF lost its memory: 403 to the TMPI
    run = ue.json("bootstrap", "--force")
    assert [fields["username"].split("@")[1] for fields, _ in bsf.requests[4:]] == ["tmpi.bsf.3gppnetwork.org"] + [IMPI.split("@")[1]] * 2
    assert run["btid"] == bsf.order[-1]


def test_tmpi_forgotten_between_the_legs(ue, bsf):
    """The user's contexts end, by a notice of the operator, just after the challenge: 404 to the TMPI, and a new run with the IMPI."""
    ue.equip(bsf)
    ue.json("bootstrap")

    def forget(handler, number):
        if number == 4:
            bsf.tmpis = {}
            handler.answer(404)
        return number == 4
    bsf.on_request = forget
    run = ue.json("bootstrap", "--force")
    assert [fields["username"].split("@")[1] for fields, _ in bsf.requests[2:]] == (["tmpi.bsf.3gppnetwork.org"] * 2 +
                                                                                    [IMPI.split("@")[1]] * 2)
    assert run["btid"] == bsf.order[-1] and len(bsf.order) == 2


def test_bsf_without_tmpi_is_told_the_impi(ue):
    with FakeBsf(BSF, tmpi=False) as bsf:
        bsf.add(IMPI, K, OPC)
        ue.equip(bsf)
        assert not ue.json("bootstrap")["tmpi"]
        ue.json("bootstrap", "--force")
        assert {fields["username"] for fields, _ in bsf.requests} == {IMPI}


def test_resynchronisation(ue, bsf):
    """A USIM ahead of the network sends AUTS, with the response of an empty password, and takes the next challenge."""
    ue.equip(bsf, sqn="000000100000")
    run = ue.json("bootstrap")
    assert run["resyncs"] == 1 and len(bsf.requests) == 3
    assert "auts" in bsf.requests[1][0] and "auts" not in bsf.requests[2][0]
    assert bsf.users[IMPI].sqn == 0x100000 + 32


def test_resynchronisation_is_tried_once(ue, bsf):
    ue.equip(bsf, sqn="000000100000")
    bsf.users[IMPI].card.check_auts = lambda rand, auts: 0  # an HSS that does not learn
    assert ue.json("bootstrap", status=1)["error"] == "GBA_E_AKA_SYNC"
    assert len(bsf.requests) == 2


@pytest.mark.parametrize("algorithm", ["AKAv1-MD5", "AKAv2-MD5"])
def test_algorithms(ue, algorithm):
    with FakeBsf(BSF, algorithm=algorithm) as bsf:
        bsf.add(IMPI, K, OPC)
        ue.equip(bsf)
        assert ue.json("bootstrap")["btid"] == bsf.order[0]
        assert bsf.requests[1][0]["algorithm"] == algorithm


def test_gba_u_keeps_ks_in_the_card(ue, bsf):
    """REQ: Y3056-8.1.1-2"""
    bsf.add(IMPI, K, OPC, gba_u=True)
    ue.equip(bsf, gba_u=True)
    run = ue.json("bootstrap")
    assert run["gba-u"] and run["tmpi"]
    session = bsf.sessions[run["btid"]]
    assert ue.json("token", "key", "naf.example.org", "--reveal")["key"] == session.ks_naf("naf.example.org", "0100000002").hex()
    assert ue.json("token", "show")["next-username"] == bsf.tmpi_of(session)
    assert ue.json("usim", "show")["btid"] == run["btid"]


def test_plain_mac_on_a_gba_u_card(ue, bsf):
    ue.equip(bsf, gba_u=True)
    assert ue.json("bootstrap", status=6)["error"] == "GBA_E_AKA_MAC"


def swap(old, new):
    return lambda text: text.replace(old, new)


def test_wrong_realm_is_refused(ue, bsf):
    """REQ: Y3056-10.4-2b"""
    ue.equip(bsf)
    bsf.on_challenge = swap('realm="%s"' % BSF, 'realm="bsf.evil.example"')
    assert ue.json("bootstrap", status=6)["error"] == "GBA_E_REALM"
    assert len(bsf.requests) == 1 and ue.json("usim", "show")["sqn-ms"] == "000000000000"


def test_challenge_of_another_network(ue, bsf):
    """REQ: OBF-12.2-2, OBF-8.1-1"""
    ue.equip(bsf)
    bsf.add(IMPI, "00" * 16, OPC)
    assert ue.json("bootstrap", status=6)["error"] == "GBA_E_AKA_MAC"
    assert len(bsf.requests) == 1


def wrong_rspauth(headers, body):
    return [(n, v.replace('rspauth="', 'rspauth="0') if n == "Authentication-Info" else v) for n, v in headers], body


def no_rspauth(headers, body):
    return headers[1:], body


def other_lifetime(headers, body):
    return headers, body.replace(b"20", b"29", 1)


def garbage_body(headers, body):
    return headers, b"\x00\xff<<<"


@pytest.mark.parametrize("fault", [wrong_rspauth, no_rspauth, other_lifetime, garbage_body])
def test_a_network_that_does_not_prove_itself(ue, bsf, fault):
    """rspauth covers the body: nothing of such an answer is used. REQ: OBF-7.2.3-1, Y3056-9.3-1"""
    ue.equip(bsf)
    bsf.on_done = fault
    assert ue.json("bootstrap", status=6)["error"] == "GBA_E_DIGEST_MISMATCH"
    assert ue.json("token", "list") == {"realms": [], "applications": []}


@pytest.mark.parametrize("status,location", [(301, True), (302, True), (307, True), (308, True)])
def test_redirects_are_refused(ue, bsf, status, location):
    with FakeBsf(BSF) as other:
        ue.equip(bsf)
        bsf.on_request = lambda handler, n: handler.answer(status, [("Location", "http://%s/" % other.address)]) or True
        assert ue.json("bootstrap", status=1)["error"] == "GBA_E_PEER"
        assert len(bsf.requests) == 1 and not other.requests


def test_403_is_final(ue, bsf):
    ue.equip(bsf)
    bsf.users.clear()
    assert ue.json("bootstrap", status=4)["error"] == "GBA_E_NOT_AUTHORIZED"
    assert len(bsf.requests) == 1


def test_503_is_waited_out_once(ue, bsf):
    ue.equip(bsf)
    bsf.on_request = lambda handler, n: n == 1 and (handler.answer(503, [("Retry-After", "1")]) or True)
    began = time.monotonic()
    assert ue.json("bootstrap")["fresh"]
    assert time.monotonic() - began >= 1 and len(bsf.requests) == 3


def test_503_for_long_is_honoured_by_later_calls(ue, bsf):
    ue.equip(bsf)
    bsf.on_request = lambda handler, n: handler.answer(503, [("Retry-After", "600")]) or True
    assert ue.json("bootstrap", status=75)["retry-after"] == 600
    assert len(bsf.requests) == 1
    again = ue.json("bootstrap", status=75)
    assert len(bsf.requests) == 1 and 590 < again["retry-after"] <= 600
    bsf.on_request = None
    assert ue.json("bootstrap", "--force")["fresh"]


def test_wrong_response_is_tried_twice(ue, bsf):
    """A BSF that takes no response: two responses, then the end."""
    ue.equip(bsf)
    bsf.password = lambda xres, ck, ik: b"another"
    assert ue.json("bootstrap", status=6)["error"] == "GBA_E_DIGEST_MISMATCH"
    assert len(bsf.requests) == 3


def test_endless_body(ue, bsf):
    ue.equip(bsf)

    def endless(handler, number):
        if number < 2:
            return False
        handler.send_response(200)
        handler.end_headers()
        try:
            while True:
                handler.wfile.write(b"<BootstrappingInfo>" * 1000)
        except OSError:
            handler.close_connection = True
        return True

    bsf.on_request = endless
    assert ue.json("bootstrap", status=1)["error"] == "GBA_E_TOO_LONG"


def test_endless_head(ue, bsf):
    ue.equip(bsf)

    def endless(handler, number):
        handler.wfile.write(b"HTTP/1.1 401 Unauthorized\r\n")
        try:
            while True:
                handler.wfile.write(b"X-Padding: " + b"x" * 1000 + b"\r\n")
        except OSError:
            handler.close_connection = True
        return True

    bsf.on_request = endless
    assert ue.json("bootstrap", status=1)["error"] in ("GBA_E_TOO_LONG", "GBA_E_PEER")


def test_silent_bsf_ends_in_time(ue):
    """All waits are bounded, also for a server that accepts and says nothing, or drips."""
    listener = socket.create_server(("127.0.0.1", 0))
    taken = []

    def drip():
        connection, _ = listener.accept()
        taken.append(connection)
        try:
            connection.sendall(b"HTTP/1.1 401 Unauthorized\r\nX-Padding: ")
            while True:
                connection.sendall(b"H")
                time.sleep(0.3)
        except OSError:
            pass

    threading.Thread(target=drip, daemon=True).start()

    class Silent:
        fqdn, address = BSF, "127.0.0.1:%d" % listener.getsockname()[1]

    ue.equip(Silent)
    assert ue.json("bootstrap", "--timeout", "2", status=5)["error"] == "GBA_E_TIMEOUT"
    listener.close()


def test_not_http(ue):
    listener = socket.create_server(("127.0.0.1", 0))

    def talk():
        connection, _ = listener.accept()
        connection.sendall(b"220 mail.example ESMTP\r\n")
        connection.close()

    threading.Thread(target=talk, daemon=True).start()

    class Mail:
        fqdn, address = BSF, "127.0.0.1:%d" % listener.getsockname()[1]

    ue.equip(Mail)
    assert ue.json("bootstrap", status=1)["error"] == "GBA_E_PEER"
    listener.close()


def test_nobody_there(ue):
    class Absent:
        fqdn, address = BSF, "127.0.0.1:1"

    ue.equip(Absent)
    assert ue.json("bootstrap", status=5)["error"] == "GBA_E_UNREACHABLE"


def test_https_with_a_certificate_that_is_trusted_or_not(ue, tmp_path, certificate):
    with FakeBsf(BSF, certificate=certificate) as bsf:
        bsf.add(IMPI, K, OPC)
        ue.equip(bsf, "--url", "https://%s/" % BSF)
        assert ue.json("bootstrap", status=5)["error"] == "GBA_E_UNREACHABLE"
        assert not bsf.requests
        ue.json("profile", "add", "trusting", "--bsf", BSF, "--connect", bsf.address, "--url", "https://%s/" % BSF, "--ca-file",
                certificate[0])
        ue.json("profile", "use", "trusting")
        assert ue.json("bootstrap")["fresh"]


def test_two_realms(ue, bsf):
    """Profiles side by side; a switch retires the other realm's token. REQ: Y3056-7.1-1a, Y3056-7.1-8, Y3056-9.3-8"""
    with FakeBsf("bsf.other.example") as other:
        other.add("device@other.example", K, OPC)
        ue.equip(bsf)
        ue.equip(other, "--impi", "device@other.example", name="other", usim=False)
        first = ue.json("bootstrap", "--naf", "naf.example.org")
        assert [row["name"] for row in ue.json("profile", "list") if row["active"]] == ["home"]
        ue.json("profile", "use", "other")
        assert ue.json("token", "key", "naf.example.org", status=3)["error"] == "GBA_E_NOT_FOUND"
        second = ue.json("bootstrap", "--naf", "naf.example.org")
        assert first["btid"].endswith(BSF) and second["btid"].endswith("bsf.other.example")
        apps = ue.json("token", "list")["applications"]
        assert [(row["profile"], row["state"]) for row in apps] == [("home", "retired"), ("other", "active")]
        ue.json("profile", "use", "home")
        assert ue.json("bootstrap")["fresh"], "a retired token does not come back"


def test_token_expires(ue):
    """REQ: Y3056-9.3-7, Y3056-9.4.1-11, Y3056-9.4.1-12"""
    with FakeBsf(BSF, lifetime=4) as bsf:
        bsf.add(IMPI, K, OPC)
        ue.equip(bsf)
        first = ue.json("bootstrap")
        assert until(lambda: ue.run("token", "key", "naf.example.org").returncode == 3, step=0.2)
        assert time.time() >= bsf.ends
        second = ue.json("bootstrap")
        assert second["fresh"] and second["btid"] != first["btid"]


def test_lifetime_of_the_past_is_refused(ue):
    with FakeBsf(BSF, lifetime=-5) as bsf:
        bsf.add(IMPI, K, OPC)
        ue.equip(bsf)
        assert "clock" in ue.json("bootstrap", status=1)["message"]


def test_two_processes_bootstrap_once(ue, bsf):
    """Whoever waits for the other's run takes its token."""
    ue.equip(bsf)
    results = []
    threads = [threading.Thread(target=lambda: results.append(ue.json("bootstrap"))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({run["btid"] for run in results}) == 1 and len(bsf.order) == 1
    assert sorted(run["fresh"] for run in results) == [False] * 3 + [True]


def test_trace_and_log_hold_no_secret(ue, bsf, tmp_path):
    """REQ: Y3056-9.3-3"""
    ue.equip(bsf, sqn="000000100000")
    trace, log = tmp_path / "trace", tmp_path / "log"
    run = ue.json("--trace", str(trace), "--log-file", str(log), "--log-level", "debug", "bootstrap")
    steps = [json.loads(line) for line in trace.read_text().splitlines()]
    assert [step["clause"] for step in steps] == ["Y.3056 10.4-2b", "Y.3056 10.4-2b", "Y.3056 10.4-4a"]
    assert {step["to"] for step in steps} == {"usim"}
    session = bsf.sessions[run["btid"]]
    seen = trace.read_text() + log.read_text()
    for secret in (session.ks, session.ks[:16], session.ks[16:], bytes.fromhex(K), bytes.fromhex(OPC)):
        assert secret.hex() not in seen.lower()


def test_files_hold_no_key_in_clear(ue, bsf, tmp_path):
    """REQ: Y3056-7.4-4, Y3056-9.4.2-1"""
    ue.equip(bsf)
    session = bsf.sessions[ue.json("bootstrap")["btid"]]
    for name in os.listdir(ue.state):
        path = os.path.join(ue.state, name)
        assert os.stat(path).st_mode & 0o077 == 0, name
        content = open(path, "rb").read()
        for secret in (session.ks[:16], session.ks[16:], bytes.fromhex(K), bytes.fromhex(OPC)):
            assert secret not in content and secret.hex().encode() not in content.lower(), name


def test_state_folder_open_to_others_is_refused(ue, bsf):
    ue.equip(bsf)
    os.chmod(ue.state, 0o755)
    assert ue.json("bootstrap", status=4)["error"] == "GBA_E_DENIED"
    os.chmod(ue.state, 0o700)
    os.chmod(os.path.join(ue.state, "kek"), 0o644)
    assert ue.json("bootstrap", status=4)["error"] == "GBA_E_DENIED"


def test_announced_application(ue, bsf):
    """REQ: Y3056-10.4-1a"""
    ue.equip(bsf, "--announce")
    ue.json("bootstrap", "--naf", "naf.example.org")
    assert [headers["Y3056-Application"] for _, headers in bsf.requests] == ["naf.example.org"] * 2


def test_the_identity_is_there_before_any_network(ue):
    """In a network namespace of its own, where not even the loopback is up, the device says who it is. REQ: TEC-2.2-4"""
    ue.json("usim", "create", "--imsi", EXAMPLE["input"]["imsi"], "--key-file", "-", stdin=("k=%s\nopc=%s\n" % (K, OPC)).encode())
    off = ["unshare", "--map-root-user", "--net"]
    routes = subprocess.run([*off, "cat", "/proc/net/route", "/proc/net/if_inet6"], capture_output=True, timeout=60, check=True)
    assert len(routes.stdout.splitlines()) <= 1  # a heading at most: no route, no address
    shown = [subprocess.run([*prefix, *ue.command("--json", "usim", "show")], capture_output=True, timeout=60, check=True).stdout
             for prefix in (off, [])]
    assert json.loads(shown[0])["impi"] == IMPI and shown[0] == shown[1]
