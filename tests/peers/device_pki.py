# SPDX-License-Identifier: Apache-2.0
"""A CA of devices and a device without any program of ours: certificates by `openssl ca`, mutual TLS by `openssl s_client`, which
also prints the keying material of its connection (RFC 5705): what RAND and Ks must be."""
import os
import re
import subprocess

LABEL, OCTETS = "EXPERIMENTAL-Y3056-bootstrapping", 48
CONF = """[ca]
default_ca = d
[d]
database = %(dir)s/index.txt
serial = %(dir)s/serial
crlnumber = %(dir)s/crlnumber
new_certs_dir = %(dir)s
certificate = %(dir)s/ca.pem
private_key = %(dir)s/ca.key
default_md = sha256
default_days = 30
default_crl_days = 30
policy = p
unique_subject = no
[p]
commonName = supplied
[device]
keyUsage = digitalSignature
extendedKeyUsage = clientAuth
[server]
keyUsage = digitalSignature
extendedKeyUsage = serverAuth
"""
NO_EMS = "openssl_conf = a\n[a]\nssl_conf = b\n[b]\nsystem_default = c\n[c]\nOptions = -ExtendedMasterSecret\n"


def openssl(*args, stdin=None, env=None):
    done = subprocess.run(["openssl", *args], input=stdin, capture_output=True, timeout=60, env=dict(os.environ, **(env or {})))
    assert done.returncode == 0, "openssl %s: %s" % (args, done.stderr.decode())
    return done.stdout


class Pki:
    """`ca` and `crl` are files for a BSF; certificates are pairs of files (certificate, key)."""

    def __init__(self, folder, name="devices"):
        self.dir = str(folder)
        os.makedirs(self.dir, mode=0o700, exist_ok=True)
        self.ca, self.crl, self.count = self._path("ca.pem"), self._path("crl.pem"), 0
        for file, text in (("conf", CONF % {"dir": self.dir}), ("index.txt", ""), ("serial", "1000\n"), ("crlnumber", "10\n")):
            with open(self._path(file), "w", encoding="ascii") as out:
                out.write(text)
        self._key("ca.key")
        openssl("req", "-x509", "-new", "-key", self._path("ca.key"), "-out", self.ca, "-days", "30", "-subj", "/CN=" + name,
                "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign,cRLSign")
        self.list_revoked()

    def _path(self, name):
        return os.path.join(self.dir, name)

    def _key(self, name):
        openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", self._path(name))

    def issue(self, name, end=None, use="device"):
        """end: "20200101000000Z" for one that is over."""
        self.count += 1
        cert, key, csr = (self._path("%d.%s" % (self.count, x)) for x in ("pem", "key", "csr"))
        self._key(os.path.basename(key))
        openssl("req", "-new", "-key", key, "-subj", "/CN=" + name, "-out", csr)
        dates = ["-startdate", "20190101000000Z", "-enddate", end] if end else []
        openssl("ca", "-batch", "-config", self._path("conf"), "-in", csr, "-out", cert, "-notext", "-extensions", use, *dates)
        return cert, key

    def revoke(self, cert):
        openssl("ca", "-config", self._path("conf"), "-revoke", cert)
        self.list_revoked()

    def list_revoked(self, *options):
        openssl("ca", "-config", self._path("conf"), "-gencrl", "-out", self.crl + ".new", *options)
        os.rename(self.crl + ".new", self.crl)


def der(cert):
    return openssl("x509", "-in", cert, "-outform", "DER")


class Answer:
    def __init__(self, text):
        material = re.search(r"Keying material: ([0-9A-F]+)", text)
        self.material = bytes.fromhex(material.group(1)) if material else None
        status = re.search(r"^HTTP/1\.1 (\d+)", text, re.M)
        self.status = int(status.group(1)) if status else None
        self.answers = len(re.findall(r"^HTTP/1\.1 (\d+)", text, re.M))
        self.text = text
        self.protocol = (re.search(r"New, (TLSv1\.[23])", text) or [None, None])[1]

    @property
    def rand(self):
        return self.material[:16]

    @property
    def ks(self):
        return self.material[16:]

    def element(self, name):
        found = re.search("<%s>([^<]*)</%s>" % (name, name), self.text)
        return found.group(1) if found else None


def ask(address, pair, impi, application=None, tls="-tls1_3", ems=True, times=1, folder=None, headers=""):
    """One connection, `times` requests on it."""
    args = ["openssl", "s_client", "-connect", "%s:%d" % address, tls, "-ign_eof", "-keymatexport", LABEL, "-keymatexportlen", str(OCTETS)]
    args += ["-cert", pair[0], "-key", pair[1]] if pair else []
    env = dict(os.environ)
    if not ems:
        env["OPENSSL_CONF"] = os.path.join(str(folder), "no-ems.cnf")
        with open(env["OPENSSL_CONF"], "w", encoding="ascii") as out:
            out.write(NO_EMS)
    request = "GET / HTTP/1.1\r\nHost: bsf\r\n"
    request += "Y3056-Identity: %s\r\n" % impi if impi else ""
    request += "Y3056-Application: %s\r\n" % application if application else ""
    done = subprocess.run(args, input=((request + headers + "\r\n") * times).encode(), capture_output=True, timeout=60, env=env)
    return Answer(done.stdout.decode(errors="replace"))


def ask_gnutls(address, pair, impi, tls="NORMAL:-VERS-ALL:+VERS-TLS1.3"):
    """The same by GnuTLS: a client of another family."""
    args = ["gnutls-cli", "--no-ca-verification", "--x509certfile", pair[0], "--x509keyfile", pair[1], "--keymatexport", LABEL,
            "--keymatexportsize", str(OCTETS), "--priority", tls, "--logfile", "/dev/stderr", "-p", str(address[1]), address[0]]
    with subprocess.Popen(args, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as client:
        client.stdin.write(("GET / HTTP/1.1\r\nHost: bsf\r\nY3056-Identity: %s\r\n\r\n" % impi).encode())
        client.stdin.flush()
        text = client.stdout.read().decode(errors="replace")  # it ends when the server closes
        said = client.stderr.read().decode(errors="replace")
    material = re.search(r"Key material: ([0-9a-fA-F: ]+)", said + text)
    return Answer(text + "\nKeying material: %s\n" % (re.sub("[: ]", "", material.group(1)).upper() if material else ""))
