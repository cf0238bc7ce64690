# SPDX-License-Identifier: Apache-2.0
"""An ASP's application of each kind behind the adapter, with the programs people have: gba-lab --asp KIND. A kind is a class in a file of
its own or below, and a row of KINDS."""
import base64
import os
import re
import shutil
import socket
import subprocess

from .devices import Device
from .lab import Lab
from .process import Process, wait_until
from .realm import ASP, GSID, NAF, q

HERE = os.path.dirname(os.path.abspath(__file__))


class Kind(Lab):
    """What all kinds have: one device with a token, and a client element beside programs that know nothing of GBA."""

    few = True
    columns = ["ue", "bsf", "hss-stub", "naf-agent", "naf-proxy", "application"]
    programs = {}  # that have to be there: {name: Debian package}
    impi_allowed = False
    names = [NAF]

    def __init__(self, realm, options):
        super().__init__(realm, options)
        realm.names, realm.impi_allowed = list(self.names), self.impi_allowed
        self.device = Device(realm, "meter", "001010000000001")
        self.user = "sip:meter@example.com"
        for program, package in self.programs.items():
            if self.find(program) is None:
                raise RuntimeError("%s is missing: apt-get install %s" % (program, package))

    # ---- to be said by each kind
    def applications(self):
        """Steps that start what is behind the agent: [(title, action)]."""
        return [("application", self.realm.start_application), ("naf proxy", self.realm.start_proxy)]

    def beside(self):
        """What runs on the device, once it is one."""

    def scenarios(self):
        raise NotImplementedError

    def how(self):
        """Commands for --keep."""
        return []

    # ---- what they are made of
    @staticmethod
    def find(program):
        return shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")

    def nodes(self):
        realm = self.realm
        return [("hss-stub", realm.start_hss), ("bsf", realm.start_bsf), ("naf agent", realm.start_agent)] + self.applications()

    def device_folder(self):
        return self.device.state

    def run(self):
        self.device.provision()
        self.device.personalise()
        self.scenario("A device bootstraps", self.bootstrap(self.device))
        self.beside()
        self.scenarios()
        return self.good()

    def start(self, node, command, port, address=None, env=None):
        process = Process(node, command, self.realm.path(node + ".out"), env=env)
        return self.realm.start_process(node, process, address or self.realm.address("application"), port)

    def start_python(self, script, port):
        return self.start("application", ["/usr/bin/python3", os.path.join(HERE, script), self.realm.address("application"), str(port)], port)

    def start_site(self, port, *items):
        """gba-naf-proxy with these sites on a port."""
        realm = self.realm
        sites = ",\n  ".join("{ %s gsids = [ %s ]; }" % (item, q(GSID)) for item in items)
        conf = realm._write("proxy.conf", realm.common("proxy") + "listeners = ( { address = %s; tls = true; default-site = %s; } );\n"
                            "sites = ( %s );\nagent-socket = %s;\nmetrics = %s;\n%s"
                            % (q("%s:%d" % (realm.address("proxy"), port)), q(NAF), sites, q(realm.path("naf.sock")),
                               q(realm.address("proxy") + ":9100"), realm.patient("proxy")))
        return realm.start_program("proxy", "gba-naf-proxy", conf, port)

    def start_ue_proxy(self, to, connect, *options):
        """gba-ue proxy: a local port of the device."""
        realm = self.realm
        command = [realm.tree.program("gba-ue"), "--state", self.device.state, "--trace", realm.trace, "proxy", "--listen",
                   realm.address("ue") + ":1000", "--to", to, "--connect", connect, *options]
        return self.start("ue", command, 1000, realm.address("ue"), env=realm.tree.environment())

    def key(self, ua_id, name=NAF):
        """(B-TID, key of the application in hex): what a client element hands to a program beside it."""
        run = self.device.bootstrap()
        return run["btid"], self.device.must("token", "key", name, "--ua-id", ua_id, "--reveal")["key"]

    def do(self, *command, stdin=None, env=None, timeout=30):
        """Run a program to its end: (status, what it said)."""
        done = subprocess.run([str(word) for word in command], input=stdin, capture_output=True, text=True, timeout=timeout, check=False,
                              env=dict(os.environ, **(env or {})))
        return done.returncode, (done.stdout + done.stderr).strip()

    def must_do(self, *command, **more):
        status, said = self.do(*command, **more)
        if status != 0:
            raise RuntimeError("%s: status %d: %s" % (command[0], status, said))
        return said

    def talk(self, address, port, text):
        """Send a line to a TCP server once it has greeted; both lines that come back."""
        with socket.create_connection((address, port), timeout=20) as sock, sock.makefile("rwb") as stream:
            greeting = stream.readline().decode().strip()
            stream.write(text.encode() + b"\n")
            stream.flush()
            return greeting, stream.readline().decode().strip()


class Http(Kind):
    """HTTP behind gba-naf-proxy, and behind nginx, which asks it."""

    title = "An HTTP application"
    programs = {"curl": "curl", "nginx": "nginx-light"}
    ASKED = 8081  # where nginx asks

    def applications(self):
        return super().applications() + [("nginx", self.start_nginx)]

    def beside(self):
        self.start_ue_proxy("http://%s/" % NAF, self.realm.address("proxy") + ":80")

    def start_nginx(self):
        realm, folder = self.realm, self.realm.path("nginx")
        os.makedirs(folder, exist_ok=True)
        cert, key = realm.authority.issue(NAF)
        conf = realm._write("asked.conf", realm.common("proxy") + "listeners = ( { address = \"127.0.0.1:%d\"; tls = false; authorization = \"original\";"
                            " authorization-tls = \"digest\"; } );\nsites = ( { fqdn = %s; gsids = [ %s ]; } );\nagent-socket = %s;\n%s"
                            % (self.port(), q(NAF), q(GSID), q(realm.path("naf.sock")), realm.patient("proxy")))
        process = Process("asked", [realm.tree.program("gba-naf-proxy"), "-c", conf], realm.path("asked.out"), env=realm.tree.environment())
        realm.start_process("asked", process, "127.0.0.1", self.port())
        temporary = "".join("%s_temp_path %s/%s;\n" % (name, folder, name) for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        conf = realm._write("nginx.conf", "%sdaemon off;\npid %s/pid;\nerror_log stderr;\nevents {}\nhttp {\naccess_log off;\n%sserver {\n"
                            "  listen %s:8443 ssl;\n  server_name %s;\n  ssl_certificate %s;\n  ssl_certificate_key %s;\n"
                            "  location / {\n    auth_request /gba;\n    auth_request_set $who $upstream_http_x_3gpp_asserted_identity;\n"
                            "    proxy_set_header X-3GPP-Asserted-Identity $who;\n    proxy_set_header Authorization \"\";\n"
                            "    proxy_pass http://%s:8080;\n  }\n  location = /gba {\n    internal;\n    proxy_pass http://127.0.0.1:%d;\n"
                            "    proxy_pass_request_body off;\n    proxy_set_header Content-Length \"\";\n    proxy_set_header Host $host;\n"
                            "    proxy_set_header X-Original-Method $request_method;\n    proxy_set_header X-Original-URI $request_uri;\n"
                            "    proxy_set_header X-Real-IP $remote_addr;\n  }\n}\n}\n"
                            % ("user root;\n" if os.getuid() == 0 else "", folder, temporary, realm.address("application"), NAF, cert, key,
                               realm.address("application"), self.port()))
        return self.start("nginx", [self.find("nginx"), "-c", conf, "-p", folder], 8443)

    def port(self):
        """Of a block of our own: questions of nginx come from this host only."""
        return 20000 + int(self.realm.block.prefix.split(".")[1]) * 100 + int(self.realm.block.prefix.split(".")[2]) % 100

    def curl(self, url, *options):
        return self.do("curl", "-s", "--cacert", self.realm.authority.ca, "--connect-to", "%s:80:%s:80" % (NAF, self.realm.address("proxy")),
                       "--connect-to", "%s:8443:%s:8443" % (NAF, self.realm.address("application")), *options, url)[1]

    def digest(self):
        btid, key = self.key("0100000002")
        return ["--digest", "-u", "%s:%s" % (btid, base64.b64encode(bytes.fromhex(key)).decode())]

    def forged(self):
        return self.curl("http://%s/forged" % NAF, *self.digest(), "-H", 'X-3GPP-Asserted-Identity: "sip:boss@example.com"')

    def scenarios(self):
        hello = lambda seen: self.user in seen  # noqa: E731
        self.scenario("gba-ue opens it over PSK-TLS 1.3", self.open(self.device, "https", "--psk", "--tls1.3"), hello)
        self.scenario("curl opens it over HTTP Digest with the device's key", lambda: self.curl("http://%s/readings" % NAF, *self.digest()), hello)
        self.scenario("A program that knows nothing, through gba-ue proxy",
                      lambda: self.must_do("curl", "-s", "http://%s:1000/readings" % self.realm.address("ue")), hello)
        self.scenario("curl opens it behind nginx, which asks", lambda: self.curl("https://%s:8443/readings" % NAF, *self.digest()), hello)
        self.scenario("An identity that a device claims is not passed on", self.forged, lambda seen: hello(seen) and "boss" not in seen)
        self.scenario("Refused: nobody's key", lambda: self.curl("http://%s/" % NAF, "-o", "/dev/null", "-w", "%{http_code}", "--digest", "-u",
                                                                 "AAAAAAAAAAAAAAAAAAAAAA==@bsf.mnc001.mcc001.pub.3gppnetwork.org:x"),
                      lambda seen: seen == "401")

    def how(self):
        return ["curl -si http://%s:1000/hello" % self.realm.address("ue"),
                "curl -si --connect-to %s:80:%s:80 http://%s/hello" % (NAF, self.realm.address("proxy"), NAF)]


class WebSocket(Kind):
    title = "A WebSocket application"

    def applications(self):
        realm = self.realm
        site = "fqdn = %s; upstream = %s; upgrade = true;" % (q(NAF), q(realm.address("application") + ":8080"))
        return [("application", lambda: self.start_python("websocket.py", 8080)), ("naf proxy", lambda: self.start_site(443, site))]

    def beside(self):
        self.start_ue_proxy("tls://%s:443" % NAF, self.realm.address("proxy") + ":443")

    def conversation(self):
        from .websocket import Client
        client = Client(self.realm.address("ue"), 1000, NAF, "/live")
        try:
            if client.status != 101:
                return "status %d" % client.status
            greeting, long = client.receive(), "x" * 100000
            for text in ("47.1", long):
                client.send(text)
                if client.receive() != text:
                    return "another text came back"
            return "101; the application says %s; 2 texts came back" % greeting
        finally:
            client.close()

    def stranger(self):
        """A TLS client with a key nobody knows."""
        status, said = self.do("openssl", "s_client", "-connect", self.realm.address("proxy") + ":443", "-servername", NAF, "-tls1_2", "-psk",
                               "11" * 32, "-psk_identity", "3GPP-bootstrapping;AAAAAAAAAAAAAAAAAAAAAA==@bsf.mnc001.mcc001.pub.3gppnetwork.org",
                               stdin="")
        return "openssl s_client: status %d: %s" % (status, " ".join(re.findall(r"alert [a-z ]+", said)[:1]) or said[-80:])

    def scenarios(self):
        self.scenario("A WebSocket through gba-ue proxy and PSK-TLS", self.conversation, lambda seen: self.user in seen and "2 texts" in seen)
        self.scenario("Refused: nobody's key", self.stranger, lambda seen: "unknown psk identity" in seen)

    def how(self):
        return ["/usr/bin/python3 -c 'import sys; sys.path.insert(0, \"%s\"); from lab.websocket import Client; c = Client(\"%s\", 1000, \"%s\"); "
                "print(c.receive())'" % (os.path.dirname(HERE), self.realm.address("ue"), NAF)]


class Tcp(Kind):
    """A Redis server that nobody taught anything, and a program that reads who comes from the PROXY header."""

    title = "TCP programs"
    programs = {"redis-server": "redis-server", "redis-cli": "redis-tools"}
    LINES = "lines." + ASP
    names = [NAF, LINES]

    def applications(self):
        realm, address = self.realm, self.realm.address("application")
        sites = ["fqdn = %s; mode = \"stream\"; proxy-header = false; upstream = %s;" % (q(NAF), q(address + ":6379")),
                 "fqdn = %s; mode = \"stream\"; upstream = %s;" % (q(self.LINES), q(address + ":7000"))]
        redis = [self.find("redis-server"), "--bind", address, "--port", "6379", "--save", "", "--dir", realm.folder, "--protected-mode", "no"]
        return [("redis", lambda: self.start("redis", redis, 6379)), ("application", lambda: self.start_python("lines.py", 7000)),
                ("naf proxy", lambda: self.start_site(443, *sites))]

    def beside(self):
        self.start_ue_proxy("tls://%s:443" % NAF, self.realm.address("proxy") + ":443")

    def redis(self, *words):
        return self.must_do("redis-cli", "-h", self.realm.address("ue"), "-p", "1000", *words)

    def lines(self):
        """A second client element's port, for the other application."""
        realm = self.realm
        command = [realm.tree.program("gba-ue"), "--state", self.device.state, "--trace", realm.trace, "proxy", "--listen",
                   realm.address("ue") + ":1001", "--to", "tls://%s:443" % self.LINES, "--connect", realm.address("proxy") + ":443"]
        process = self.start("ue-lines", command, 1001, realm.address("ue"), env=realm.tree.environment())
        greeting, echo = self.talk(realm.address("ue"), 1001, "47.1")
        process.stop()
        del realm.nodes["ue-lines"]
        return "%s; %s came back" % (greeting, echo)

    def stranger(self):
        return WebSocket.stranger(self)

    def scenarios(self):
        self.scenario("redis-cli writes through gba-ue proxy, PSK-TLS and gba-naf-proxy", lambda: self.redis("set", "reading", "47.1"),
                      lambda seen: seen == "OK")
        self.scenario("and reads it again", lambda: self.redis("get", "reading"), lambda seen: seen == "47.1")
        self.scenario("An application that reads the PROXY header knows who it is", self.lines, lambda seen: self.user in seen and "47.1 came" in seen)
        self.scenario("Refused: nobody's key", self.stranger, lambda seen: "unknown psk identity" in seen)

    def how(self):
        return ["redis-cli -h %s -p 1000 get reading" % self.realm.address("ue")]


class Coap(Kind):
    """CoAP over DTLS-PSK, in front of an HTTP application."""

    title = "An application for CoAP devices"
    columns = ["ue", "bsf", "hss-stub", "naf-agent", "naf-coap", "application"]
    programs = {"coap-client-openssl": "libcoap3-bin"}
    UA_ID, TRIES = "010001ccac", 60

    def applications(self):
        realm = self.realm
        conf = realm._write("coap.conf", realm.common("coap") + "listen = %s;\nfqdn = %s;\nupstream = %s;\ngsids = [ %s ];\nagent-socket = %s;\n"
                            "metrics-listen = %s;\nwait = 5000;\nwait-share = 100;\n%s"
                            % (q(realm.address("proxy") + ":5684"), q(NAF), q("unix:" + realm.path("app.sock")), q(GSID), q(realm.path("naf.sock")),
                               q(realm.address("proxy") + ":9100"), realm.patient("proxy")))
        return [("application", self.start_on_socket), ("naf coap", lambda: realm.start_program("proxy", "gba-naf-coap", conf, 9100))]

    def start_on_socket(self):
        realm, path = self.realm, self.realm.path("app.sock")
        command = ["/usr/bin/python3", os.path.join(HERE, "app.py"), "unix:" + path, "0", realm.trace, "naf-coap"]
        realm.nodes["application"] = Process("application", command, realm.path("application.out")).start()
        wait_until(lambda: os.path.exists(path), 30, "the application listens")
        return realm.nodes["application"]

    def text_key(self):
        """coap-client takes keys as text: one without a NUL."""
        for _ in range(self.TRIES):
            btid, key = self.key(self.UA_ID)
            if b"\0" not in bytes.fromhex(key):
                return btid, bytes.fromhex(key)
            self.device.bootstrap("--force")
        raise RuntimeError("%d keys with a NUL" % self.TRIES)

    def ask(self, key=None):
        btid, real = self.text_key()
        out = self.realm.path("coap.answer")
        if os.path.exists(out):
            os.unlink(out)
        done = subprocess.run(["coap-client-openssl", "-m", "get", "-A", "50", "-O", "12,0x32", "-B", "3" if key else "20", "-u",
                               "3GPP-bootstrapping;" + btid, "-k", key or real, "-o", out,
                               "coaps://%s:5684/readings" % self.realm.address("proxy")], capture_output=True, timeout=60, check=False)
        answer = open(out, "rb").read().decode() if os.path.exists(out) else ""
        return answer.strip() or "no answer; " + done.stderr.decode(errors="replace").strip()[-100:]

    def by_itself(self):
        url, where = "coaps://%s/readings" % NAF, self.realm.address("proxy") + ":5684"
        status, said, error = self.device.get(url, "--connect", where, "--header", "Accept: application/json")
        return said["body"] if status == 0 else error

    def scenarios(self):
        self.scenario("gba-ue opens it over DTLS-PSK", self.by_itself, lambda seen: self.user in seen and self.device.impi not in seen)
        self.scenario("coap-client opens it over DTLS-PSK", self.ask, lambda seen: self.user in seen and self.device.impi not in seen)
        self.scenario("Refused: a wrong key", lambda: self.ask(b"wrong"), lambda seen: seen.startswith("no answer"))


class Mqtt(Kind):
    """mosquitto with the plugin."""

    title = "Devices and an application at an MQTT broker"
    columns = ["ue", "bsf", "hss-stub", "naf-agent", "mqtt-broker", "application"]
    programs = {"mosquitto": "mosquitto", "mosquitto_pub": "mosquitto-clients"}

    def applications(self):
        return [("mosquitto", self.start_broker)]

    def beside(self):
        self.start_ue_proxy("tls://%s:8883" % NAF, self.realm.address("proxy") + ":8883", "--tls1.3")

    def start_broker(self):
        realm, address = self.realm, self.realm.address("proxy")
        plugin = realm._write("naf-mqtt.conf", realm.common("broker") + "fqdns = [ %s ];\ngsids = [ %s ];\nagent-socket = %s;\nmetrics-listen = %s;\n"
                              "wait = 5000;\nwait-share = 100;\nrights = ( { topic = \"devices/%%u/#\"; } );\n%s"
                              % (q(NAF), q(GSID), q(realm.path("naf.sock")), q(address + ":9100"), realm.patient("proxy")))
        self.must_do("mosquitto_passwd", "-b", "-c", realm.path("passwords"), "backend", "secret")
        acl = realm._write("acl", "user backend\ntopic readwrite #\n")
        conf = realm._write("mosquitto.conf", "%slog_dest file %s\nlog_type all\nallow_anonymous false\npassword_file %s\nacl_file %s\nplugin %s\nplugin_opt_conf %s\n"
                            "listener 8883 %s\npsk_hint 3GPP-bootstrapping\nciphers PSK\nlistener 1883 %s\n"
                            % ("user root\n" if os.getuid() == 0 else "", realm.path("mosquitto.log"), realm.path("passwords"), acl,
                               realm.tree.plugin("gba_mqtt.so"), plugin, address, realm.address("application")))
        return self.start("mosquitto", [self.find("mosquitto"), "-c", conf], 8883, address, env=realm.tree.environment())

    def backend(self, program, *options):
        return [program, "-h", self.realm.address("application"), "-u", "backend", "-P", "secret", "-q", "1", *options]

    def heard(self, publish):
        """What the ASP's own program gets while publish() runs; publish once it has subscribed."""
        log, topic = self.realm.path("mosquitto.log"), "devices/#"

        def subscribed():
            with open(log, encoding="utf-8", errors="replace") as text:
                return text.read().count("Sending SUBACK")
        before = subscribed()
        with subprocess.Popen(self.backend("mosquitto_sub", "-t", topic, "-C", "1", "-W", "20", "-v"), stdout=subprocess.PIPE, text=True) as sub:
            wait_until(lambda: subscribed() > before, 20, "the application has subscribed")
            said = publish()
            return "%s%s" % (sub.stdout.read().strip(), "; " + said if said else "")

    def with_key(self, topic, btid=None):
        name, key = self.key("0100000007")
        return self.do("mosquitto_pub", "-h", self.realm.address("proxy"), "-p", "8883", "--psk", key, "--psk-identity",
                       "3GPP-bootstrapping;" + (btid or name), "--tls-version", "tlsv1.3", "-V", "5", "-q", "1", "-t", topic, "-m", "47.1")[1]

    def through_ue(self):
        return self.do("mosquitto_pub", "-h", self.realm.address("ue"), "-p", "1000", "-q", "1", "-t", "devices/%s/reading" % self.user,
                       "-m", "47.2")[1]

    def expiring(self):
        """A device whose token lives for six seconds stays connected: the broker ends its session."""
        device = Device(self.realm, "brief", "001010000000002", life_time=6)
        device.provision()
        device.personalise()
        for _ in range(5):  # it is refused when the machine stands still for that long
            run = device.bootstrap("--force")
            key = device.must("token", "key", NAF, "--ua-id", "0100000007", "--reveal")["key"]
            with subprocess.Popen(["mosquitto_sub", "-h", self.realm.address("proxy"), "-p", "8883", "--psk", key, "--psk-identity",
                                   "3GPP-bootstrapping;" + run["btid"], "--tls-version", "tlsv1.3", "-V", "5", "-t",
                                   "devices/sip:brief@example.com/#"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as sub:
                try:
                    wait_until(lambda: self.has_expired() or sub.poll() is not None, 30, "the session ends")
                finally:
                    sub.kill()
            if self.has_expired():
                break
        return next(line.split("mqtt.ended ")[1] for line in self.log().splitlines() if "mqtt.ended" in line)

    def has_expired(self):
        return "the key has expired" in self.log()

    def log(self):
        with open(self.realm.path("broker.log"), encoding="utf-8", errors="replace") as text:
            return text.read()

    def scenarios(self):
        topic = "devices/%s/reading" % self.user
        self.scenario("mosquitto_pub --psk publishes with the device's key", lambda: self.heard(lambda: self.with_key(topic)),
                      lambda seen: seen == topic + " 47.1")
        self.scenario("A client that knows nothing publishes through gba-ue proxy", lambda: self.heard(self.through_ue),
                      lambda seen: seen == topic + " 47.2")
        self.scenario("Refused: a topic of another user", lambda: self.with_key("devices/sip:other@example.com/reading"),
                      lambda seen: "Not authorized" in seen)
        self.scenario("Refused: nobody's B-TID",
                      lambda: self.with_key(topic, "AAAAAAAAAAAAAAAAAAAAAA==@bsf.mnc001.mcc001.pub.3gppnetwork.org"),
                      lambda seen: "TLS error" in seen)
        self.scenario("A session ends with its token", self.expiring, lambda seen: "expired" in seen)

    def how(self):
        return [" ".join(self.backend("mosquitto_sub", "-v", "-t", "'devices/#'")),
                "mosquitto_pub -h %s -p 1000 -t devices/%s/reading -m 48" % (self.realm.address("ue"), self.user)]


from .asp_oidc import Oidc  # noqa: E402  it is a Kind itself

KINDS = {"http": Http, "ws": WebSocket, "mqtt": Mqtt, "coap": Coap, "tcp": Tcp, "oidc": Oidc}
