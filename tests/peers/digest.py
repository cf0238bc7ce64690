# SPDX-License-Identifier: Apache-2.0
"""HTTP Digest (RFC 7616, RFC 3310) in plain Python: headers taken apart, responses computed."""
import hashlib
import re


def parameters(header):
    """name -> value of a WWW-Authenticate, Authorization or Authentication-Info value, quotes taken off."""
    return {name.lower(): quoted or plain for name, quoted, plain in re.findall(r'([\w-]+)=(?:"([^"]*)"|([^",\s]*))', header)}


def fields(header):
    """The same of an Authorization that must be well-formed: Digest, and nothing twice."""
    assert header.startswith("Digest "), header
    found = parameters(header[7:])
    assert len(found) == len(re.findall(r'([\w-]+)=(?:"[^"]*"|[^\s,"]+)', header[7:])), header
    return found


def hexdigest(algorithm, *parts):
    octets = b":".join(part if isinstance(part, bytes) else part.encode() for part in parts)
    return (hashlib.sha256 if "SHA-256" in algorithm else hashlib.md5)(octets).hexdigest()


def response(algorithm, username, realm, password, nonce, nc, cnonce, qop, method, uri, body=b""):
    """3.4.1; the empty method makes rspauth (3.5)."""
    ha1 = hexdigest(algorithm, username, realm, password)
    if algorithm.endswith("-sess"):
        ha1 = hexdigest(algorithm, ha1, nonce, cnonce)
    a2 = [method, uri] + ([hexdigest(algorithm, body)] if qop == "auth-int" else [])
    return hexdigest(algorithm, ha1, nonce, nc, cnonce, qop, hexdigest(algorithm, *a2))


def response_of(algorithm, claim, realm, password, method, body, rsp=False):
    """What these fields of an Authorization ought to carry, or rspauth of its answer."""
    return response(algorithm, claim["username"], realm, password, claim["nonce"], claim["nc"], claim["cnonce"], claim.get("qop"),
                    "" if rsp else method, claim["uri"], body)
