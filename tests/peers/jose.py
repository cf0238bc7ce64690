# SPDX-License-Identifier: Apache-2.0
"""Compact JWS with EdDSA by openssl: RFC 7515, 8037, 8410."""
import base64
import json
import os
import subprocess
import tempfile

SPKI = bytes.fromhex("302a300506032b6570032100")  # SubjectPublicKeyInfo up to the key
PKCS8 = bytes.fromhex("302e020100300506032b657004220420")  # PrivateKeyInfo up to the seed


def b64(octets):
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def unb64(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _openssl(*words, files=()):
    with tempfile.TemporaryDirectory() as folder:
        for name, octets in files:
            with open(os.path.join(folder, name), "wb") as out:
                out.write(octets)
        return subprocess.run(["openssl", *words], cwd=folder, capture_output=True, check=False)


def public_of(seed):
    """The public key of a seed, 32 octets each."""
    done = _openssl("pkey", "-inform", "DER", "-in", "key", "-pubout", "-outform", "DER", files=[("key", PKCS8 + seed)])
    assert done.returncode == 0, done.stderr
    return done.stdout[len(SPKI):]


def verify(public, message, signature):
    return _openssl("pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", "key", "-rawin", "-in", "message", "-sigfile",
                    "signature", files=[("key", SPKI + public), ("message", message), ("signature", signature)]).returncode == 0


def sign(seed, message):
    done = _openssl("pkeyutl", "-sign", "-keyform", "DER", "-inkey", "key", "-rawin", "-in", "message",
                    files=[("key", PKCS8 + seed), ("message", message)])
    assert done.returncode == 0, done.stderr
    return done.stdout


def read(text, public):
    """Header and payload of a JWS that verifies."""
    header, payload, signature = text.split(".")
    assert verify(public, ("%s.%s" % (header, payload)).encode(), unb64(signature)), "signature"
    header = json.loads(unb64(header))
    assert header["alg"] == "EdDSA"
    return header, unb64(payload)


def write(seed, header, payload):
    """header: members besides alg; payload: octets."""
    text = "%s.%s" % (b64(json.dumps({"alg": "EdDSA", **header}).encode()), b64(payload))
    return "%s.%s" % (text, b64(sign(seed, text.encode())))
