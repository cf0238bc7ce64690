# SPDX-License-Identifier: Apache-2.0
"""Server-sent events: python's HTTPS client and curl read what they may see, go on where they were, and are cut off when they may not
or do not read."""
import json
import os
import socket
import ssl
import subprocess

import pytest
from telllab import Stream, TellNode
from test_door import phone, registered

from peers.waiting import until

SEED = b"\x31" * 32


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    with TellNode(tmp_path_factory.mktemp("streams") / "realm", trace=False) as realm:
        yield realm.begin(stream_beat=300, stream_stall=8000, stream_max=40)
        realm.receiver.server.shutdown()


def has(stream, wanted):
    assert until(lambda: set(wanted) <= set(stream.subjects())), (stream.subjects(), wanted)
    return stream.subjects()


def test_status_and_registration_reach_a_reader(node):
    """REQ: Y3059-7-0d, Y3059-8-1: that a device was registered and turned Black comes to who reads, as signed tokens or as claims."""
    sub = node.subscribe(node.agency, method="stream", events=["device", "status"])
    signed, plain = Stream(node, sub, node.agency, form="token"), Stream(node, sub, node.agency)
    assert (signed.status, signed.kind) == (200, "text/event-stream")
    device = registered(node.door(), phone())
    node.set_status(device, "black", "stolen")
    assert until(lambda: sorted(event["event"] for event in plain.events) == ["device.registered", "status.set", "status.set"]), plain.events
    assert plain.subjects() == [device] * 3
    said = [json.loads(event["data"])["events"]["urn:gba:registry:status.set"] for event in plain.events if event["event"] == "status.set"]
    assert [one["body"]["status"] for one in said] == ["white", "black"] and said[0]["origin"] == "IN1"
    assert until(lambda: len(signed.events) == 3)
    for one, other in zip(signed.events, plain.events):
        assert one["id"] == other["id"] and node.claims(one["data"]) == json.loads(other["data"])
    signed.close()
    plain.close()


def test_curl_reads_and_goes_on_after_a_kill(node):
    """Killed between events, and in the middle of them: each comes, in order, to a client that sends the last id it has."""
    sub = node.subscribe(node.agency, method="stream", kinds=["device.registered"])
    out = node.path("curl.out")
    url = "https://%s:%d/v1/subscriptions/%d/events?form=json" % (node.address("registry"), node.port, sub)
    with open(out, "wb") as sink:
        curl = subprocess.Popen(["curl", "-sN", "--cacert", node.pem, "--connect-to", "localhost:%d:%s:%d" % (node.port, node.address("registry"),
                                 node.port), url.replace(node.address("registry"), "localhost"), "-H", "Authorization: Bearer " + node.agency],
                                stdout=sink)
    door, made = node.door(), []

    def curl_said():
        with open(out, encoding="utf-8") as text:
            return [line[6:].strip() for line in text if line.startswith("data: ")]

    stream = Stream(node, sub, node.agency)
    made += [registered(door, phone()) for _ in range(3)]
    assert until(lambda: [json.loads(line)["sub_id"]["id"] for line in curl_said()] == made), curl_said()
    has(stream, made)
    for _ in range(2):
        made.append(registered(node.door(), phone()))
        node.kill()
        assert until(lambda: stream.ended)
        node.start_api()
        made.append(registered(node.door(), phone()))  # before anybody reads
        stream.close()
        seen = stream.last
        stream = Stream(node, sub, node.agency, after=seen)
        has(stream, made[-1:])
        assert all(one > seen for one in stream.ids())
    curl.wait(30)
    whole = Stream(node, sub, node.agency)
    assert has(whole, made) == made  # once each, in order, from the beginning
    assert stream.subjects() == made[made.index(stream.subjects()[0]):] and stream.subjects()[-1] == made[-1]
    whole.close()
    stream.close()


def test_nothing_is_lost_between_two_readers(node):
    """What one reader had not got when it went, the next has from the id on."""
    sub = node.subscribe(node.agency, method="stream", kinds=["device.registered"])
    door, made, got, last = node.door(), [], [], None
    for _ in range(4):
        stream = Stream(node, sub, node.agency, after=last)
        made += [registered(door, phone()) for _ in range(2)]
        assert until(lambda: stream.events)
        stream.close()
        assert until(lambda: stream.ended)
        got, last = got + stream.subjects(), stream.last
    stream = Stream(node, sub, node.agency, after=last)
    assert until(lambda: got + stream.subjects() == made), (got, stream.subjects(), made)
    stream.close()


def test_comments_keep_a_quiet_stream(node):
    sub = node.subscribe(node.agency, method="stream", events=["list"])
    stream = Stream(node, sub, node.agency)
    before = until(lambda: node.rows("SELECT max(seq) FROM event")[0][0])
    registered(node.door(), phone())
    assert until(lambda: stream.comments >= 3)
    assert until(lambda: (stream.last or 0) > before) and not stream.events  # an id alone: that far there is nothing for it
    stream.close()


def test_who_may_not_read_any_more_is_cut_off(node):
    """REQ: Y3059-9.4-i-a: whose credential, right or session ends is told nothing from then on; nor is who never had one."""
    other = node.token("agency")
    sub = node.subscribe(node.agency, method="stream")
    stream, still = Stream(node, sub, other), Stream(node, sub, node.agency)
    credential = max(one["id"] for one in node.good("GET", "/v1/credentials?limit=1000", token=node.admin)["items"])
    node.good("POST", "/v1/credentials/%d/revoke" % credential, {}, node.admin)
    assert until(lambda: stream.ended)
    device = registered(node.door(), phone())
    has(still, [device])
    assert stream.events == []
    again = Stream(node, sub, other, after=stream.last)
    assert again.status == 401
    assert until(lambda: node.metric('gba_registry_streams_ended_total{why="refused"}') >= 1)
    still.close()

    enquirer, session = node.enquirer(SEED, "reader", rights=["model"])
    mine = node.subscribe(session, method="stream", kinds=["status.set"])
    stream = Stream(node, mine, session)
    node.set_status(device, "black")
    has(stream, [device])
    assert json.loads(stream.events[0]["data"])["events"]["urn:gba:registry:status.set"]["body"] == {"status": "black"}  # no details
    assert node.patch("/v1/enquirers/%d" % enquirer, {"rights": ["regdevid"]}, node.admin) == 200
    second = registered(node.door(), phone())
    node.set_status(second, "black")
    has_all = Stream(node, node.subscribe(node.agency, method="stream"), node.agency)
    third = registered(node.door(), phone())
    has(has_all, [third])
    assert stream.subjects() == [device] and not stream.ended
    assert node.patch("/v1/enquirers/%d" % enquirer, {"state": "suspended"}, node.admin) == 200
    assert until(lambda: stream.ended)
    has_all.close()


def test_only_what_can_be_read_is_answered(node):
    sub = node.subscribe(node.agency, method="stream")
    polled = node.subscribe(node.agency, method="poll")
    maker = node.good("POST", "/v1/makers", {"name": "Reader"}, node.admin, 201)["id"]
    stranger = node.token("maker", maker)
    assert Stream(node, sub, "x").status == 401
    assert Stream(node, sub, stranger).status == 404
    assert Stream(node, 99999, node.agency).status == 404
    assert Stream(node, polled, node.agency).status == 409
    for bad in ("x", "-1", "1 2", "1" * 19):
        assert Stream(node, sub, node.agency, after=bad).status == 400, bad
    assert Stream(node, sub, node.agency, after=10 ** 15).status == 409
    assert Stream(node, sub, node.agency, form="xml").status == 400
    assert node.call("HEAD", "/v1/subscriptions/%d/events" % sub, token=node.agency)[0] == 200
    for bad in ({"url": "https://example.net/"}, {"batch": 2}, {"digest": 60}):
        assert node.call("POST", "/v1/subscriptions", dict({"name": "x", "method": "stream"}, **bad), node.agency)[0] == 422, bad
    document = node.good("GET", "/openapi.json")
    answer = document["paths"]["/v1/subscriptions/{id}/events"]["get"]
    assert "text/event-stream" in answer["responses"]["200"]["content"]
    assert "Last-Event-ID" in [one["name"] for one in answer["parameters"]]


def threads(node):
    return len(os.listdir("/proc/%d/task" % node.process.pid))


def test_many_readers_cost_no_thread_and_are_bounded(node):
    sub = node.subscribe(node.agency, method="stream", kinds=["device.registered"])
    assert until(lambda: node.metric("gba_registry_streams") == 0)
    before = threads(node)
    streams = [Stream(node, sub, node.agency) for _ in range(40)]
    assert [one.status for one in streams] == [200] * 40
    assert Stream(node, sub, node.agency).status == 503
    device = registered(node.door(), phone())
    for one in streams:
        has(one, [device])
    assert threads(node) < before + 20  # freeDiameter's own come and go
    for one in streams:
        one.close()
    assert until(lambda: node.metric("gba_registry_streams") == 0)
    stream = Stream(node, sub, node.agency)
    assert stream.status == 200
    stream.close()


def test_a_reader_that_does_not_read_is_cut_off_and_goes_on(node):
    """Others are told meanwhile; what it missed waits in the log."""
    sub = node.subscribe(node.agency, method="stream", kinds=["vulnerability.set"], make="Slow")
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    raw.settimeout(30)
    raw.connect((node.address("registry"), node.port))
    tls = ssl.create_default_context(cafile=node.pem)
    tls.check_hostname = False
    slow = tls.wrap_socket(raw, server_hostname="localhost")
    slow.sendall(("GET /v1/subscriptions/%d/events HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer %s\r\n\r\n" % (sub, node.agency)).encode())
    assert until(lambda: node.metric("gba_registry_streams") == 1)
    rows = [{"reference": "S-%d" % n, "source": "agency", "reporter": "CERT", "title": "hole", "make": "Slow", "model": "m" * 120} for n in range(350)]
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    status, report = node.call("POST", "/v1/vulnerabilities/import", lines, node.agency, "application/x-ndjson")
    assert status == 200 and report["added"] == len(rows), str(report)[:600]
    node.patch_all(["/v1/vulnerabilities/key:S-%d" % n for n in range(len(rows))], {"state": "confirmed"}, node.agency)  # told from then on
    brisk = Stream(node, sub, node.agency)
    has(brisk, ["S-%d" % n for n in range(350)])
    assert until(lambda: node.metric('gba_registry_streams_ended_total{why="stalled"}') >= 1), node.registry_log()[-2000:]
    assert until(lambda: node.metric("gba_registry_streams") == 1)
    slow.close()
    late = Stream(node, sub, node.agency, after=brisk.ids()[9])
    assert has(late, ["S-349"]) == ["S-%d" % n for n in range(10, 350)]
    brisk.close()
    late.close()


def test_streams_end_when_the_registry_stops(node):
    """Cleanly: what was written is still sent, and the last chunk says that there is no more."""
    sub = node.subscribe(node.agency, method="stream", kinds=["device.registered"])
    stream = Stream(node, sub, node.agency)
    device = registered(node.door(), phone())
    has(stream, [device])
    node.process.stop()
    assert until(lambda: stream.ended)
    node.start_api()
    stream = Stream(node, sub, node.agency, after=stream.last)
    second = registered(node.door(), phone())
    assert has(stream, [second]) == [second]
    stream.close()
