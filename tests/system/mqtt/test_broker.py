# SPDX-License-Identifier: Apache-2.0
"""The broker has one thread: what a slow operator, a flood, and a wrong configuration do to it."""
import signal
import subprocess
import threading
import time

import pytest

from mqtt_harness import CHECKER, GSID, HOST, NAME, PATIENCE, TLS13_PSK, Tree, btid_of, metrics_have, page, until
from test_mqtt import REFUSED


@pytest.fixture(scope="module")
def strict(world):
    """Hardly waits, asks little at once, and wants client identifiers to be the user's."""
    return world.broker(wait=50, wait_share=10, max_waiting=8, client_ids='"own"', refused_life=60)


def counter(broker, line):
    return next((int(found.rsplit(" ", 1)[1]) for found in page(broker.metrics)[1].splitlines() if found.startswith(line + " ")), 0)


def come(broker, device, user):
    """A device comes, perhaps for the second time: then its key is known."""
    assert until(lambda: broker.publish(device, "devices/%s/x" % user, "x", "-i", user).stderr == "")


def late(broker):
    return counter(broker, 'gba_naf_mqtt_handshakes_total{outcome="late"}')


def test_a_cold_key_does_not_hold_the_broker(world, strict):
    """The first attempt ends without an alert, others are served meanwhile, and the answer is kept for the next one."""
    (warm, user), (cold, other) = world.device(), world.device()
    come(strict, warm, user)
    world.agent.hold(cold[0])
    before = late(strict)
    assert strict.publish(cold, "devices/%s/x" % other, "x", "-i", other).returncode != 0
    assert until(lambda: late(strict) == before + 1)
    assert strict.publish(warm, "devices/%s/x" % user, "x", "-i", user).stderr == ""
    world.agent.release()
    assert until(lambda: strict.publish(cold, "devices/%s/x" % other, "x", "-i", other).returncode == 0)
    assert [asked[0] for asked in world.agent.asked].count(cold[0]) == 1


def test_client_identifiers_of_the_user(world, strict):
    device, user = world.device()
    come(strict, device, user)
    for good in (user, user + "/a", user + "/a/b"):
        assert strict.publish(device, "devices/%s/x" % user, "x", "-i", good).stderr == ""
    for wrong in (user + "1", "x", user[:-1], "/" + user):
        assert strict.publish(device, "devices/%s/x" % user, "x", "-i", wrong).returncode != 0


def test_a_flood_of_made_up_identities(world, strict):
    """The agent does not answer: it is asked no more than max-waiting at once; who has a key is served all the time."""
    device, user = world.device()
    come(strict, device, user)
    world.agent.asked.clear()
    world.agent.silent = True
    threads = [threading.Thread(target=strict.publish, args=((btid_of(880000 + i), bytes(32)), "alarms")) for i in range(40)]
    for thread in threads:
        thread.start()
    for _ in range(5):
        assert strict.publish(device, "devices/%s/x" % user, "x", "-i", user).stderr == ""
    for thread in threads:
        thread.join()
    assert 0 < len(world.agent.asked) <= 8
    assert strict.publish(device, "devices/%s/x" % user, "x", "-i", user).stderr == ""


def test_agent_is_not_there(world, tmp_path):
    """Started before the agent; its socket comes later."""
    from mqtt_harness import Broker, FakeAgent
    broker = Broker(tmp_path / "b", str(tmp_path / "later.sock")).start()
    try:
        device, user = world.device()
        assert broker.publish(device, "devices/%s/x" % user).returncode != 0
        agent = FakeAgent(str(tmp_path / "later.sock"))
        agent.keys = world.agent.keys
        assert until(lambda: broker.publish(device, "devices/%s/x" % user).returncode == 0)
        with broker.subscribe(device, "devices/%s/#" % user):
            agent.revoke(device[0])
            assert until(lambda: "the token was revoked" in broker.log())
        agent.shutdown()
        agent.server_close()
    finally:
        broker.stop()


def test_new_rules(world):
    broker = world.broker()
    device, user = world.device(7)
    assert "Not authorized" in broker.publish(device, "more/%s" % user).stderr
    broker.rights = '  { topic = "more/%u"; }'
    broker.write()
    broker.process.signal(signal.SIGHUP)
    assert until(lambda: "mqtt.reload" in broker.log())
    assert broker.publish(device, "more/%s" % user).stderr == ""
    assert "Not authorized" in broker.publish(device, "devices/%s/x" % user).stderr
    broker.rights = "  { }"
    broker.write()
    broker.process.signal(signal.SIGHUP)
    assert until(lambda: "the old one stays" in broker.log())
    assert broker.publish(device, "more/%s" % user).stderr == ""


def test_identity_by_impi_where_allowed(world):
    broker = world.broker(identity='"uids-impi"')
    device, _ = world.device(uss={GSID: ([], [])}, impi="001010000000001@ims.example")
    assert broker.publish(device, "devices/001010000000001@ims.example/x").stderr == ""


def test_listeners_with_settings_of_their_own(world):
    """mosquitto 2.0 then calls no plugin by the clock: no session could be ended in time, so none begins."""
    broker = world.broker(per_listener=True)
    device, user = world.device()
    assert broker.publish(device, "devices/%s/x" % user).returncode != 0
    assert until(lambda: "per_listener_settings" in broker.log())


@pytest.mark.parametrize("rights,message", [
    ('{ topic = "a"; gsid = "5"; }', 'rights: "a": gsid is not among gsids'),
    ('{ topic = "a"; flag = 5; }', 'rights: "a": flag needs a gsid'),
    ('{ gsid = "1000001"; }', "topic"), ('{ topic = "a"; access = "all"; }', "access")])
def test_mistakes_are_named(world, tmp_path, rights, message):
    conf = tmp_path / "naf-mqtt.conf"
    conf.write_text('fqdns = [ "%s" ];\ngsids = [ "1000001" ];\nrights = ( %s );\n' % (NAME, rights))
    done = subprocess.run([CHECKER, "--check-config", str(conf)], capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 1 and message in done.stderr
    (tmp_path / "mosquitto.conf").write_text("user root\nplugin %s\nplugin_opt_conf %s\n" % (CHECKER.replace("gba-naf-mqtt", ".libs/gba_mqtt.so"), conf))
    done = subprocess.run([Tree().program("mosquitto"), "-c", str(tmp_path / "mosquitto.conf")], capture_output=True, text=True, timeout=PATIENCE,
                          check=False)
    assert done.returncode != 0 and "gba_mqtt: " in done.stderr and message in done.stderr


def test_counters(world, broker):
    device, user = world.device()
    before = counter(broker, 'gba_naf_mqtt_connects_total{outcome="accepted"}')
    assert broker.publish(device, "devices/%s/x" % user).stderr == ""
    metrics_have(broker.metrics, 'gba_naf_mqtt_connects_total{outcome="accepted"} %d' % (before + 1), "gba_naf_mqtt_sessions 0")


def test_ends_well_with_sessions_open(world):
    """The plugin is unloaded before the broker frees its TLS."""
    broker = world.broker()
    device, user = world.device()
    with broker.subscribe(device, "devices/%s/#" % user):
        assert broker.stop() == 0
