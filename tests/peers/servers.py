# SPDX-License-Identifier: Apache-2.0
"""Debian's PostgreSQL and Redis, one server of the test's own each: a temporary folder, UNIX socket or loopback, any user."""
import contextlib
import glob
import os
import pwd
import shutil
import signal
import subprocess
import tempfile

from .waiting import until


def _end(process, how):
    if process is not None and process.poll() is None:
        process.send_signal(how)
        process.wait()


class Postgres:
    """It refuses to run as root: then it runs as Debian's postgres."""

    def __init__(self, folder, memory=True):
        """memory: a file system in memory will do, which syncs at once."""
        self.folder, self.process = str(folder), None
        self.programs = os.path.dirname(sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"))[-1])
        self.user = pwd.getpwnam("postgres") if os.getuid() == 0 else None
        os.makedirs(self.folder, exist_ok=True)
        if self.user:  # the folders above are its owner's alone
            room = os.statvfs("/dev/shm") if memory and os.path.isdir("/dev/shm") else None
            roomy = room and room.f_bavail * room.f_frsize > 1 << 29
            self.folder = tempfile.mkdtemp(prefix="gba_pgs.", dir="/dev/shm" if roomy else "/var/tmp")
            os.chown(self.folder, self.user.pw_uid, self.user.pw_gid)
        self._make()
        self.start()

    def _make(self):
        self._run("initdb", "-D", self.data, "-U", "gba", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "-N")

    @property
    def data(self):
        return os.path.join(self.folder, "data")

    def _as(self):
        return {"user": self.user.pw_uid, "group": self.user.pw_gid, "extra_groups": []} if self.user else {}

    def _run(self, name, *words):
        subprocess.run([os.path.join(self.programs, name), *words], check=True, cwd="/", capture_output=True, **self._as())

    def start(self):
        self.process = subprocess.Popen([os.path.join(self.programs, "postgres"), "-D", self.data, "-k", self.folder, "-c",
                                         "listen_addresses=", "-c", "shared_buffers=16MB"], cwd="/", stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **self._as())
        assert until(lambda: self.sql("SELECT 1", check=False).returncode == 0)

    def kill(self):
        """All of it at once, without a word to anybody; it recovers at the next start."""
        _end(self.process, signal.SIGQUIT)

    def hang(self):
        """All of it stands still, its sockets stay open."""
        self.process.send_signal(signal.SIGSTOP)
        with open("/proc/%d/task/%d/children" % (self.process.pid, self.process.pid)) as children:
            self.still = [int(pid) for pid in children.read().split()]
        for pid in self.still:
            os.kill(pid, signal.SIGSTOP)

    def go_on(self):
        for pid in [*self.still, self.process.pid]:
            os.kill(pid, signal.SIGCONT)

    def sql(self, text, check=True):
        return subprocess.run(["psql", "-X", "-q", "-A", "-t", "-h", self.folder, "-U", "gba", "postgres", "-c", text],
                              check=check, capture_output=True, text=True)

    @contextlib.contextmanager
    def session(self):
        """One that stays: call it with SQL."""
        words = ["psql", "-X", "-q", "-A", "-t", "-h", self.folder, "-U", "gba", "postgres"]
        with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            def run(text):
                process.stdin.write(text + ";\n\\echo done\n")
                process.stdin.flush()
                while process.stdout.readline() not in ("done\n", ""):
                    pass

            yield run
            process.stdin.close()

    def cut(self):
        """End all sessions but our own."""
        self.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
                 " AND backend_type = 'client backend'")

    def url(self, schema):
        """Connection string of a schema, made when it is not there. The password is for looking for: the server wants none."""
        self.sql("CREATE SCHEMA IF NOT EXISTS " + schema)
        return "postgres:host=%s user=gba password=s3cr3tpw dbname=postgres options='-c search_path=%s'" % (self.folder, schema)

    def close(self):
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


class Standby(Postgres):
    """Follows another server, which from then on acknowledges no commit that this one has not got."""

    def __init__(self, folder, primary):
        self.primary = primary
        super().__init__(folder)
        primary.sql("ALTER SYSTEM SET synchronous_standby_names = '*'")
        primary.sql("SELECT pg_reload_conf()")
        assert until(lambda: primary.sql("SELECT sync_state FROM pg_stat_replication").stdout.strip() == "sync")

    def _make(self):
        self._run("pg_basebackup", "-h", self.primary.folder, "-U", "gba", "-D", self.data, "-R", "-X", "stream", "-c", "fast", "-N")

    def promote(self):
        assert self.sql("SELECT pg_promote()").stdout.strip() == "t"

    def url(self, schema):
        return self.primary.url(schema).replace("host=", "host=%s," % self.folder)  # the one that is no primary yet first


class Redis:
    """On a UNIX socket, or with tls=(cert, key, ca) on a loopback port."""

    def __init__(self, folder, *options, port=0, tls=None):
        self.folder, self.port, self.tls, self.options, self.process = str(folder), port, tls, options, None
        os.makedirs(self.folder, exist_ok=True)
        self.socket = os.path.join(self.folder, "s")
        self.start()

    def start(self):
        words = ["redis-server", "--dir", self.folder, "--save", "", "--unixsocket", self.socket, "--bind", "127.0.0.1",
                 "--appendonly", "yes", "--appendfsync", "always", "--port", "0" if self.tls else str(self.port), *self.options]
        if self.tls:
            cert, key, ca = self.tls
            words += ["--tls-port", str(self.port), "--tls-cert-file", cert, "--tls-key-file", key, "--tls-ca-cert-file", ca,
                      "--tls-auth-clients", "yes"]
        self.process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        assert until(lambda: "PONG" in self.cli("ping"))

    def cli(self, *words):
        return subprocess.run(["redis-cli", "-s", self.socket, *words], check=False, capture_output=True, text=True).stdout

    def kill(self):
        _end(self.process, signal.SIGKILL)

    def hang(self):
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self):
        self.process.send_signal(signal.SIGCONT)

    def close(self):
        if self.process.poll() is None:
            self.go_on()
        self.kill()
