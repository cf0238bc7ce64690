# SPDX-License-Identifier: Apache-2.0
"""Diameter peers on Erlang/OTP's stack (Debian: erlang-base, erlang-diameter, erlang-dev), for tests and measurements.

    with otp.Server("hss", table, host="hss.lab.test", realm="lab.test") as hss:   # hss.port
        answer = otp.ask("mar", ("127.0.0.1", hss.port), host="bsf.lab.test", realm="lab.test", impi="user@lab.test")
        assert answer["avps"]["Result-Code"] == 2001 and answer["errors"] == []

Octets come back as hex text. See gba_peer.erl for modes and options.
"""
import atexit
import json
import os
import shutil
import subprocess
import tempfile

_PROGRAM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "erlang", "gba-peer")
_folder = None


def available():
    return shutil.which("diameterc") is not None and shutil.which("erl") is not None


def _environment():
    """Modules are compiled once, into a folder that goes away with this process."""
    global _folder
    if _folder is None:
        _folder = tempfile.mkdtemp(prefix="gba-peer-")
        atexit.register(shutil.rmtree, _folder, ignore_errors=True)
        subprocess.run([_PROGRAM, "compile"], env=dict(os.environ, GBA_PEER_DIR=_folder), check=True, timeout=120)
    return dict(os.environ, GBA_PEER_DIR=_folder)


def _arguments(mode, options):
    """Option names with '_' for '-'; a list gives the option several times; None leaves it out."""
    argv = [_PROGRAM, mode]
    for name, value in options.items():
        for one in value if isinstance(value, (list, tuple)) else [value]:
            if one is not None:
                argv += ["--" + name.replace("_", "-"), str(one)]
    return argv


def _address(peer):
    return "%s:%d" % peer


class Server:
    """An HSS ("hss") or a BSF ("bsf"). Rows are sequences of text, octets in hex: see gba_peer.erl. Options: host, realm,
    ip, port (default: a free one), cert, key, ca (TLS when given)."""

    def __init__(self, mode, rows, **options):
        self._table = tempfile.NamedTemporaryFile("w", suffix=".tsv")
        self._table.write("".join("\t".join(row) + "\n" for row in rows))
        self._table.flush()
        self._process = subprocess.Popen(_arguments(mode, dict(options, table=self._table.name)), stdin=subprocess.PIPE,
                                         stdout=subprocess.PIPE, env=_environment(), text=True)
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("OTP peer did not start (status %s)" % self._process.wait())
        self.port = json.loads(line)["port"]

    def close(self):
        self._process.stdin.close()
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
        self._table.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def ask(mode, peer, timeout=120, **options):
    """One MAR ("mar") or BIR ("bir") to (host, port): the decoded answer, or {"error": ...}."""
    options.setdefault("dest_realm", options["realm"])
    run = subprocess.run(_arguments(mode, dict(options, connect=_address(peer))), stdin=subprocess.DEVNULL,
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=_environment(), text=True, timeout=timeout)
    if run.returncode == 2 or not run.stdout:
        raise RuntimeError(run.stderr)
    return json.loads(run.stdout)


def load(mode, peer, window, seconds, **options):
    """Rate of good answers and their delays, with `window` requests always in flight."""
    return ask(mode, peer, timeout=seconds + 120, window=window, seconds=seconds, **options)
