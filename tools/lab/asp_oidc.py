# SPDX-License-Identifier: Apache-2.0
"""gba-lab --asp oidc: a web application that speaks OpenID Connect (apache2 with mod_auth_openidc), gba-naf-oidc as its provider, and a device
that logs in there with its USIM: gba-ue at the login page, curl with a cookie jar everywhere else."""
import atexit
import hashlib
import os
import re
import shutil
import tempfile
import time
import urllib.parse

from .asp import Kind
from .process import wait_until
from .realm import ASP, GSID, NAF, q

MODULES = "/usr/lib/apache2/modules"
NAMES = ("mpm_event", "authn_core", "authz_core", "authz_user", "mime", "headers", "env", "ssl", "auth_openidc")
PORTAL = "portal." + ASP
MAX_AGE = 3
SECRET = "the laboratory's client secret, known to everybody"

APACHE = """
ServerRoot {folder}
ServerName {portal}
PidFile {folder}/pid
Listen {address}:8443
{user}{modules}
TypesConfig /dev/null
ErrorLog {folder}/error.log
DocumentRoot {folder}/pages
SSLSessionCache none
SSLEngine on
SSLCertificateFile {cert}
SSLCertificateKeyFile {key}
OIDCProviderMetadataURL {issuer}/.well-known/openid-configuration
OIDCClientID portal
OIDCClientSecret "{secret}"
OIDCRedirectURI https://{portal}:8443/callback
OIDCCryptoPassphrase of-the-laboratory
OIDCPKCEMethod S256
OIDCRemoteUserClaim sub
OIDCCABundlePath {folder}/ca.pem
<Location />
    AuthType openid-connect
    Require valid-user
    Header set X-Application-User "expr=%{{REMOTE_USER}}"
</Location>
"""


class Oidc(Kind):
    """The login page is NAF, behind gba-naf-proxy."""

    title = "A web application with OpenID Connect"
    columns = ["ue", "bsf", "hss-stub", "naf-agent", "naf-proxy", "naf-oidc", "application"]
    programs = {"curl": "curl", "apache2": "libapache2-mod-auth-openidc"}

    def __init__(self, realm, options):
        super().__init__(realm, options)
        if not os.path.exists(MODULES + "/mod_auth_openidc.so"):
            raise RuntimeError("mod_auth_openidc is missing: apt-get install libapache2-mod-auth-openidc")
        block = realm.block.prefix.split(".")
        self.port = 30000 + int(block[1]) * 100 + int(block[2]) % 100  # of a block of our own: the issuer's name is localhost
        self.issuer = "https://localhost:%d" % self.port

    def applications(self):
        site = ("fqdn = %s; upstream = %s; identity = \"uids\"; token-info = true; token-control = true;"
                % (q(NAF), q("unix:" + self.realm.path("oidc.sock"))))
        return [("naf oidc", self.start_provider), ("naf proxy", lambda: self.start_site(443, site)), ("application", self.start_portal)]

    def start_provider(self):
        realm = self.realm
        cert, key = realm.authority.issue("localhost")
        conf = realm._write("oidc.conf", realm.common("oidc") + "issuer = %s;\nauthorize-url = %s;\ndevice-socket = %s;\nlisten = %s;\ncertificate = %s;\n"
                            "private-key = %s;\nkeys = %s;\nagent-socket = %s;\ngsids = [ %s ];\nclients = ( { id = \"portal\"; secret-sha256 = [ %s ];\n"
                            "  redirect-uris = [ %s ]; } );\n%s"
                            % (q(self.issuer), q("https://%s/authorize" % NAF), q(realm.path("oidc.sock")), q("127.0.0.1:%d" % self.port), q(cert), q(key),
                               q(realm.path("oidc-keys")), q(realm.path("naf.sock")), q(GSID), q(hashlib.sha256(SECRET.encode()).hexdigest()),
                               q("https://%s:8443/callback" % PORTAL), realm.patient("proxy")))
        return self.start("oidc", [realm.tree.program("gba-naf-oidc"), "-c", conf], self.port, "127.0.0.1", env=realm.tree.environment())

    def start_portal(self):
        """Its processes that are not root's read nothing of the laboratory's folder."""
        realm, folder = self.realm, tempfile.mkdtemp(prefix="gba-portal-")
        atexit.register(shutil.rmtree, folder, True)
        os.chmod(folder, 0o755)
        os.mkdir(folder + "/pages")
        with open(folder + "/pages/readings.html", "w", encoding="ascii") as out:
            out.write("47.1\n")
        shutil.copy(realm.authority.ca, folder + "/ca.pem")
        cert, key = realm.authority.issue(PORTAL)
        conf = realm._write("apache.conf", APACHE.format(
            folder=folder, portal=PORTAL, address=realm.address("application"), issuer=self.issuer, secret=SECRET, cert=cert, key=key,
            user="User www-data\nGroup www-data\n" if os.getuid() == 0 else "",
            modules="\n".join("LoadModule %s_module %s/mod_%s.so" % (name, MODULES, name) for name in NAMES)))
        return self.start("application", [self.find("apache2"), "-f", conf, "-DFOREGROUND"], 8443)

    # ---- the device's browser
    def curl(self, url, jar):
        said = self.must_do("curl", "-s", "-i", "--cacert", self.realm.authority.ca, "-b", jar, "-c", jar, "--connect-to",
                            "%s:8443:%s:8443" % (PORTAL, self.realm.address("application")), url)
        head, _, body = said.replace("\r", "").partition("\n\n")
        return int(head.split()[1]), dict((name.lower(), value) for name, value in re.findall(r"(?m)^([\w-]+): (.*)$", head)), body

    def login(self, url, *options):
        """gba-ue at the login page: where it is sent on to."""
        status, answer, error = self.device.get(url, "--connect", self.realm.address("proxy") + ":443", "--psk", *options)
        if not answer:
            raise RuntimeError("gba-ue get: status %d: %s" % (status, error))
        return answer["status"], {name.lower(): value for name, value in answer["headers"].items()}, answer.get("body", "")

    def browse(self, jar):
        """From the application's page to the login page and back; the last answer, and the callback."""
        jar, url, callback = self.realm.path(jar), "https://%s:8443/readings.html" % PORTAL, None
        for _ in range(8):
            if urllib.parse.urlsplit(url).hostname == NAF:
                status, headers, body = self.login(url)
                callback = headers.get("location")
            else:
                status, headers, body = self.curl(url, jar)
            if status not in (302, 303):
                return status, headers, body, callback
            url = urllib.parse.urljoin(url, headers["location"])
        raise RuntimeError("no end of redirections")

    def page(self):
        status, headers, body, self.callback = self.browse("jar")
        return "%d; %s, says the page, for %s" % (status, body.strip(), headers.get("x-application-user"))

    def again(self):
        status, headers, _ = self.curl("https://%s:8443/readings.html" % PORTAL, self.realm.path("jar"))
        return "%d, for %s" % (status, headers.get("x-application-user"))

    def fresh(self):
        """max_age: a token older than that gets the renegotiation indication; gba-ue bootstraps anew and is sent on."""
        fields = {"client_id": "portal", "redirect_uri": "https://%s:8443/callback" % PORTAL, "response_type": "code", "scope": "openid", "max_age": str(MAX_AGE),
                  "code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM", "code_challenge_method": "S256"}
        before, since = self.device.bootstrap()["btid"], time.time()
        wait_until(lambda: time.time() > since + MAX_AGE + 1, 60, "the token is old")
        for _ in range(3):  # on a busy machine it may be old again at once
            status, headers, _ = self.login("https://%s/authorize?%s" % (NAF, urllib.parse.urlencode(fields)))
            if status == 302:
                break
        return "%d, %s; %s" % (status, "a code" if "code=" in headers.get("location", "") else headers.get("location"),
                               "bootstrapped again" if self.device.bootstrap()["btid"] != before else "the same token")

    def stolen(self):
        """The code that the device has used, brought by another browser, and by hand to the provider's token endpoint."""
        status, headers, _ = self.curl(self.callback, self.realm.path("thief"))
        code = urllib.parse.parse_qs(urllib.parse.urlsplit(self.callback).query)["code"][0]
        said = self.must_do("curl", "-s", "--cacert", self.realm.authority.ca, "-u", "portal:" + urllib.parse.quote_plus(SECRET), "-d",
                            "grant_type=authorization_code&code=%s&redirect_uri=https://%s:8443/callback" % (code, PORTAL), self.issuer + "/token")
        return "application: %d, %s; provider: %s" % (status, headers.get("x-application-user", "nobody"), said)

    def foreign(self):
        query = urllib.parse.urlencode({"client_id": "portal", "redirect_uri": "https://evil.example/callback", "response_type": "code", "scope": "openid"})
        status, headers, body = self.login("https://%s/authorize?%s" % (NAF, query))
        return "%d, %s: %s" % (status, headers.get("location", "no redirection"), body.strip())

    def scenarios(self):
        self.scenario("The application sends the device to log in, and knows it", self.page, lambda seen: seen == "200; 47.1, says the page, for " + self.user)
        self.scenario("It has a session there", self.again, lambda seen: seen == "200, for " + self.user)
        self.scenario("It wants a login no older than %d s" % MAX_AGE, self.fresh, lambda seen: seen == "302, a code; bootstrapped again")
        self.scenario("Refused: the code a second time", self.stolen, lambda seen: "nobody" in seen and "invalid_grant" in seen)
        self.scenario("Refused: a redirection to where no client is", self.foreign, lambda seen: seen.startswith("400, no redirection"))

    def how(self):
        return ["curl -si --cacert %s --connect-to %s:8443:%s:8443 https://%s:8443/readings.html" % (self.realm.authority.ca, PORTAL,
                                                                                                     self.realm.address("application"), PORTAL),
                "curl -s --cacert %s %s/.well-known/openid-configuration" % (self.realm.authority.ca, self.issuer)]
