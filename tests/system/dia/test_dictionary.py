# SPDX-License-Identifier: Apache-2.0
"""dict_gba.fdx beside other dictionaries: Debian's, in every order, and newer ones that know some of its AVPs already."""
import itertools

import pytest

from peers import diameter as d

BTID, NAF_ID = b"I1U8vpY3qJ0hiuZNrke/NQ==@bsf.lab.test", b"naf.lab.test\1\0\0\0\2"
DEBIAN = ["dict_sip.fdx", "dict_nasreq.fdx", "dict_dcca.fdx", "dict_dcca_3gpp.fdx"]


def is_whole(one):
    """Zn works: every AVP of BIR and BIA is known, with its type."""
    with one.client() as peer:
        message = d.bir(peer, BTID, NAF_ID, gsids=["1"], gba_u_aware=1)
        answer = peer.request(message)
        assert answer.result() == (0, 2001)
        assert d.bia_view(answer).keys() == {"me_key", "expires", "created", "uss"}
        # M bits are the specification's, whatever another dictionary says
        assert {a.flags for a in answer.avps if a.vendor == d.TGPP} == {0xC0}
        message = d.bir(peer, BTID, NAF_ID, extra=[d.tgpp(407, b"12")])
        assert peer.request(message).result() == (0, 5014)


@pytest.mark.parametrize("place", range(len(DEBIAN) + 1))
def test_beside_debians_dictionaries(daemon, place):
    is_whole(daemon(DEBIAN[:place] + ["dict"] + DEBIAN[place:] + ["guard", "echo"]))


@pytest.mark.parametrize("order", itertools.permutations(["dict_sip.fdx", "dict", "dict_nasreq.fdx"]), ids="-".join)
def test_in_any_order(daemon, order):
    is_whole(daemon(list(order) + ["guard", "echo"]))


def test_after_a_newer_dictionary(daemon):
    is_whole(daemon(["newer", "dict", "guard", "echo"]))


@pytest.mark.parametrize("what, names", [("type", "'ME-Key-Material': another dictionary defines this code with another type"),
                                         ("name", "'NAF-Id': another dictionary gives this name to another code"),
                                         ("command", "another dictionary defines this code")])
def test_what_contradicts_is_refused(daemon, what, names):
    with pytest.raises(RuntimeError) as refused:
        daemon([f"newer:{what}", "dict"])
    assert names in str(refused.value)


def test_a_role_without_dictionary_says_so(daemon):
    with pytest.raises(RuntimeError, match="dict_gba"):
        daemon(["echo"])
