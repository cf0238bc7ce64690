# SPDX-License-Identifier: Apache-2.0
"""Resources that devices observe (RFC 7641) through gba-naf-coap: what changes is told, until the device or the application has
enough, or the token has ended.

REQ: OBF-11.1-3"""
import json
import os
import re
import shutil
import subprocess

import pytest

from coap_harness import GET, GSID, HOST, NAME, OBSERVE, free_port, metrics_have, undisturbed, until

REGISTER, CANCEL = [(OBSERVE, b"")], [(OBSERVE, b"\1")]


@pytest.fixture
def app(world):
    world.coap.observable = True
    return world.coap


def observing(device, path="/level"):
    """The token of a new observation."""
    reply = device.ask(GET, path, REGISTER)
    assert reply.code == "2.05" and reply.body == b"hello" and reply.option(OBSERVE), reply.octets
    return reply.token


def seq_of(reply):
    return int.from_bytes(reply.option(OBSERVE)[0], "big")


def test_changes_are_told(world, coap_naf, app):
    """Each with a greater number, to who asked for it alone; the application is asked once, and told when nobody listens any more."""
    (btid, key), _ = world.key()
    (other, other_key), _ = world.key()
    with coap_naf.device(btid, key) as device, coap_naf.device(other, other_key) as bystander:
        token, last = observing(device), 0
        assert bystander.ask().code == "2.05" and len(app.observers) == 1
        assert [options[0] for _, options, _ in app.requests][0] == (OBSERVE, b"")
        for kind in (1, 0, 1, 0):
            app.notify(b"change %d" % app.noticed, kind)
            reply = device.hear(token)
            assert reply.code == "2.05" and reply.body == b"change %d" % (app.noticed - 1) and seq_of(reply) > last
            last = seq_of(reply)
        metrics_have(coap_naf.metrics, "gba_coap_observations 1")
        assert device.ask(GET, "/other").code == "2.05"  # beside it
        reply = device.ask(GET, "/level", CANCEL, token=token)
        assert reply.code == "2.05" and not reply.option(OBSERVE)
        assert until(lambda: app.observers == [])
    metrics_have(coap_naf.metrics, "gba_coap_observations 0")
    assert until(lambda: (2, 0x7000 + app.noticed) in app.replied), "what the application wanted to be acknowledged is"


def test_asked_again_it_is_one(world, coap_naf, app):
    """RFC 7641 3.3.1: a device that has not heard for long registers again."""
    (btid, key), _ = world.key()
    with coap_naf.device(btid, key) as device:
        token = observing(device)
        for _ in range(3):
            assert device.ask(GET, "/level", REGISTER, token=token).option(OBSERVE)
        assert until(lambda: len(app.observers) == 1)
        metrics_have(coap_naf.metrics, "gba_coap_observations 1")
        app.notify(b"once")
        assert device.hear(token).body == b"once"
        device.ask(GET, "/level", CANCEL, token=token)
    assert until(lambda: app.observers == [])


@pytest.mark.parametrize("kind", [0, 1])
def test_a_device_that_rejects_a_notification(world, coap_naf, app, kind):
    (btid, key), _ = world.key()
    with coap_naf.device(btid, key) as device:
        token = observing(device)
        app.notify(b"unwanted", kind)
        assert device.hear(token, rejects=True).body == b"unwanted"
        assert until(lambda: app.observers == [])
        assert device.ask().code == "2.05"


def test_the_token_of_another_device_is_another(world, coap_naf, app):
    (btid, key), _ = world.key()
    (other, other_key), _ = world.key()
    with coap_naf.device(btid, key) as device, coap_naf.device(other, other_key) as stranger:
        token = observing(device)
        assert stranger.ask(GET, "/level", CANCEL, token=token).code == "2.05"
        app.notify(b"still")
        assert device.hear(token).body == b"still"
        device.ask(GET, "/level", CANCEL, token=token)
    assert until(lambda: app.observers == [])


def test_it_ends_with_the_token(world, coap_naf, app):
    """Taken back, nothing that changes afterwards is told: the device hears that it has to bootstrap. REQ: Y3056-9.4.1-6"""
    (btid, key), _ = world.key()
    (other, other_key), _ = world.key()
    with coap_naf.device(btid, key) as device, coap_naf.device(other, other_key) as bystander:
        token, second = observing(device), observing(bystander)
        world.agent.revoke(btid)
        reply = device.hear(token)
        assert reply.code == "4.01" and not reply.option(OBSERVE) and reply.kind == 0
        assert until(lambda: len(app.observers) == 1)
        app.notify(b"secret")
        assert bystander.hear(second).body == b"secret"
        assert device.ask().code == "4.01"
        bystander.ask(GET, "/level", CANCEL, token=second)
    assert until(lambda: app.observers == [])


def test_it_ends_when_the_token_expires(world, coap_naf, app):
    """REQ: Y3056-9.3-7"""
    def opened():
        device = coap_naf.device(*world.key(life=3)[0])
        return device, observing(device)
    device, token = undisturbed(opened, 1.9)
    with device:
        reply = device.hear(token)
        assert reply.code == "4.01" and not reply.option(OBSERVE)
    assert until(lambda: app.observers == [])


def test_the_application_has_enough(world, coap_naf, app):
    (btid, key), _ = world.key()
    with coap_naf.device(btid, key) as device:
        token = observing(device)
        app.notify(b"", code=132)
        reply = device.hear(token)
        assert reply.code == "4.04" and not reply.option(OBSERVE) and reply.kind == 0
        metrics_have(coap_naf.metrics, "gba_coap_observations 0")


def test_who_cannot_be_observed_answers(world, naf, coap_naf):
    """An application that does not know of it, or speaks HTTP: an answer like any other (RFC 7641 4.1)."""
    (btid, key), _ = world.key()
    for one in (naf, coap_naf):
        with one.device(btid, key) as device:
            reply = device.ask(GET, "/level", REGISTER)
            assert reply.code == "2.05" and not reply.option(OBSERVE)
    metrics_have(coap_naf.metrics, "gba_coap_observations 0")


def test_no_more_than_so_many(world, app):
    one = world.naf("coap://127.0.0.1:%d" % app.port, max_observations=1)
    (btid, key), _ = world.key()
    (other, other_key), _ = world.key()
    with one.device(btid, key) as device, one.device(other, other_key) as late:
        token = observing(device)
        reply = late.ask(GET, "/level", REGISTER)
        assert reply.code == "2.05" and not reply.option(OBSERVE)
        assert device.ask(GET, "/level", REGISTER, token=token).option(OBSERVE), "its own is no further one"
        assert one.stop() == 0  # with one under way


def test_gba_ue(world, coap_naf, ue, app):
    ue.bootstrap()
    ue.known()
    command = ue.command("get", "coaps://%s/level" % NAME, "--connect", "%s:%d" % (HOST, coap_naf.port), "--observe", "3")
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as asking:
        said = [asking.stdout.readline()]
        for kind, text in ((1, b"second"), (0, b"third")):
            app.notify(text, kind)
            said.append(asking.stdout.readline())
        assert asking.wait(60) == 0
    assert [json.loads(line)["body"] for line in said] == ["hello", "second", "third"]


@pytest.mark.skipif(not all(map(shutil.which, ("coap-server-openssl", "coap-client-openssl"))), reason="libcoap3-bin is not installed")
def test_libcoaps_programs_at_both_ends(world, tmp_path):
    """Its server's clock, and a resource whose content is longer than a datagram (RFC 7959) and is replaced meanwhile."""
    port, key, bodies = free_port(), b"k" * 32, [os.urandom(2000).hex().encode() for _ in range(2)]
    btid, _ = world.agent.add(31001, fqdn=NAME, ua_id="010001ccac", key=key, uss={GSID: (["sip:u@example.com"], [])})
    one = world.naf("coap://127.0.0.1:%d" % port)

    def command(path, *words):
        return ["coap-client-openssl", "-B", "60", "-u", "3GPP-bootstrapping;" + btid, "-k", key, *words, "coaps://127.0.0.1:%d%s" % (one.port, path)]

    def put(body):
        (tmp_path / "body").write_bytes(body)
        subprocess.run(command("/example_data", "-m", "put", "-f", str(tmp_path / "body"), "-t", "0"), capture_output=True, timeout=120, check=True)
    with subprocess.Popen(["coap-server-openssl", "-A", "127.0.0.1", "-p", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            def times():
                said = subprocess.run(command("/time", "-s", "4"), capture_output=True, timeout=120, check=True).stdout
                return set(re.findall(rb"\d\d:\d\d:\d\d", said))
            assert until(lambda: len(times()) >= 2, 120)
            put(bodies[0])
            out = tmp_path / "out"
            with subprocess.Popen(command("/example_data", "-s", "60", "-o", str(out)), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as client:
                try:
                    assert until(lambda: out.exists() and bodies[0] in out.read_bytes())
                    put(bodies[1])
                    assert until(lambda: bodies[1] in out.read_bytes())
                finally:
                    client.kill()
        finally:
            server.kill()
