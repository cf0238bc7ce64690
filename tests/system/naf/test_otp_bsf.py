# SPDX-License-Identifier: Apache-2.0
"""The agent at a BSF on Erlang's Diameter stack: strict decoding by somebody else of what we send."""
import pytest

from naf_harness import IMPI, TLS13, Agent, btid
from peers import otp

KEY = "7bbc1ad5fcd242e270d96906ca4491cdd5d849e407e63f7b124803d31402b3bf"
NAME = btid("bsf.one.example")


class OtpBsf:
    """Looks like naf_harness.Bsf to the agent's harness."""

    def __init__(self, host, realm):
        self.host, self.seen, self.server = host, [], self
        self.otp = otp.Server("bsf", [(NAME, IMPI, KEY, "1700000000", "1924992000")], host=host, realm=realm)
        self.port = self.otp.port

    def wait_connected(self, _timeout):
        return True

    def stop(self):
        self.otp.close()


@pytest.fixture(scope="module")
def agent(tmp_path_factory):
    bsf = OtpBsf("bsf.epc.one.example", "epc.one.example")
    agent = Agent(tmp_path_factory.mktemp("otp") / "agent", [bsf], '{ domain = "one.example"; realm = "epc.one.example"; }',
                  extra="key-lifetime-max = 31536000;")
    yield agent
    agent.stop()
    bsf.stop()


# REQ: Y3056-8.3-1
# REQ: OBF-I.2.1-3
def test_key_from_another_stack(agent):
    error, got = agent.ask(NAME, ua_id=TLS13, gsids=[1, 999999], flags=1)
    assert error == 0
    assert got[16].hex() == KEY
    assert got[20] == IMPI.encode() + b"\0"
    assert int.from_bytes(got[19], "big") == 1700000000


def test_refusal_from_another_stack(agent):
    assert agent.ask(btid("bsf.one.example", b"\1" * 16))[0] == 1
