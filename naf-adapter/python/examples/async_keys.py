#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Thousands of devices at once on one thread: reads B-TIDs, a line each, and says of each what the agent knows, as soon as it does.

Run: async_keys.py NAME-OF-THIS-APPLICATION < B-TIDs"""
import asyncio
import sys
import time

import gba_naf

AT_ONCE = 1000


async def tell(naf, fqdn, btid, room):
    async with room:
        try:
            token = await naf.get_async(btid, fqdn, gba_naf.UA_TLS13_PSK, timeout=10)
            print(btid, "good for %d s" % (token.expiry - time.time()), flush=True)
        except gba_naf.Error as error:  # what to answer the device with
            print(btid, error.http, "bootstrap again" if error.renegotiate else error.name, flush=True)


async def main(fqdn):
    room = asyncio.Semaphore(AT_ONCE)
    with gba_naf.Naf() as naf:
        await asyncio.gather(*(tell(naf, fqdn, line.strip(), room) for line in sys.stdin if line.strip()))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
