# SPDX-License-Identifier: Apache-2.0
"""Short messages of 8-bit data as TS 23.040 has them, and a service centre that passes them on: a bearer for datagrams of 140 octets."""
import collections

DATA_8_BIT, INTERNATIONAL, ROOM = 0x04, 0x91, 140
Message = collections.namedtuple("Message", "number octets")


def _address(number):
    """9.1.2.5: digits, type, semi-octets with the first digit in the lower half."""
    digits = number + "F" * (len(number) % 2)
    return bytes([len(number), INTERNATIONAL]) + bytes(int(digits[i + 1] + digits[i], 16) for i in range(0, len(digits), 2))


def _number(octets):
    """Digits, and how many octets the address takes."""
    used = 2 + (octets[0] + 1) // 2
    return "".join("%x%x" % (one & 15, one >> 4) for one in octets[2:used])[:octets[0]], used


def _user_data(octets):
    assert len(octets) <= ROOM, "no short message: %d octets" % len(octets)
    return bytes([0, DATA_8_BIT]), bytes([len(octets)]) + octets


def submit(number, octets, reference=0):
    """SMS-SUBMIT, 9.2.2.2, without a validity period: to this number."""
    coding, data = _user_data(octets)
    return bytes([0x01, reference & 255]) + _address(number) + coding + data


def deliver(number, octets, stamp=bytes(7)):
    """SMS-DELIVER, 9.2.2.1: from this number."""
    coding, data = _user_data(octets)
    return bytes([0x04]) + _address(number) + coding + stamp + data


def parse(message):
    """Number and user data of either."""
    at = 2 if message[0] & 3 == 1 else 1
    number, used = _number(message[at:])
    at += used
    assert message[at:at + 2] == bytes([0, DATA_8_BIT])
    at += 2 if message[0] & 3 == 1 else 9
    assert len(message) == at + 1 + message[at]
    return Message(number, message[at + 1:])


class Centre:
    """Takes SMS-SUBMITs; each comes out as an SMS-DELIVER at the one who has its number: numbers[number](Message)."""

    def __init__(self):
        self.numbers, self.passed = {}, []

    def take(self, source, message):
        to, octets = parse(message)
        self.passed.append(deliver(source, octets))
        self.numbers[to](parse(self.passed[-1]))
