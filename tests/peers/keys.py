# SPDX-License-Identifier: Apache-2.0
"""Keys of GBA by the formulas of TS 33.220 Annex B, in plain Python."""
import base64
import hashlib
import hmac

ME, UICC = b"gba-me", b"gba-u"


def kdf(key, *parts):
    """B.2 with FC 0x01."""
    s = b"\1" + b"".join(part + len(part).to_bytes(2, "big") for part in parts)
    return hmac.new(key, s, hashlib.sha256).digest()


def ks_naf(ks, rand, impi, naf_id, kind=ME):
    """B.3; naf_id: name and Ua security protocol identifier, in octets."""
    return kdf(ks, kind, rand, impi.encode(), naf_id)


def btid_of(rand, bsf):
    return base64.b64encode(rand).decode() + "@" + bsf
