# SPDX-License-Identifier: Apache-2.0
"""What every measurement stands on: the built programs, a realm without TLS and trace, pairs of daemons, CPU time."""
import json
import os
import subprocess
import time

from lab.process import Process, free_port, port_open, wait_until
from lab.realm import IMPI_REALM, Realm, Tree

JEMALLOC = ("/usr/lib/x86_64-linux-gnu/libjemalloc.so.2", "/usr/lib/aarch64-linux-gnu/libjemalloc.so.2")
K, OPC = "465b5ce8b199b49faa5f0a2ee238a6bc", "cd63cb71954a9f4e48a5994e37a02baf"  # TS 35.208 set 1
IMPI = "00101%u@" + IMPI_REALM
TICK = os.sysconf("SC_CLK_TCK")


def jemalloc():
    return next((path for path in JEMALLOC if os.path.exists(path)), "")


class BenchRealm(Realm):
    """The lab's realm as our role programs run it (jemalloc and gba_fdtune.so preloaded), with one dispatch thread (handlers
    never block), watchdogs that bear a BSF far away, and warnings only."""

    def __init__(self, folder, build):
        super().__init__(folder, Tree(build), tls=False, trace=False, log_level="warning")
        tune = os.path.join(build, "lib", "dia", ".libs", "gba_fdtune.so")
        self.extra_env = {"LD_PRELOAD": ":".join(part for part in (jemalloc(), tune) if part)}

    def as_stock(self):
        """Nodes that are started from now on have freeDiameterd's own small queues."""
        self.extra_env = {"LD_PRELOAD": jemalloc()}

    def daemon_conf(self, *args):
        path = super().daemon_conf(*args)
        with open(path, encoding="utf-8") as conf:
            text = conf.read()
        with open(path, "w", encoding="utf-8") as conf:
            conf.write(text.replace("AppServThreads = 2;", "AppServThreads = 1;").replace("TwTimer = 6;", "TwTimer = 30;"))
        return path


class Ground:
    def __init__(self, folder, build, seconds, rounds, scale):
        self.folder, self.build, self.seconds, self.rounds, self.scale = folder, build, seconds, rounds, scale

    def program(self, name):
        return os.path.join(self.build, "tests", "bench", name)

    def environment(self):
        return dict(os.environ, LD_LIBRARY_PATH=os.path.join(self.build, "lib", ".libs"))

    def run(self, name, *words, timeout=600):
        """Run one of the measuring programs; its standard output."""
        done = subprocess.run([self.program(name)] + [str(w) for w in words], capture_output=True, text=True, timeout=timeout,
                              stdin=subprocess.DEVNULL, env=self.environment())
        if done.returncode != 0:
            raise RuntimeError("%s: %s %s" % (name, done.stdout.strip(), done.stderr.strip()))
        return done.stdout

    def run_json(self, name, *words, **options):
        return json.loads(self.run(name, *words, **options).splitlines()[-1])

    def hold(self, *words):
        """psk_load with sessions that stay while the context lasts; .port is how many there are."""
        return Served(self, "psk_load", words + ("hold=1",), "")

    def serve(self, name, *words, preload=""):
        return Served(self, name, words, preload)

    def new_realm(self, name):
        folder = os.path.join(self.folder, name)
        return BenchRealm(folder, self.build)

    def fill_subscribers(self, realm, count):
        self.run("fill", "subscribers", realm.path("hss.db"), realm.path("hss.kek"), count, IMPI, K, OPC)

    def fill_contexts(self, realm, count, fqdn):
        """Live contexts for the bsf; the file of tokens."""
        os.makedirs(realm.path("bsf"), mode=0o700, exist_ok=True)
        self.run("fill", "contexts", realm.path("bsf"), realm.path("bsf.kek"), count, IMPI, fqdn, realm.path("tokens"))
        return realm.path("tokens")

    # ---- Diameter: a freeDiameterd with bench_dia.fdx at either end, its queues as they are
    def _daemon(self, realm, name, identity, words, port, connect="", dictionary=False):
        cert, key = realm.authority.issue(identity)
        load = ['LoadExtension = "%s";' % realm.tree.extension("dict_gba")] if dictionary else []
        load.append('LoadExtension = "%s" : "%s";' % (os.path.join(self.build, "tests/bench/.libs/bench_dia.fdx"), words))
        text = ('Identity = "%s"; Realm = "%s";\nPort = %d; SecPort = 0; No_SCTP; No_IPv6; NoRelay; ListenOn = "127.0.0.1";\n'
                'AppServThreads = 1; ThreadsPerServer = 8; TcTimer = 1; TwTimer = 30;\n'
                'TLS_Cred = "%s", "%s"; TLS_CA = "%s";\n%s\n%s'
                % (identity, identity.split(".", 1)[1], port, cert, key, realm.authority.ca, "\n".join(load), connect))
        path = os.path.join(self.folder, name + ".conf")
        with open(path, "w", encoding="utf-8") as conf:
            conf.write(text)
        return Process(name, [realm.tree.program("freeDiameterd"), "-c", path], os.path.join(self.folder, name + ".out"),
                       env=dict(realm.tree.environment(), LD_PRELOAD=jemalloc()))

    def ask(self, realm, identity, peer, address, port, dest_realm, words, window=128, seconds=None):
        """Ask a Diameter node and return what bench_dia measured."""
        out = os.path.join(self.folder, "ask.json")
        if os.path.exists(out):
            os.unlink(out)
        text = "role=ask peer=%s realm=%s window=%d seconds=%d out=%s %s" % (peer, dest_realm, window, seconds or self.seconds, out,
                                                                         words)
        connect = 'ConnectPeer = "%s" { ConnectTo = "%s"; Port = %d; No_TLS; No_SCTP; };\n' % (peer, address, port)
        process = self._daemon(realm, "ask", identity, text, free_port(), connect, dictionary="what=floor" not in words).start()
        try:
            wait_until(lambda: os.path.exists(out) and os.path.getsize(out) > 0 or not process.alive(), (seconds or self.seconds) + 40,
                       "answers of " + peer)
        finally:
            process.stop(20)
        if not os.path.exists(out):
            raise RuntimeError("no result of %s:\n%s" % (peer, process.log_text()[-500:]))
        with open(out, encoding="utf-8") as result:
            return json.load(result)

    def ask_floor(self, realm, request, answer, window=128):
        """Two bare freeDiameterds exchange messages of these sizes. cpu_us: both ends', per exchange, [us]."""
        port = free_port()
        server = self._daemon(realm, "floor", "server.floor.test", "role=serve answer=%d" % answer, port).start()
        try:
            wait_until(lambda: port_open("127.0.0.1", port), 10, "Diameter floor")
            watch = Stopwatch(server.pid)
            result = self.ask(realm, "client.floor.test", "server.floor.test", "127.0.0.1", port, "floor.test",
                              "what=floor request=%d answer=%d" % (request, answer), window)
            result["cpu_us"] = (result["cpu_us"] + watch.seconds() * 1e6) / result["sent"]
            return result
        finally:
            server.stop(20)


class Served:
    """A floor's server: prints its port, ends with its standard input."""

    def __init__(self, ground, name, words, preload):
        self._process = subprocess.Popen([ground.program(name)] + [str(w) for w in words], stdin=subprocess.PIPE,
                                         stdout=subprocess.PIPE, text=True, env=dict(ground.environment(), LD_PRELOAD=preload))
        self.pid, self.port = self._process.pid, int(self._process.stdout.readline())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.stdin.close()
        self._process.wait(20)
        self._process.stdout.close()


def cpu_seconds(pid):
    """User and system time a process has used."""
    with open("/proc/%d/stat" % pid, encoding="utf-8") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK


class Others:
    """CPU that programs beside the bench's own take while something is measured."""

    def __init__(self):
        self._before, self._start = self._used(), time.monotonic()

    @staticmethod
    def _used():
        used = {}
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open("/proc/%s/stat" % pid, encoding="utf-8", errors="replace") as stat:
                    name, fields = stat.read().split("(", 1)[1].rsplit(")", 1)
                if os.getsid(int(pid)) != os.getsid(0):
                    used[pid, name] = sum(map(int, fields.split()[11:13])) / TICK
            except OSError:
                pass  # it has ended
        return used

    def most(self):
        """Who took most, for a reader."""
        took = {who: seconds - self._before.get(who, 0) for who, seconds in self._used().items()}
        who = max(took, key=took.get)
        return "other programs used %.2f s of %.1f s, %s most of it" % (sum(took.values()), time.monotonic() - self._start, who[1])


def memory(pid):
    """(resident, anonymous) octets of a process."""
    values = {}
    with open("/proc/%d/smaps_rollup" % pid, encoding="utf-8") as rollup:
        for line in rollup:
            words = line.split()
            if len(words) == 3 and words[2] == "kB":
                values[words[0]] = int(words[1]) * 1024
    return values["Rss:"], values["Anonymous:"]


class Stopwatch:
    """CPU a node spends while something is measured."""

    def __init__(self, pid):
        self._pid, self._cpu, self._start = pid, cpu_seconds(pid), time.monotonic()

    def seconds(self):
        """[s] of CPU used since the start."""
        return cpu_seconds(self._pid) - self._cpu

    def share(self):
        """Cores kept busy since the start."""
        return self.seconds() / (time.monotonic() - self._start)
