/* SPDX-License-Identifier: Apache-2.0 */
/* Sealed datagrams as they come from anybody. The checksum is made good, so that what is behind it is reached; a frame that opens
 * has one form: sealed again it is the same octets. */
#include <stdlib.h>

#include "core/secret.h"
#include "sealed/intro.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t ks_naf[GBA_KS_NAF_LEN] = { 1 };

static void check_open(const struct sealed_keys *keys, enum sealed_side sender, struct bytes octets)
{
	uint8_t plain[SEALED_PLAIN_MAX], again[SEALED_FRAME_MAX];
	struct sealed_frame frame;
	size_t n;

	if (sealed_parse(octets, &frame) != GBA_OK)
		return;
	if (frame.kid.n != SEALED_KID_LEN || frame.counter > SEALED_COUNTER_MAX || frame.sealed.n > SEALED_PLAIN_MAX + CCM_TAG_LEN ||
	    frame.sealed.p + frame.sealed.n != octets.p + octets.n)
		abort();
	if (sealed_open(keys, sender, &frame, plain, &n) != GBA_OK)
		return;
	if (sealed_seal(keys, sender, frame.counter, BYTES(plain, n), again, &n) != GBA_OK || !bytes_eq(BYTES(again, n), octets))
		abort();
}

/* One of ours, with one octet changed: it must not open. */
static void check_change(const struct sealed_keys *keys, struct bytes in)
{
	uint8_t out[SEALED_FRAME_MAX], plain[SEALED_PLAIN_MAX];
	struct sealed_frame frame;
	uint32_t sum;
	size_t n;

	if (in.n < 3 || in.p[1] == 0 || sealed_seal(keys, SEALED_SERVER, in.p[2], BYTES(in.p + 3, in.n - 3), out, &n) != GBA_OK)
		return;
	out[4 + in.p[0] % (n - 4)] ^= in.p[1];
	sum = crc32_of(BYTES(out + 4, n - 4));
	for (int i = 0; i < 4; i++)
		out[i] = (uint8_t)(sum >> (24 - 8 * i));
	if (sealed_parse(BYTES(out, n), &frame) == GBA_OK && sealed_open(keys, SEALED_SERVER, &frame, plain, &n) == GBA_OK)
		abort();
}

static void check_intro(struct bytes octets)
{
	uint8_t again[SEALED_INTRO_MAX], index;
	struct bytes btid;

	if (sealed_intro_parse(octets, &btid, &index) == GBA_OK &&
	    !bytes_eq(octets, BYTES(again, sealed_intro_build(btid, index, again))))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t octets[4 + SEALED_FRAME_MAX];
	struct sealed_keys keys;
	uint32_t sum;

	secret_init();
	if (sealed_keys_derive(ks_naf, bytes_of("fuzz@bsf"), 0, &keys) != GBA_OK)
		abort();
	check_open(&keys, SEALED_DEVICE, BYTES(data, size));
	check_change(&keys, BYTES(data, size));
	check_intro(BYTES(data, size));
	if (size == 0 || size > SEALED_FRAME_MAX)
		return 0;
	sum = crc32_of(BYTES(data, size));
	for (int i = 0; i < 4; i++)
		octets[i] = (uint8_t)(sum >> (24 - 8 * i));
	memcpy(octets + 4, data, size);
	check_open(&keys, SEALED_DEVICE, BYTES(octets, size + 4));
	check_intro(BYTES(octets, size + 4));
	return 0;
}
