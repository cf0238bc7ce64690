# SPDX-License-Identifier: Apache-2.0
"""Devices publish to Debian's mosquitto with their GBA keys, by programs that know nothing of GBA.

REQ: OBF-10.2.4-4, OBF-11.1-3, OBF-11.2-1"""
import os
import re
import subprocess

import pytest

from mqtt_harness import (BTID_UNKNOWN, GSID, HOST, NAME, OTHER_NAME, PATIENCE, SUITES, TLS13_PSK, UNREACHABLE, btid_of, metrics_have, undisturbed, until)

REFUSED = "A TLS error occurred."


@pytest.mark.parametrize("suite", [None, *SUITES])
def test_publish(world, broker, suite):
    """The key is the one for the version and suite negotiated; the user is who the settings name. REQ: Y3056-10.5-2c"""
    (name, key), user = world.device(ua_id=SUITES[suite] if suite else TLS13_PSK)
    with broker.backend() as backend:
        done = broker.publish((name, key), "devices/%s/state" % user, "on", "-u", "somebody-else", suite=suite)
        assert done.returncode == 0 and done.stderr == "", done
        assert backend.message() == ("devices/%s/state" % user, "on")
    assert world.agent.asked == [(name, NAME, SUITES[suite] if suite else TLS13_PSK)]
    assert world.agent.sources == [HOST]
    log = broker.log("mosquitto.log").split("New client connected")[-1]
    assert "u'%s'" % user in log and name not in log


@pytest.mark.parametrize("zeros", [1, 5])
def test_a_key_may_begin_with_zeros(world, broker, zeros):
    device, user = world.device(key=bytes(zeros) + os.urandom(32 - zeros))
    assert broker.publish(device, "devices/%s/x" % user).stderr == ""


def test_a_known_key_is_not_asked_for_again(world, broker):
    device, user = world.device()
    for _ in range(3):
        assert broker.publish(device, "devices/%s/x" % user).stderr == ""
    assert len(world.agent.asked) == 1


def test_wrong_key(world, broker):
    (name, key), user = world.device()
    done = broker.publish((name, key[::-1]), "devices/%s/x" % user)
    assert done.returncode != 0 and REFUSED in done.stderr


def s_client(broker, device, *args, **kw):
    name, key = device
    return subprocess.run(["openssl", "s_client", "-connect", "%s:%d" % (HOST, broker.port), "-psk", key.hex(), "-psk_identity",
                           "3GPP-bootstrapping;" + name, *args], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=PATIENCE, **kw)


def test_server_names(world, broker):
    """The name of the NAF_Id is the one the device addresses; a foreign one gets no key."""
    device, _ = world.device(fqdn=OTHER_NAME)
    assert "Cipher is TLS_" in s_client(broker, device, "-servername", OTHER_NAME.upper()).stdout
    assert world.agent.asked == [(device[0], OTHER_NAME, TLS13_PSK)]
    assert "Cipher is (NONE)" in s_client(broker, device, "-servername", "elsewhere.example.com").stdout
    device, _ = world.device(fqdn=OTHER_NAME, ua_id="01000100a8")
    old = ["-tls1_2", "-cipher", "PSK-AES128-GCM-SHA256"]
    assert "unknown psk identity" in s_client(broker, device, "-servername", "elsewhere.example.com", *old).stderr
    assert "Cipher is PSK-" in s_client(broker, device, "-servername", OTHER_NAME, *old).stdout
    assert len(world.agent.asked) == 2


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_no_resumption(world, broker, version, tmp_path):
    """Nothing outlives the key: no session can be taken up again. REQ: Y3056-9.3-7"""
    ua_id = TLS13_PSK if version == "-tls1_3" else "01000100a8"
    device, _ = world.device(ua_id=ua_id)
    session = str(tmp_path / "session")
    options = [version] + (["-cipher", "PSK-AES128-GCM-SHA256"] if version == "-tls1_2" else [])
    for _ in range(2):
        shown = s_client(broker, device, *options, "-sess_out", session).stdout
        assert "Cipher is (NONE)" not in shown and "TLS session ticket:" not in shown and "New Session Ticket" not in shown
    assert version == "-tls1_3" or "Reused" not in s_client(broker, device, *options, "-sess_in", session).stdout


# ---- topics

@pytest.fixture(scope="module")
def plain(world):
    return world.broker(acl=False)


def test_topics_of_others(world, broker):
    """REQ: Y3056-9.5-2"""
    (device, user), (_, other) = world.device(), world.device()
    with broker.backend() as backend:
        for topic in ("devices/%s/x" % other, "alarm", "devices", "fleet/x/position", "inbox/%s/x" % other):
            assert "Not authorized" in broker.publish(device, topic).stderr
        assert "Not authorized" in broker.publish(device, "fleet/%s/position" % user).stderr  # to be read, not written
        assert broker.publish(device, "alarms", "fire").stderr == ""  # the settings of GSID are there
        assert backend.message() == ("alarms", "fire")


def test_acl_file_knows_the_user(world, broker):
    """mosquitto's own %u is the same name."""
    device, user = world.device()
    with broker.backend() as backend:
        assert broker.publish(device, "inbox/%s/a" % user, "mail").stderr == ""
        assert backend.message() == ("inbox/%s/a" % user, "mail")


@pytest.mark.parametrize("topic", ["#", "+/+/#", "devices/#", "fleet/+/position", "devices/+/x", "$share/g/devices/#"])
def test_subscriptions_that_reach_too_far(world, plain, topic):
    device, _ = world.device()
    with plain.subscribe(device, topic) as sub:
        assert "All subscription requests were denied" in sub.ended()[1]


def test_subscriptions_left_to_an_acl_file(world, broker):
    """mosquitto takes all subscriptions where there is an acl_file, and looks at each message instead."""
    (device, user), (_, other) = world.device(), world.device()
    with broker.subscribe(device, "#") as sub:
        for topic in ("devices/%s/a" % other, "alarms", "inbox/%s" % other, "inbox/%s/a" % user):
            broker.backend_publish(topic, topic)
        assert sub.message()[0] == "inbox/%s/a" % user


@pytest.mark.parametrize("topic", ["devices/%s/#", "devices/%s", "devices/%s/+", "$share/g/devices/%s/a"])
def test_own_subscriptions(world, broker, topic):
    device, user = world.device()
    with broker.subscribe(device, topic % user) as sub:
        broker.backend_publish((topic % user).replace("#", "a").replace("+", "a").replace("$share/g/", ""), "go")
        assert sub.message()[1] == "go"


def test_a_flag_gives_a_topic(world, broker):
    """Authorisation flags of the settings (TS 29.109 Annex C). REQ: Y3056-9.6.2-4"""
    device, _ = world.device(7)
    with broker.subscribe(device, "fleet/+/position") as sub:
        broker.backend_publish("fleet/a/position", "47.1")
        assert sub.message() == ("fleet/a/position", "47.1")


@pytest.mark.parametrize("user", ["a/b", "#", "+", "a+", "x\ny"])
def test_names_that_would_be_wildcards(world, broker, user):
    device, _ = world.device(user=user)
    assert broker.publish(device, "alarms").returncode != 0


def test_no_allowed_identity(world, broker):
    """Neither the IMPI nor the B-TID stands in for it. REQ: Y3056-9.6.2-2"""
    device, _ = world.device(uss={}, impi="001010000000001@ims.example")
    done = broker.publish(device, "alarms")
    assert done.returncode != 0 and "Not authorized" in done.stderr + done.stdout
    assert until(lambda: "no identity the user has allowed us" in broker.log())


def test_messages_for_a_device_that_is_away(world, broker):
    device, user = world.device()
    options = ["-c", "-q", "1", "-i", user + "/sleeper", "-x", "600"]
    with broker.subscribe(device, "devices/%s/in" % user, *options):
        pass
    assert until(lambda: "Client %s/sleeper disconnected" % user in broker.log("mosquitto.log")
                 or "Client %s/sleeper closed" % user in broker.log("mosquitto.log"))
    broker.backend_publish("devices/%s/in" % user, "wake up")
    with broker.subscribe(device, "devices/%s/in" % user, *options) as sub:
        assert sub.message()[1] == "wake up"


# ---- client identifiers

def test_a_client_identifier_of_another_user(world, broker):
    (one, user), (two, other) = world.device(), world.device()
    with broker.subscribe(one, "devices/%s/#" % user, "-i", "thing") as sub:
        done = broker.publish(two, "devices/%s/x" % other, "x", "-i", "thing")
        assert done.returncode != 0 and "Not authorized" in done.stderr + done.stdout
        broker.backend_publish("devices/%s/a" % user, "still here")
        assert sub.message()[1] == "still here"
    assert until(lambda: broker.publish(two, "devices/%s/x" % other, "x", "-i", "thing").stderr == "")  # nobody's any more


def test_a_wrong_password_ends_nothing(world, broker):
    """Somebody names a device's identifier at another listener: the device keeps its topics."""
    device, user = world.device()
    with broker.subscribe(device, "devices/%s/#" % user, "-i", "calm-" + user) as sub:
        line = ["mosquitto_pub", "-h", HOST, "-p", str(broker.inner), "-u", "backend", "-P", "wrong", "-i", "calm-" + user, "-t", "x", "-m", "x"]
        assert subprocess.run(line, capture_output=True, timeout=PATIENCE, check=False).returncode != 0
        assert still_there(broker, sub, user)


def test_a_password_does_not_inherit_a_device(world, broker):
    """Same identifier, another listener: the device's topics are not the program's. """
    device, user = world.device()
    with broker.subscribe(device, "devices/%s/#" % user, "-i", "shared"):
        pass
    line = ["mosquitto_pub", "-h", HOST, "-p", str(broker.inner), "-u", "backend", "-P", "secret", "-i", "shared", "-q", "1"]
    assert subprocess.run(line + ["-t", "any", "-m", "x"], timeout=PATIENCE, check=False).returncode == 0
    wrong = subprocess.run(line[:-5] + ["-P", "wrong", "-t", "any", "-m", "x"], capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert wrong.returncode != 0


# ---- the end of keys

def still_there(broker, sub, user):
    broker.backend_publish("devices/%s/ping" % user, "ping")
    return sub.message()[1] == "ping"


@pytest.mark.parametrize("names,why", [((), "the token was revoked"), ((NAME,), "the user's right or settings have changed")])
def test_revoked(world, broker, names, why):
    """A session ends with its token, and its last will is told. REQ: Y3056-9.4.1-6"""
    (device, user), (other, bystander) = world.device(), world.device()
    will = ["--will-topic", "devices/%s/state" % user, "--will-payload", "gone"]
    with broker.subscribe(device, "devices/%s/#" % user, *will) as sub, broker.subscribe(other, "devices/%s/#" % bystander) as second:
        with broker.backend("devices/%s/state" % user) as backend:
            del world.agent.keys[(device[0], NAME, TLS13_PSK)]
            world.agent.revoke(device[0], *names)
            assert backend.message() == ("devices/%s/state" % user, "gone")
        assert until(lambda: "administrative action" in broker.log("mosquitto.log") and "id=%s msg=\"%s\"" % (user, why) in broker.log())
        assert REFUSED in broker.publish(device, "devices/%s/x" % user).stderr
        assert still_there(broker, second, bystander)
        assert sub.ended()[0] is not None


def test_expired(world, broker):
    """REQ: Y3056-9.3-7"""
    def opened():
        device, user = world.device(life=4)
        subscriber = broker.subscribe(device, "devices/%s/#" % user)
        assert subscriber.process.poll() is None
        return device, user, subscriber
    device, user, subscriber = undisturbed(opened, 2.9)
    with subscriber:
        assert until(lambda: "id=%s msg=\"the key has expired\"" % user in broker.log())
    assert until(lambda: REFUSED in broker.publish(device, "devices/%s/x" % user).stderr)


def test_revoked_before_connect(world, broker):
    """A handshake without CONNECT ends too."""
    (name, key), _ = world.device()
    client = subprocess.Popen(["openssl", "s_client", "-connect", "%s:%d" % (HOST, broker.port), "-psk", key.hex(), "-psk_identity",
                               "3GPP-bootstrapping;" + name, "-quiet"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL)
    try:
        assert until(lambda: any(one[0] == name for one in world.agent.answered))
        metrics_have(broker.metrics, "gba_naf_mqtt_sessions 0")
        del world.agent.keys[(name, NAME, TLS13_PSK)]
        world.agent.revoke(name)
        assert until(lambda: client.poll() is not None) is not None
        assert client.poll() is not None
    finally:
        client.kill()
        client.wait()
        client.stdin.close()


def test_agent_away_and_back(world, broker):
    """Known sessions go on; those whose token has ended meanwhile end when the agent is back. REQ: Y3056-9.4.1-6"""
    (one, user), (two, other) = world.device(), world.device()
    with broker.subscribe(one, "devices/%s/#" % user) as first, broker.subscribe(two, "devices/%s/#" % other) as second:
        del world.agent.keys[(two[0], NAME, TLS13_PSK)]
        world.agent.hang_up()
        assert until(lambda: "id=%s msg=\"the token is no more\"" % other in broker.log())
        assert still_there(broker, first, user)
        assert second.ended()[0] is not None


@pytest.mark.parametrize("change", ["a flag", "the name"])
def test_settings_changed_while_the_agent_was_away(world, broker, change):
    """Nobody told of it: found when the agent is asked again. Who has what it had goes on. REQ: Y3056-9.4.1-6"""
    (one, user), (two, other) = world.device(7), world.device(7)
    with broker.subscribe(one, "fleet/+/position") as first, broker.subscribe(two, "fleet/+/position") as second:
        settings = world.agent.keys[(two[0], NAME, TLS13_PSK)]["uss"]
        (gsid, (uids, _)), = settings.items()
        settings[gsid] = (uids, []) if change == "a flag" else ([other + "x"], [7])
        world.agent.hang_up()
        assert until(lambda: "id=%s msg=\"the user's right or settings have changed\"" % other in broker.log())
        assert second.ended()[0] is not None
        broker.backend_publish("fleet/a/position", "47.1")
        assert first.message() == ("fleet/a/position", "47.1") and "id=%s msg=\"the user" % user not in broker.log()


def test_agent_cannot_reach_the_operator(world, broker):
    """A known key works, another one is a fault of ours: no alert says that it is no good. REQ: Y3056-9.5-6"""
    (known, user), (cold, other) = world.device(), world.device()
    assert broker.publish(known, "devices/%s/x" % user).stderr == ""
    world.agent.error = UNREACHABLE
    assert broker.publish(known, "devices/%s/x" % user).stderr == ""
    shown = s_client(broker, cold, "-msg")
    assert shown.returncode != 0 and not re.search("<<<.*Alert", shown.stdout)
    world.agent.error = None
    assert broker.publish(cold, "devices/%s/x" % other).stderr == ""


# ---- identities without a key

def test_unknown_identity_is_asked_for_once(world, broker):
    """REQ: Y3056-9.5-6"""
    unknown = (btid_of(770001), bytes(32))
    for _ in range(5):
        assert REFUSED in broker.publish(unknown, "alarms").stderr
    assert [asked[0] for asked in world.agent.asked] == [unknown[0]]
    shown = s_client(broker, unknown, "-tls1_2", "-cipher", "PSK-AES128-GCM-SHA256")
    assert "unknown psk identity" in shown.stderr


@pytest.mark.parametrize("identity", ["", "nobody", "3GPP-bootstrapping;", "3GPP-bootstrapping;x@y", "3GPP-bootstrapping-uicc;" + btid_of(1)])
def test_identities_that_are_none(world, broker, identity):
    line, env = broker.client("mosquitto_pub", (btid_of(1), bytes(32)), "-t", "alarms", "-m", "x")
    line[line.index("--psk-identity") + 1] = identity
    assert subprocess.run(line, env=env, capture_output=True, timeout=PATIENCE, check=False).returncode != 0
    assert world.agent.asked == []
