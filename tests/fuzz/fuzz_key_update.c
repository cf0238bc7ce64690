/* SPDX-License-Identifier: Apache-2.0 */
/* Key updates as a device gets them, from anybody: parsed, opened under a key that did not make them, verified under an
 * anchor that did not sign them. The first octet chooses whether the rest is the message, or what a message that was
 * sealed rightly has inside. */
#include <stdlib.h>

#include "core/secret.h"
#include "crypto/key_update.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t transfer_key[TRANSFER_KEY_LEN] = { 1 }, anchor[OP_SIGN_LEN] = { 2 };

static void check_message(struct bytes in)
{
	struct key_update_content content;
	struct key_update update;

	if (key_update_parse(in, &update) != GBA_OK)
		return;
	if (update.head_octets.p != in.p || update.head_octets.n > in.n)
		abort();
	if (!fqdn_valid(update.head.old_operator) || !fqdn_valid(update.head.new_operator) || !impi_valid(update.head.device))
		abort();
	if (key_update_open(&update, transfer_key, &content) == GBA_OK || key_update_verify(&update, anchor) == GBA_OK)
		abort(); /* nobody who does not have the keys makes one */
}

/* A content written by us comes back as it was. */
static void check_content(struct bytes in)
{
	struct key_update_head head = { .kind = KEY_UPDATE_SYMMETRIC, .counter = 7 };
	struct key_update_content content = { .ind_bits = 5 }, back;
	uint8_t out[KEY_UPDATE_MAX], key[CHANGE_KEY_LEN];
	struct key_update update;
	size_t n;

	head.old_operator = bytes_of("old.example");
	head.new_operator = bytes_of("new.example");
	head.device = bytes_of("device@old.example");
	content.key = (struct aka_key){ .alg = AKA_MILENAGE, .k_len = 16, .res_len = 8, .tuak_iterations = 1 };
	memcpy(content.key.k, in.p, in.n < 16 ? in.n : 16);
	memcpy(content.bsf, "bsf.new.example", sizeof("bsf.new.example"));
	memcpy(content.impi, "d@new.example", sizeof("d@new.example"));
	memcpy(content.imsi, "001020000000001", sizeof("001020000000001"));
	change_key_derive(transfer_key, &head, key);
	if (key_update_seal(&head, key, &content, out, &n) != GBA_OK || key_update_parse(BYTES(out, n), &update) != GBA_OK ||
	    key_update_open(&update, transfer_key, &back) != GBA_OK || memcmp(back.key.k, content.key.k, 16) != 0)
		abort();
	if (in.n > 16) {
		out[in.p[16] * n / 256] ^= in.n > 17 && in.p[17] != 0 ? in.p[17] : 1;
		check_message(BYTES(out, n));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	secret_init();
	if (size > 0 && (data[0] & 1) != 0)
		check_content(BYTES(data + 1, size - 1));
	else if (size > 0)
		check_message(BYTES(data + 1, size - 1));
	return 0;
}
