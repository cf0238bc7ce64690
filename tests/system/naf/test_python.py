# SPDX-License-Identifier: Apache-2.0
"""libgba-naf for Python: against the agent and stand-in BSFs that derive keys by themselves; curl at the example."""
import asyncio
import base64
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import threading
import time

import pytest

from peers.waiting import until
from naf_harness import HTTP_DIGEST, IMPI, NAF, TLS13, TOP, btid, dia, ks_naf, keys

MODULE = os.path.join(TOP, "naf-adapter", "python")
os.environ["GBA_NAF_LIBRARY"] = dia.built("naf-adapter/libnaf/.libs/libgba-naf.so.0")
os.environ["GBA_SEALED_LIBRARY"] = dia.built("naf-adapter/sealed/.libs/libgba-sealed.so.0")
sys.path.insert(0, MODULE)

import gba_naf  # noqa: E402
import gba_sealed  # noqa: E402
from peers import sealed  # noqa: E402

NAF_ID = NAF.encode() + TLS13


class Naf(gba_naf.Naf):
    """Its own time-out is shown nowhere here."""

    def get(self, *query, timeout=60, **more):
        return super().get(*query, timeout=timeout, **more)


@pytest.fixture
def naf(world):
    with Naf(world.agent.socket) as one:
        yield one


def test_token(world, naf):
    name = world.one.knows(btid("bsf.one.example"))
    token = naf.get(name, NAF.upper(), gba_naf.UA_TLS13_PSK, [1000])
    assert token.key == ks_naf(NAF_ID) and token.int_key is None and token.type is gba_naf.Type.GBA
    assert token.btid == name and token.fqdn == NAF and token.impi == IMPI
    assert time.time() < token.expiry <= time.time() + 601 and token.created < time.time()
    assert token.uss == {1000: gba_naf.Uss(("sip:a@one.example",), frozenset([3]))} and "<uss " in token.uss_xml
    assert token.key.hex() not in repr(token) and repr(token.key) not in repr(token)
    both = naf.get(name, NAF, gba_naf.UA_TLS13_PSK, need_int_key=True, cache=False, timeout=20)
    assert both.int_key == ks_naf(NAF_ID, kind=keys.UICC) and both.uss == {}


@pytest.mark.parametrize("name,fqdn,error,http,again", [
    (btid("bsf.one.example", bytes(16)), NAF, "GBA_NAF_E_BTID_UNKNOWN", 401, True),
    ("no B-TID", NAF, "GBA_NAF_E_BTID_SYNTAX", 401, True),
    (btid("elsewhere.example"), NAF, "GBA_NAF_E_REALM", 403, False),
    (btid("bsf.one.example"), "naf2.example.com", "GBA_NAF_E_DENIED", 500, False),
    (btid("bsf.one.example") + "\0", NAF, "GBA_NAF_E_ARGUMENT", 500, False),
])
def test_refusals(world, naf, name, fqdn, error, http, again):
    with pytest.raises(gba_naf.Error) as refused:
        naf.get(name, fqdn, gba_naf.UA_HTTP_DIGEST)
    assert (refused.value.name, refused.value.http, refused.value.renegotiate) == (error, http, again)


def test_an_application_shortens_and_ends_a_token(world, naf):
    """By the real agent, for this name alone."""
    name = world.one.knows(btid("bsf.one.example", os.urandom(16)))
    token = naf.get(name, NAF, gba_naf.UA_TLS13_PSK)
    sooner = int(time.time()) + 200
    assert naf.get(name, NAF, gba_naf.UA_TLS13_PSK, until=sooner).expiry == sooner < token.expiry
    assert naf.get(name, NAF, gba_naf.UA_TLS13_PSK, until=sooner + 100).expiry == sooner  # never longer again
    with pytest.raises(gba_naf.Error) as caught:
        naf.get(name, NAF, gba_naf.UA_TLS13_PSK, until=time.time() - 1)
    assert caught.value.renegotiate and caught.value.http == 401
    with pytest.raises(gba_naf.Error):
        naf.get(name, NAF, gba_naf.UA_TLS13_PSK, cache=False)


def test_threads_share_one(world):
    """As the workers of a web server do: each has the key of its own question; nothing is left open."""
    rands = [bytes([200 + i]) * 16 for i in range(8)]
    names = [world.one.knows(btid("bsf.one.example", rand), rand) for rand in rands]
    wrong, before = [], len(os.listdir("/proc/self/fd"))

    def work(i):
        for turn in range(40):
            at = (i + turn) % len(names)
            try:
                if naf.get(names[at], NAF, gba_naf.UA_TLS13_PSK, timeout=60).key != ks_naf(NAF_ID, rands[at]):
                    wrong.append("the key of another")
            except gba_naf.Error as error:
                wrong.append(str(error))
    with gba_naf.Naf(world.agent.socket) as naf:
        threads = [threading.Thread(target=work, args=(i,)) for i in range(12)]
        for one in threads:
            one.start()
        for one in threads:
            one.join()
    assert wrong == [] and until(lambda: len(os.listdir("/proc/self/fd")) <= before)
    with pytest.raises(gba_naf.Error):
        naf.get(names[0], NAF, gba_naf.UA_TLS13_PSK)


def test_threads_that_send_use_no_counter_twice(tmp_path):
    """A nonce used twice would give contents away. Opened by an implementation that shares nothing with the library."""
    name, key, sent, counters = btid("bsf.one.example"), os.urandom(32), [], []
    with gba_sealed.Link(str(tmp_path), key, name, new=True) as link:
        threads = [threading.Thread(target=lambda: sent.extend([link.send(b"go on") for _ in range(100)])) for _ in range(8)]
        for one in threads:
            one.start()
        for one in threads:
            one.join()
    for frame in sent:
        counter, plain = sealed.open_frame(key, name, "server", frame)
        counters.append(counter)
        assert plain == b"go on"
    assert sorted(counters) == list(range(800))


def test_one_event_loop_at_a_time(world):
    name = world.one.knows(btid("bsf.one.example"))

    async def ask(naf):
        return (await naf.get_async(name, NAF, gba_naf.UA_TLS13_PSK, timeout=60)).key

    async def first(naf):
        assert await ask(naf) == ks_naf(NAF_ID)
        with pytest.raises(RuntimeError):
            await asyncio.to_thread(lambda: asyncio.run(ask(naf)))
        return await ask(naf)
    with gba_naf.Naf(world.agent.socket) as naf:
        assert asyncio.run(first(naf)) == asyncio.run(ask(naf)) == ks_naf(NAF_ID)


def test_no_agent(tmp_path):
    with gba_naf.Naf(str(tmp_path / "none")) as naf:
        with pytest.raises(gba_naf.Error) as refused:
            naf.get(btid("bsf.one.example"), NAF, gba_naf.UA_HTTP_DIGEST)
    assert refused.value.name == "GBA_NAF_E_NO_AGENT" and refused.value.http == 503
    with pytest.raises(gba_naf.Error):
        naf.get(btid("bsf.one.example"), NAF, gba_naf.UA_HTTP_DIGEST)  # closed


def test_asyncio(world, naf):
    names = [world.one.knows(btid("bsf.one.example", bytes([i]) * 16), rand=bytes([i]) * 16) for i in range(1, 40)]

    async def ask(name):
        return (await naf.get_async(name, NAF, gba_naf.UA_TLS13_PSK, timeout=20)).key

    async def run():
        good = await asyncio.gather(*map(ask, names))
        with pytest.raises(gba_naf.Error):
            await naf.get_async(btid("bsf.one.example", bytes(16)), NAF, gba_naf.UA_TLS13_PSK)
        gone = asyncio.create_task(naf.get_async(names[0], NAF, gba_naf.UA_TLS13_PSK, cache=False))
        await asyncio.sleep(0)
        gone.cancel()
        with pytest.raises(asyncio.CancelledError):
            await gone
        return good

    assert asyncio.run(run()) == [ks_naf(NAF_ID, bytes([i]) * 16) for i in range(1, 40)]
    assert asyncio.run(ask(names[1])) == ks_naf(NAF_ID, bytes([2]) * 16)  # another loop, the same handle


def test_identities():
    name = btid("bsf.one.example")
    assert gba_naf.parse_identity("3GPP-bootstrapping-uicc;" + name) == gba_naf.Identity(gba_naf.Kind.UICC, name)
    with pytest.raises(gba_naf.Error):
        gba_naf.parse_identity(b"3GPP-bootstrapping;x")
    assert gba_naf.btid_valid(name) and not gba_naf.btid_valid(name + "/")
    assert gba_naf.UA_HTTP_DIGEST == HTTP_DIGEST and gba_naf.ua_tls12(0xc037) == bytes.fromhex("010001c037")


def test_example(world):
    name = world.one.knows(btid("bsf.one.example"))
    env = dict(os.environ, PYTHONPATH=MODULE, GBA_NAF_SOCKET=world.agent.socket)
    with subprocess.Popen([sys.executable, os.path.join(MODULE, "examples", "digest_app.py"), NAF], env=env, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as app:
        url = "http://127.0.0.1:%s/a?b=c" % app.stdout.readline().split()[1]

        def curl(user, password):
            out = subprocess.run(["curl", "-s", "--max-time", "60", "--digest", "-u", "%s:%s" % (user, password), "-w",
                                  "%{http_code}", url], capture_output=True, text=True, check=True)
            return out.stdout

        key = base64.b64encode(ks_naf(NAF.encode() + HTTP_DIGEST)).decode()
        assert curl(name, key) == "hello %s\n200" % IMPI
        assert curl(name, "wrong") == "bootstrap first\n401"
        assert curl(btid("bsf.one.example", bytes(16)), key) == "bootstrap first\n401"
        assert curl(btid("elsewhere.example"), key).endswith("403")
        app.kill()


def test_asyncio_example(world):
    """Good, unknown and foreign devices, asked at once."""
    good = [world.one.knows(btid("bsf.one.example", bytes([i]) * 16), rand=bytes([i]) * 16) for i in range(60, 70)]
    unknown, foreign = btid("bsf.one.example", bytes(16)), btid("elsewhere.example")
    run = subprocess.run([sys.executable, os.path.join(MODULE, "examples", "async_keys.py"), NAF], input="\n".join([*good, unknown, foreign, "x"]),
                         env=dict(os.environ, PYTHONPATH=MODULE, GBA_NAF_SOCKET=world.agent.socket), text=True, capture_output=True, timeout=60,
                         check=False)
    assert run.returncode == 0, run.stderr
    said = dict(line.split(" ", 1) for line in run.stdout.splitlines())
    assert len(said) == 13 and all(said[name].startswith("good for ") for name in good)
    assert said[unknown] == "401 bootstrap again" and said[foreign].startswith("403 ") and said["x"].startswith("401 ")


def test_program_of_the_guide(world, naf, monkeypatch, capsys):
    with open(os.path.join(TOP, "doc", "asp-guide.md"), encoding="utf-8") as guide:
        (program,) = re.findall(r"```python\n(.*?)```", guide.read(), re.S)
    monkeypatch.setenv("GBA_NAF_SOCKET", world.agent.socket)
    exec(program.replace("app.example.com", NAF), {"btid": world.one.knows(btid("bsf.one.example"))})  # pylint: disable=exec-used
    assert capsys.readouterr().out.startswith("32 ")


def test_installed_where_python_looks(tmp_path):
    run = subprocess.run(["make", "-C", dia.BUILD, "-s", "install-dist_nafpythonDATA", "DESTDIR=%s" % tmp_path], capture_output=True,
                         text=True, timeout=300)
    assert run.returncode == 0, run.stderr
    (where,) = tmp_path.rglob("gba_naf.py")
    assert where.parent.name in ("site-packages", "dist-packages")


def test_a_package_of_it(tmp_path):
    """pip install of the folder, without a network."""
    for needed in ("pip", "setuptools", "wheel"):
        if importlib.util.find_spec(needed) is None:
            pytest.skip("no " + needed)
    shutil.copytree(MODULE, tmp_path / "source")  # pip builds inside it
    run = subprocess.run([sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation", "--no-index", "--target",
                          str(tmp_path / "there"), str(tmp_path / "source")], capture_output=True, text=True, timeout=120, check=False)
    assert run.returncode == 0, run.stderr
    assert {"gba_naf.py", "gba_sealed.py"} <= {path.name for path in (tmp_path / "there").iterdir()}
