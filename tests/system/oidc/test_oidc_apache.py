# SPDX-License-Identifier: Apache-2.0
"""Debian's apache2 with mod_auth_openidc as the web application, curl as the device's browser: a login from the first page to the last,
where the application knows the pseudonym; and what the module refuses by itself."""
import base64
import itertools
import os
import re
import shutil
import subprocess
import tempfile
import time
import urllib.parse

import pytest

from oidc_harness import Form, HOST, LOGIN, PATIENCE, SECRET, TOP, Process, free_port, port_open, until

MODULES = "/usr/lib/apache2/modules"
numbers = itertools.count(5000)
pytestmark = pytest.mark.skipif(not os.path.exists(MODULES + "/mod_auth_openidc.so"), reason="libapache2-mod-auth-openidc is not installed")

CONF = """
ServerRoot {folder}
ServerName localhost
PidFile {folder}/apache.pid
Listen {host}:{port}
{user}
{modules}
TypesConfig /dev/null
ErrorLog {folder}/error.log
LogLevel info
DocumentRoot {folder}/pages
SSLSessionCache none
SSLEngine on
SSLCertificateFile {cert}
SSLCertificateKeyFile {key}
{oidc}
OIDCCABundlePath {ca}
{more}
<Location />
    AuthType openid-connect
    Require valid-user
    Header set X-Application-User "expr=%{{REMOTE_USER}}"
    Header set X-Application-How "expr=%{{reqenv:OIDC_CLAIM_acr}}"
</Location>
"""


def guide(issuer, port, secret):
    """The guide's own lines, for this provider and this client."""
    with open(os.path.join(TOP, "doc", "oidc.md"), encoding="utf-8") as text:
        (block,) = re.findall(r"```apache\n(.*?)```", text.read(), re.S)
    for old, new in (("https://id.example.com", issuer), ("https://shop.example.com", "https://localhost:%d" % port), ("ClientID shop", "ClientID web"),
                     ('"SECRET"', '"%s"' % secret)):
        assert old in block
        block = block.replace(old, new)
    return block


class Apache:
    """The web application; its folder is one that its unprivileged processes can read."""

    def __init__(self, provider, port, secret=SECRET, more=""):
        self.port, self.folder = port, tempfile.mkdtemp(prefix="gba-apache-")
        os.chmod(self.folder, 0o755)
        os.mkdir(self.folder + "/pages")
        with open(self.folder + "/pages/page.html", "w", encoding="ascii") as out:
            out.write("the application's page\n")
        cert, key = provider.world.authority.issue("localhost")
        for path in (cert, key, provider.world.ca):
            shutil.copy(path, self.folder)
        names = [name for name in ("mpm_event", "authn_core", "authz_core", "authz_user", "mime", "headers", "env", "ssl", "socache_shmcb", "auth_openidc")]
        conf = os.path.join(self.folder, "apache.conf")
        inside = lambda path: os.path.join(self.folder, os.path.basename(path))  # noqa: E731
        with open(conf, "w", encoding="utf-8") as out:
            out.write(CONF.format(folder=self.folder, host=HOST, port=port, cert=inside(cert), key=inside(key), ca=inside(provider.world.ca),
                                  oidc=guide(provider.issuer, port, secret), more=more, user="User www-data\nGroup www-data" if os.geteuid() == 0 else "",
                                  modules="\n".join("LoadModule %s_module %s/mod_%s.so" % (name, MODULES, name) for name in names)))
        self.process = Process("apache", ["apache2", "-f", conf, "-DFOREGROUND"], os.path.join(self.folder, "out"))
        self.process.start()
        assert until(lambda: not self.process.alive() or port_open(HOST, port), 2 * PATIENCE)
        assert self.process.alive(), self.process.log_text()

    def log(self):
        with open(self.folder + "/error.log", encoding="utf-8", errors="replace") as text:
            return text.read()

    def stop(self):
        self.process.stop(PATIENCE)
        shutil.rmtree(self.folder, ignore_errors=True)


class Browser:
    """curl with a cookie jar; at the login page it proves itself by HTTP Digest with its bootstrapped key."""

    def __init__(self, provider, apache, folder, number, **values):
        self.provider, self.jar = provider, str(folder / ("jar%d" % number))
        values.setdefault("uss", {1000001: (["asp-pseudonym-%d" % number], [])})
        self.btid, key = provider.world.agent.add(number, LOGIN, **values)
        self.user = "%s:%s" % (self.btid, base64.b64encode(key).decode())
        self.base = "https://localhost:%d" % apache.port

    def get(self, url, *more):
        login = ["--digest", "-u", self.user] if urllib.parse.urlsplit(url).hostname == LOGIN else []
        done = subprocess.run(["curl", "-sS", "-i", "--cacert", self.provider.world.ca, "-b", self.jar, "-c", self.jar, "--max-time", str(2 * PATIENCE),
                               "--connect-to", "%s:443:%s:%d" % (LOGIN, HOST, self.provider.proxy.tls), *login, *more, url],
                              capture_output=True, text=True)
        assert done.returncode == 0, (url, done.stderr)
        head, _, body = done.stdout.rpartition("\n\n") if "\r\n\r\n" not in done.stdout else done.stdout.rpartition("\r\n\r\n")
        head = head[head.rindex("HTTP/"):]  # the last answer, after a challenge
        return int(head.split()[1]), dict((name.lower(), value) for name, value in re.findall(r"(?m)^([\w-]+): (.*?)\r?$", head)), body

    def walk(self, url):
        """Follow redirections as a browser does: every hop's (URL, status, headers, body)."""
        hops = []
        while len(hops) < 8:
            hops.append((url, *self.get(url)))
            if hops[-1][1] not in (302, 303):
                break
            url = urllib.parse.urljoin(url, hops[-1][2]["location"])
        return hops


@pytest.fixture(scope="module")
def port():
    return free_port()


@pytest.fixture(scope="module")
def provider(world, port):
    return world.provider(more_uris=["https://localhost:%d/callback" % port], bye=["https://localhost:%d/page.html" % port])


@pytest.fixture(scope="module")
def apache(provider, port):
    made = Apache(provider, port)
    yield made
    made.stop()


def test_a_bootstrapped_device_logs_in_at_the_application(provider, apache, tmp_path):
    number = next(numbers)
    browser = Browser(provider, apache, tmp_path, number, created=int(time.time()))
    hops = browser.walk(browser.base + "/page.html")
    assert [urllib.parse.urlsplit(hop[0]).path for hop in hops] == ["/page.html", "/authorize", "/callback", "/page.html"], (hops, apache.log())
    url, status, headers, body = hops[-1]
    assert status == 200 and body == "the application's page\n"
    assert headers["x-application-user"] == "asp-pseudonym-%d" % number and headers["x-application-how"] == "gba-me"
    status, headers, body = browser.get(browser.base + "/page.html")  # a session of the application's own
    assert status == 200 and headers["x-application-user"] == "asp-pseudonym-%d" % number
    stranger = Browser(provider, apache, tmp_path, next(numbers))
    assert stranger.get(browser.base + "/page.html")[0] == 302


def test_a_code_cannot_be_brought_twice(provider, apache, tmp_path):
    browser = Browser(provider, apache, tmp_path, next(numbers), created=int(time.time()))
    hops = browser.walk(browser.base + "/page.html")
    callback = hops[2][0]
    assert hops[-1][1] == 200
    thief = Browser(provider, apache, tmp_path, next(numbers))
    assert thief.get(callback)[0] >= 300 and "x-application-user" not in thief.get(callback)[1]
    assert "x-application-user" not in thief.get(thief.base + "/page.html")[1]


def test_an_answer_of_another_issuer_is_refused(provider, apache, tmp_path):
    """Mix-up (RFC 9207): the module compares iss."""
    browser = Browser(provider, apache, tmp_path, next(numbers), created=int(time.time()))
    _, headers, _ = browser.get(browser.base + "/page.html")
    _, headers, _ = browser.get(headers["location"])
    callback = headers["location"]
    forged = re.sub(r"iss=[^&]*", "iss=" + urllib.parse.quote("https://other.example", ""), callback)
    assert forged != callback
    status, headers, body = browser.get(forged)
    assert status >= 400 or "asp-pseudonym" not in str(headers)
    assert "x-application-user" not in browser.get(browser.base + "/page.html")[1]


def test_logout_at_the_application(provider, apache, tmp_path):
    """The module ends its session and sends the browser to the provider, which sends it back (RP-Initiated Logout 1.0)."""
    browser = Browser(provider, apache, tmp_path, next(numbers), created=int(time.time()))
    page = browser.base + "/page.html"
    assert browser.walk(page)[-1][1] == 200
    status, headers, _ = browser.get(browser.base + "/callback?logout=" + urllib.parse.quote(page, ""))
    target = urllib.parse.urlsplit(headers["location"])
    assert status == 302 and headers["location"].startswith(provider.issuer + "/logout?") and "id_token_hint" in urllib.parse.parse_qs(target.query)
    status, headers, _ = browser.get(headers["location"])
    assert status == 302 and headers["location"].partition("?")[0] == page
    assert browser.get(page)[0] == 302 and provider.tells("oidc.logout")


def test_an_application_with_a_wrong_secret_gets_nothing(provider, port, tmp_path, apache):
    apache.stop()
    other = Apache(provider, port, secret="not the secret of this client at all")
    try:
        browser = Browser(provider, other, tmp_path, next(numbers), created=int(time.time()))
        hops = browser.walk(browser.base + "/page.html")
        assert urllib.parse.urlsplit(hops[-1][0]).path == "/callback" and "x-application-user" not in hops[-1][2]
        assert provider.tells("oidc.client_refused")
    finally:
        other.stop()


def test_answers_by_form_at_the_application(provider, port, tmp_path, apache):
    """OIDCResponseMode form_post: what the page's form would post logs the device in."""
    apache.stop()
    by_form = Apache(provider, port, more="OIDCResponseMode form_post\nOIDCCookieSameSite Off\n")
    try:
        browser = Browser(provider, by_form, tmp_path, next(numbers), created=int(time.time()))
        _, headers, _ = browser.get(browser.base + "/page.html")
        status, headers, body = browser.get(headers["location"])
        form = Form(body)
        assert status == 200 and form.action == browser.base + "/callback"
        status, headers, body = browser.get(form.action, *[word for item in form.fields.items() for word in ("--data-urlencode", "%s=%s" % item)])
        assert status in (302, 303), (body, by_form.log())
        assert browser.get(browser.base + "/page.html")[0] == 200
    finally:
        by_form.stop()
