# SPDX-License-Identifier: Apache-2.0
"""One operator's realm and one ASP on a block of loopback addresses: names, certificates, configuration, processes.

Every node has an address of its own, so ports are the well-known ones. Roles can be left out or replaced: the system tests
put other people's peers in their place."""
import glob
import json
import os
import shutil
import signal
import subprocess
import time
import urllib.request

from .certs import Authority
from .process import LoopbackBlock, Process, port_open, wait_until

OPERATOR = "mnc001.mcc001.3gppnetwork.org"
HSS = "hss." + OPERATOR
BSF_DIAMETER = "bsf-dia." + OPERATOR
BSF = "bsf.mnc001.mcc001.pub.3gppnetwork.org"
ASP = "asp.example.com"
AGENT = "naf." + ASP
NAF = "app." + ASP
FORBIDDEN_NAF = "other." + ASP
IMPI_REALM = "ims." + OPERATOR

GSID = 1000001  # a service of this operator: outside 3GPP's 0..999999

# How long who asks another node waits for it [ms]. A laboratory shares its machine, which may stand still for seconds; who waits
# for an answer that needs further ones waits the longest.
PATIENCE = {"hss": ("store-timeout", 10000), "bsf": ("zh-timeout", 15000), "agent": ("zn-timeout", 20000), "proxy": ("agent-timeout", 25000)}

HOSTS = {"hss": 11, "bsf": 12, "agent": 13, "proxy": 14, "application": 15, "registry": 16,
         "registry-top": 17, "registry-other": 18, "registry-proxy": 19, "ue": 21}


class Tree:
    """Where the programs and extensions are: a build folder (GBA_BUILD), or an installation."""

    def __init__(self, build=None):
        self.build = build or os.environ.get("GBA_BUILD")
        self.top = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

    def extension(self, name):
        if self.build:
            found = [path for depth in ("*", "*/*", "*/*/*")
                     for path in glob.glob(os.path.join(self.build, depth, ".libs", name + ".fdx")) if self._is_ours(path)]
            if not found:
                raise FileNotFoundError("%s.fdx is not built in %s" % (name, self.build))
            return max(found, key=os.path.getmtime)  # an older build may have had it elsewhere
        prefix = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
        return os.path.join(prefix, "lib", "gba-suite", name + ".fdx")

    def _is_ours(self, path):
        """Not of another build that lies in this one, as the sanitizers' do."""
        return os.path.isdir(os.path.join(self.top, os.path.relpath(path, self.build).split(os.sep)[0]))

    def plugin(self, name):
        """A shared object that another program loads."""
        found = [os.path.join(self.build, folder, ".libs", name) for folder in ("naf-adapter/mosquitto",)] if self.build else \
            [os.path.join(os.path.dirname(self.top), "lib", "gba-suite", name)]
        if not os.path.exists(found[0]):
            raise FileNotFoundError("%s is not there" % found[0])
        return found[0]

    def program(self, name):
        places = {"gba-ctl": "tools/gba-ctl", "gba-ue": "ue", "gba-naf-proxy": "naf-adapter/proxy", "gba-bsf": "bsf", "gba-hss": "hss-stub",
                  "gba-naf-agent": "naf-adapter/agent", "gba-registry": "registry-fn", "gba-naf-coap": "naf-adapter/coap",
                  "gba-naf-oidc": "naf-adapter/oidc", "gba-naf-mqtt": "naf-adapter/mosquitto", "gba-guard": "lib/dia/guard"}
        if self.build and name in places:
            return os.path.join(self.build, places[name], name)
        found = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
        if found is None:
            raise FileNotFoundError("%s is not installed" % name)
        return found

    def environment(self):
        """In a build folder the extensions find libgba by this."""
        if not self.build:
            return {}
        path = os.path.join(self.build, "lib", ".libs") + ":" + os.path.join(self.build, "naf-adapter", "libnaf", ".libs")
        return {"LD_LIBRARY_PATH": path}

    def preload(self):
        """What our role programs start freeDiameterd with, unless something else is preloaded."""
        tune = os.path.join(self.build or "", "lib", "dia", ".libs", "gba_fdtune.so")
        return {"LD_PRELOAD": tune} if self.build and os.path.exists(tune) and "LD_PRELOAD" not in os.environ else {}


def q(text):
    return '"%s"' % text


class Realm:
    """`with Realm(folder) as realm: realm.start()`; each node can also be started and killed alone."""

    def __init__(self, folder, tree=None, tls=True, trace=True, log_level="info"):
        self.folder = os.path.abspath(folder)
        os.makedirs(self.folder, mode=0o700, exist_ok=True)
        self.tree, self.tls, self.log_level = tree or Tree(), tls, log_level
        self.block = LoopbackBlock()
        self.trace = os.path.join(self.folder, "trace.jsonl") if trace else ""
        self.authority = Authority(os.path.join(self.folder, "certs"))
        self.nodes = {}
        self.extra_env = {}
        self.site_gsids = [GSID]  # whose user settings the proxy asks for
        self.names, self.impi_allowed = [NAF], False  # the operator gives keys for these names, and identities

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    # ---- names and places
    def address(self, node):
        return self.block.address(HOSTS[node])

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def _write(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as out:
            out.write(text)
        return self.path(name)

    # ---- configuration
    def daemon_conf(self, node, identity, realm, extensions, peers):
        """freeDiameter.conf of one process. peers: [(identity, address or None)]: None never connects out."""
        cert, key = self.authority.issue(identity)
        lines = ["Identity = %s;" % q(identity), "Realm = %s;" % q(realm), "No_SCTP;", "NoRelay;", "AppServThreads = 2;",
                 "ThreadsPerServer = 200;", "TcTimer = 1;", "TwTimer = 6;",
                 "TLS_Cred = %s, %s;" % (q(cert), q(key)), "TLS_CA = %s;" % q(self.authority.ca),
                 'TLS_Prio = "NORMAL:-VERS-TLS1.3";', "Port = 3868;", "SecPort = 5868;" if self.tls else "SecPort = 0;"]
        for name, argument in extensions:
            lines.append("LoadExtension = %s%s;" % (q(self.tree.extension(name)), " : " + q(argument) if argument else ""))
        for peer, address in peers:
            options = ["No_SCTP;"] + (["Port = 5868;"] if self.tls else ["No_TLS;", "Port = 3868;"])
            lines.append("ConnectPeer = %s { ConnectTo = %s; %s };" % (q(peer), q(address or self.block.address(250)),
                                                                    " ".join(options)))
        return self._write(node + ".freediameter.conf", "\n".join(lines) + "\n")

    def common(self, node):
        """What every role's configuration starts with."""
        return ("log-level = %s;\nlog-format = \"text\";\nlog-file = %s;\ntrace-file = %s;\n"
                % (q(self.log_level), q(self.path(node + ".log")), q(self.trace)))

    @staticmethod
    def patient(role, extra=""):
        """extra with the patience of the role, unless it says its own."""
        item, wait = PATIENCE[role]
        return extra if item in extra else "%s = %d;\n%s" % (item, wait, extra)

    def guard_conf(self, node, peers, realms=()):
        """peers: [(identity, [applications])]; others are refused."""
        groups = ",\n".join('  { identity = %s; applications = [ %s ]; }' % (q(peer), ", ".join(q(a) for a in applications))
                            for peer, applications in peers)
        return self._write(node + ".guard.conf", "listen = [ %s ];\nrealms = [ %s ];\npeers = (\n%s\n);\n"
                           "metrics-listen = %s;\n" % (q(self.address(node)), ", ".join(q(r) for r in realms), groups,
                                                     q(self.address(node) + ":9101")))

    def hss_conf(self, bsfs=((BSF_DIAMETER, 1),), extra=""):
        groups = ", ".join('{ identity = %s; ind = %d; realms = [ %s ]; }' % (q(name), ind, q(IMPI_REALM)) for name, ind in bsfs)
        return self._write("hss.conf", self.common("hss") + 'database = %s;\nkek-file = %s;\nbsfs = ( %s );\n'
                           'metrics-listen = %s;\n%s' % (q(self.path("hss.db")), q(self.path("hss.kek")), groups,
                                                        q(self.address("hss") + ":9100"), self.patient("hss", extra)))

    def bsf_conf(self, extra="", nafs=None):
        os.makedirs(self.path("bsf"), mode=0o700, exist_ok=True)
        if nafs is None:
            nafs = ('{ identity = %s; fqdns = [ %s ]; gsids = [ "*" ]; impi-allowed = %s; }'
                    % (q(AGENT), ", ".join(q(name) for name in self.names), str(self.impi_allowed).lower()))
        return self._write("bsf.conf", self.common("bsf") + 'name = %s;\nub = ( { listen = %s; } );\n'
                           'hss = ( { impi-realm = %s; destination-realm = %s; } );\nnafs = ( %s );\n'
                           'store-dir = %s;\nkek-file = %s;\nmetrics-listen = %s;\n%s'
                           % (q(BSF), q(self.address("bsf") + ":80"), q(IMPI_REALM), q(OPERATOR), nafs, q(self.path("bsf")),
                              q(self.path("bsf.kek")), q(self.address("bsf") + ":9100"), self.patient("bsf", extra)))

    def agent_conf(self, extra=""):
        return self._write("naf.conf", self.common("agent") + 'audit-log = %s;\n' % q(self.path("agent.audit.log")) + 'socket = %s;\n'
                           'realms = ( { domain = %s; realm = %s; host = %s; } );\n'
                           'clients = ( { name = "naf-proxy"; user = "%d"; fqdns = [ %s ]; } );\n%s'
                           % (q(self.path("naf.sock")), q(BSF), q(OPERATOR), q(BSF_DIAMETER), os.getuid(),
                              ", ".join(q(name) for name in self.names + [FORBIDDEN_NAF]), self.patient("agent", extra)))

    def proxy_conf(self, extra=""):
        cert, key = self.authority.issue(NAF)
        site = ('{ fqdn = %%s; upstream = %s; http-digest = true; certificate = %s; private-key = %s; gsids = [ %s ]; }'
                % (q(self.address("application") + ":8080"), q(cert), q(key), ", ".join(q(gsid) for gsid in self.site_gsids)))
        return self._write("proxy.conf", self.common("proxy") + 'listeners = ( { address = %s; tls = true; default-site = %s; },\n'
                           '  { address = %s; tls = false; } );\nsites = ( %s,\n  %s );\nagent-socket = %s;\nmetrics = %s;\n%s'
                           % (q(self.address("proxy") + ":443"), q(NAF), q(self.address("proxy") + ":80"), site % q(NAF),
                              site % q(FORBIDDEN_NAF), q(self.path("naf.sock")), q(self.address("proxy") + ":9100"), self.patient("proxy", extra)))

    # ---- processes
    def start_hss(self, peers=None, **conf):
        guard = self.guard_conf("hss", peers or [(BSF_DIAMETER, ["zh", "rpb"])], realms=[IMPI_REALM])
        daemon = self.daemon_conf("hss", HSS, OPERATOR,
                                  [("dict_gba", ""), ("dict_y3056", ""), ("gba_guard", guard), ("hss_stub", self.hss_conf(**conf))],
                                  [(BSF_DIAMETER, None)])
        return self.start_daemon("hss", daemon, 5868 if self.tls else 3868)

    def start_bsf(self, peers=None, **conf):
        guard = self.guard_conf("bsf", peers or [(HSS, ["zh", "rpb"]), (AGENT, ["zn", "rpa"])])
        daemon = self.daemon_conf("bsf", BSF_DIAMETER, OPERATOR,
                                  [("dict_gba", ""), ("dict_y3056", ""), ("gba_guard", guard), ("bsf", self.bsf_conf(**conf))],
                                  [(HSS, self.address("hss")), (AGENT, None)])
        return self.start_daemon("bsf", daemon, 80)

    def start_agent(self, bsf=None, **conf):
        """bsf: address to find it at, when something stands between."""
        guard = self.guard_conf("agent", [(BSF_DIAMETER, ["zn", "rpa"])])
        daemon = self.daemon_conf("agent", AGENT, ASP,
                                  [("dict_gba", ""), ("dict_y3056", ""), ("gba_guard", guard), ("naf", self.agent_conf(**conf))],
                                  [(BSF_DIAMETER, bsf or self.address("bsf"))])
        return self.start_daemon("agent", daemon, 5868 if self.tls else 3868)

    def start_application(self):
        app = os.path.join(os.path.dirname(os.path.abspath(__file__)), "app.py")
        process = Process("application", ["/usr/bin/python3", app, self.address("application"), "8080", self.trace],
                          self.path("application.out"))
        return self.start_process("application", process, self.address("application"), 8080)

    def start_program(self, node, program, conf, port):
        """One of ours that is not loaded by freeDiameterd."""
        process = Process(node, [self.tree.program(program), "-c", conf], self.path(node + ".out"), env=self.tree.environment())
        return self.start_process(node, process, self.address(node), port)

    def start_proxy(self, **conf):
        return self.start_program("proxy", "gba-naf-proxy", self.proxy_conf(**conf), 443)

    def ready(self, node):
        """Does the node say that it can do its work (/readyz)? The agent's page is its guard's."""
        port = 9101 if node == "agent" else 9100
        try:
            with urllib.request.urlopen("http://%s:%d/readyz" % (self.address(node), port), timeout=2) as answer:
                return answer.status == 200
        except OSError:
            return False

    def wait_connected(self, nodes=("bsf", "agent"), timeout=60):
        """Until the Diameter connections these nodes need are up."""
        for node in nodes:
            wait_until(lambda: self.ready(node), timeout, "%s is ready" % node)

    def start(self):
        for action in (self.start_hss, self.start_bsf, self.start_agent, self.start_application, self.start_proxy):
            action()
        self.wait_connected()

    # ---- programs
    def program_line(self, name):
        """How a person starts one of our programs from a shell."""
        environment = " ".join("%s=%s" % item for item in self.tree.environment().items())
        return ("env %s %s" % (environment, self.tree.program(name))).replace("env  ", "")

    def run(self, program, *args, stdin=None, timeout=60):
        """Run one of our programs to its end; returns subprocess.CompletedProcess with text output."""
        return subprocess.run([self.tree.program(program), *[str(a) for a in args]], input=stdin, capture_output=True, text=True,
                              timeout=timeout, env=dict(os.environ, **self.tree.environment()))

    def ctl(self, *args, stdin=None):
        done = self.run("gba-ctl", "--db", self.path("hss.db"), "--kek", self.path("hss.kek"), *args, stdin=stdin, timeout=600)
        if done.returncode != 0:
            raise RuntimeError("gba-ctl %s: %s" % (" ".join(args), done.stderr.strip() or done.stdout.strip()))
        return done.stdout

    def start_daemon(self, node, conf, ready_port, address=None):
        process = Process(node, [self.tree.program("freeDiameterd"), "-c", conf], self.path(node + ".out"),
                          env=dict(self.tree.environment(), **dict(self.tree.preload(), **self.extra_env)))
        return self.start_process(node, process, address or self.address(node), ready_port)

    def errors_of(self, node):
        """What a node with a log of its own says there of why it ended."""
        try:
            with open(self.path(node + ".log"), encoding="utf-8", errors="replace") as log:
                return "".join([line for line in log if " error " in line][-5:])
        except OSError:
            return ""

    def start_process(self, node, process, address, port, timeout=60):
        self.nodes[node] = process.start()

        def up():
            if not process.alive():
                raise RuntimeError("%s ended with status %s:\n%s%s" % (node, process.exit_code(), process.log_text()[-3000:],
                                                                      self.errors_of(node)))
            return port_open(address, port)
        try:
            wait_until(up, timeout, "%s listens on %s:%d" % (node, address, port))
        except TimeoutError as late:
            raise TimeoutError("%s\n%s" % (late, process.log_text()[-3000:])) from None
        return process

    def stop(self):
        for node in reversed(list(self.nodes)):
            self.nodes[node].signal(signal.SIGTERM)
        end = time.monotonic() + 6  # for all together: the guard ends a freeDiameterd after 4.5 s; nothing is lost by SIGKILL
        for node in reversed(list(self.nodes)):
            self.nodes[node].stop(max(0.05, end - time.monotonic()))
        self.nodes.clear()
        self.block.release()

    def write_json(self, name, value):
        return self._write(name, json.dumps(value, indent=1))
