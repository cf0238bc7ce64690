# SPDX-License-Identifier: Apache-2.0
"""The NAFs that the tests of Zn have, and what each may do."""
from .bsf_node import AGENT, NAF, q

OWNER = "portal.operator.example"  # may learn the IMPI, is in a NAF group
STRICT = "strict.asp.example.com"  # needs a USS; HTTP Digest and TLS 1.2 only

NAFS = ", ".join([
    '{ identity = %s; fqdns = [ %s, "*.iot.asp.example.com" ]; gsids = [ "1000001", "1000002" ]; }' % (q(AGENT), q(NAF)),
    '{ identity = %s; fqdns = [ "portal.operator.example" ]; naf-group = "operator"; gsids = [ "*" ]; impi-allowed = true; }' % q(OWNER),
    '{ identity = %s; fqdns = [ "strict.asp.example.com" ]; gsids = [ "1000001" ]; uss-required = true;'
    ' ua-protocols = [ "0100000002", "010001*" ]; }' % q(STRICT)])

CONF = dict(nafs=NAFS, naf_peers=(AGENT, OWNER, STRICT, "stranger.example"), extra="ask-interval = 50;\n")

GUSS = ('<guss id="%s"><bsfInfo><uiccType>%s</uiccType>%s</bsfInfo><ussList>'
        '<uss id="1000001" type="0"><uids><uid>sip:user@operator.example</uid></uids><flags><flag>1</flag></flags></uss>'
        '<uss id="1000001" type="0" nafGroup="operator"><uids><uid>sip:owner@operator.example</uid></uids><flags></flags></uss>'
        '<uss id="1000003" type="0"><uids><uid>sip:other@operator.example</uid></uids><flags></flags></uss>'
        '</ussList></guss>')
