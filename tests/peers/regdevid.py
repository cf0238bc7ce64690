# SPDX-License-Identifier: Apache-2.0
"""RegDevIDs computed independently, from the grammar of doc/registry.md and ISO/IEC 7064 alone."""
import base64
import hashlib
import hmac
import ipaddress
import re
import uuid

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
CODES = {"imei": "IMEI", "mac": "MAC", "eui64": "EUI64", "ipv4": "IPV4", "ipv6": "IPV6", "iccid": "ICCID", "eid": "EID", "uuid": "UUID",
         "oid": "OID", "epc": "EPC", "handle": "HDL", "doi": "DOI", "ecode": "ECODE", "cid": "CID",
         "meid": "MEID"}


def check(text):
    """ISO/IEC 7064 MOD 1271-36: the number the characters are in base 36 is 1 modulo 1271."""
    number = int("".join(c for c in text if c in ALPHABET) + "00", 36)
    high, low = divmod((1 - number) % 1271, 36)
    return ALPHABET[high] + ALPHABET[low]


def base32(octets):
    return base64.b32encode(octets).decode().rstrip("=")


def body(scheme, identity):
    if scheme in ("imei", "iccid", "eid", "meid"):
        return identity
    if scheme in ("mac", "eui64"):
        return identity.replace(":", "").upper()
    if scheme in ("ipv4", "ipv6"):
        return ipaddress.ip_address(identity).packed.hex().upper()
    if scheme == "uuid":
        return uuid.UUID(identity).hex.upper()
    return base32(identity.encode())


def join(form, reg_id, code, middle):
    text = "%s-%s-%s-" % (reg_id, code, middle) if form == "prefix" else "%s-%s--%s-" % (code, middle, reg_id)
    return text + check(text)


def regdevid(form, reg_id, scheme, identity):
    return join(form, reg_id, CODES[scheme], body(scheme, identity))


def digest(key, reg_id, scheme, identity):
    message = b"".join(part.encode() + b"\0" for part in ("RegDevID", reg_id, scheme, identity))
    return hmac.new(key, message, hashlib.sha256).digest()[:20]


def luhn(digits):
    """The digit that makes the sum of ISO/IEC 7812 a multiple of ten."""
    total = sum(sum(divmod(int(d) * (2 if i % 2 == 0 else 1), 10)) for i, d in enumerate(reversed(digits)))
    return str(-total % 10)


def eid(thirty):
    return thirty + "%02d" % (98 - int(thirty) * 100 % 97)


def composite(certificate, application, platform, sim):
    octets = b""
    for part in (certificate, application, platform, sim):
        octets += (b"\0" if part is None else b"\1") + len(part or b"").to_bytes(4, "big") + (part or b"")
    return "sha256:" + hashlib.sha256(octets).hexdigest()


# The grammar as a regular expression: what is not of it is no RegDevID, whatever its check characters say.
GRAMMAR = re.compile(r"[A-Z0-9]{1,32}-(?P<code>[A-Z0-9]{3,5})-(?P<body>[A-Z0-9]{1,154})-[A-Z0-9]{2}"
                     r"|(?P<code2>[A-Z0-9]{3,5})-(?P<body2>[A-Z0-9]{1,154})--[A-Z0-9]{1,32}-[A-Z0-9]{2}", re.ASCII)
