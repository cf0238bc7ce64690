# SPDX-License-Identifier: Apache-2.0
"""Certificates of a laboratory: one CA, one certificate per name; made by openssl, EC P-256, valid for 30 days."""
import os
import subprocess


def _openssl(*args, stdin=None):
    run = subprocess.run(["openssl", *args], input=stdin, capture_output=True, text=True)
    if run.returncode != 0:
        raise RuntimeError("openssl %s: %s" % (args[0], run.stderr.strip()))
    return run.stdout


class Authority:
    """A CA below a folder. `ca` is its certificate."""

    def __init__(self, folder, name="gba-suite laboratory CA"):
        os.makedirs(folder, mode=0o700, exist_ok=True)
        self.folder = folder
        self.ca = os.path.join(folder, "ca.pem")
        self.ca_key = os.path.join(folder, "ca.key")
        if not os.path.exists(self.ca):
            self._key(self.ca_key)
            _openssl("req", "-x509", "-new", "-key", self.ca_key, "-out", self.ca, "-days", "30", "-subj", "/CN=" + name,
                     "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign,cRLSign")

    def _key(self, path):
        old = os.umask(0o077)
        try:
            _openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", path)
        finally:
            os.umask(old)

    def issue(self, name, *more_names):
        """Certificate for name (subject and SAN). Returns (certificate, key) paths; existing ones are kept."""
        cert = os.path.join(self.folder, name + ".pem")
        key = os.path.join(self.folder, name + ".key")
        if os.path.exists(cert):
            return cert, key
        self._key(key)
        request = _openssl("req", "-new", "-key", key, "-subj", "/CN=" + name)
        names = ",".join("DNS:" + n for n in (name,) + more_names)
        extensions = os.path.join(self.folder, name + ".ext")
        with open(extensions, "w") as out:
            out.write("subjectAltName=%s\nkeyUsage=digitalSignature\nextendedKeyUsage=serverAuth,clientAuth\n" % names)
        _openssl("x509", "-req", "-CA", self.ca, "-CAkey", self.ca_key, "-CAcreateserial", "-days", "30", "-extfile",
                 extensions, "-out", cert, stdin=request)
        os.unlink(extensions)
        return cert, key
