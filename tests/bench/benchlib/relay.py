# SPDX-License-Identifier: Apache-2.0
"""relay.py HOST PORT TO_HOST TO_PORT MS: passes octets on both ways, each half of MS later: a node so far away.
Prints "ready", ends with its standard input."""
import asyncio
import os
import sys


async def way(reader, writer, seconds):
    loop = asyncio.get_running_loop()
    while octets := await reader.read(65536):
        if seconds:
            loop.call_later(seconds, writer.write, octets)
        else:
            writer.write(octets)
    loop.call_later(seconds, writer.close)


async def main(host, port, to_host, to_port, ms):
    async def connected(reader, writer):
        far_reader, far_writer = await asyncio.open_connection(to_host, int(to_port))
        await asyncio.gather(way(reader, far_writer, float(ms) / 2000), way(far_reader, writer, float(ms) / 2000))

    await asyncio.start_server(connected, host, int(port))
    print("ready", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    os._exit(0)  # whatever is still on its way


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
