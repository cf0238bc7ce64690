# SPDX-License-Identifier: Apache-2.0
"""After a change of operator the ASPs of the new one hear that the user's token is another: by letter, under the pseudonym they know."""
import email
import email.policy
import json
import os

import pytest

from conftest import TREE
from lab.operators import Traveller, request_change, two_operators
from peers.waiting import until

APP = "shop.asp.example"


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    old, new = two_operators(str(tmp_path_factory.mktemp("told")), tree=TREE)
    with old, new:
        os.makedirs(new.path("letters"))
        cert, key = new.authority.issue("api.new.example")  # who serves the API delivers what there is to say
        new.extra = ('mail-drop = "%s";\napi-listen = "%s:8443";\napi-cert = "%s";\napi-key = "%s";\n'
                     % (new.path("letters"), new.address("hss"), cert, key))
        for operator in (old, new):
            operator.start()
        for operator in (old, new):
            operator.wait_connected()
        new.ctl("realm", "add", "--realm", new.n.realm, "--name", "New", "--bsf-identity", new.n.bsf_diameter, "--bsf-url",
                "http://%s/" % new.n.bsf, "--hss-identity", new.n.hss, "--alias-domain", "apps." + new.n.realm)
        for identity, name in (("L17110MH1973PLC019786", "shop"), ("U72200KA2011PTC060001", "other")):
            new.ctl("asp", "add", "--type", "cin", "--identity", identity, "--name", name, "--notice-drop", name)
            new.ctl("app", "add", "--asp", "cin:" + identity, "--type", "fqdn", "--identity", APP if name == "shop" else "other.example",
                    "--name", name)
        yield old, new


def letters(operator, drop, event):
    """Bodies of the letters about an event that lie in a folder."""
    folder, found = operator.path("letters", drop), []
    for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
        if name.endswith(".eml"):
            with open(os.path.join(folder, name), "rb") as text:
                message = email.message_from_bytes(text.read(), policy=email.policy.SMTP)
            if message["Subject"] == event:
                found.append(json.loads(message.get_content()))
    return found


def test_asps_hear_of_the_new_token(pair):
    """Only those whose application the user may use, only after the first token, and never with the network's name of the user.
    REQ: OBF-12.4-5"""
    old, new = pair
    traveller = Traveller(old, 1).provision()
    traveller.bootstrap()
    change, impi = request_change(new, traveller, 1)
    new.verify(impi)
    new.change("approve", change)
    new.wait_state(change, "offered")
    shown = json.loads(new.ctl("permission", "add", "--impi", impi, "--application", APP, "--json"))
    message = new.change("update", change)
    assert letters(new, "shop", "token-changed") == []
    traveller.ue("update", "-", "--profile", "new", "--connect", new.address("bsf") + ":80", "--wait", "30", stdin=message)
    new.wait_state(change, "done")
    told = until(lambda: letters(new, "shop", "token-changed"))
    assert len(told) == 1 and told[0]["data"]["pseudonym"] == shown["pseudonym"]
    said = json.dumps(told)
    assert impi not in said and traveller.impi not in said and traveller.imsi not in said
    assert letters(new, "other", "token-changed") == []
