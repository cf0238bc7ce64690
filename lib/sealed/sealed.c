/* SPDX-License-Identifier: Apache-2.0 */
#include "sealed/sealed.h"

#include "core/secret.h"
#include "crypto/hash.h"

#define CHECKSUM_LEN	4
#define PIV_MAX		5
#define PROTECTED_FIXED (1 + 2 + 2 + SEALED_KID_LEN + 2) /* map, alg, kid, key and head of Partial IV */
#define PROTECTED_MAX	(PROTECTED_FIXED + PIV_MAX)
#define STRUCTURE_HEAD	10 /* array, text "Encrypt0" */

static const uint8_t tag_and_array[] = { 0xd0, 0x83 };	     /* 16(...), three items */
static const uint8_t alg_and_kid[] = { 0xa3, 0x01, 0x0a, 0x04, 0x40 | SEALED_KID_LEN };
static const uint8_t structure_head[STRUCTURE_HEAD] = { 0x83, 0x68, 'E', 'n', 'c', 'r', 'y', 'p', 't', '0' };

static void derive_side(const uint8_t ks_naf[GBA_KS_NAF_LEN], const char *label, struct bytes tail, uint8_t *key, uint8_t *iv)
{
	uint8_t info[32 + 1 + SEALED_BTID_MAX], out[CCM_KEY_LEN + CCM_NONCE_LEN];
	size_t n = strlen(label) + 1; /* with its NUL */

	memcpy(info, label, n);
	memcpy(info + n, tail.p, tail.n);
	hkdf_sha256(BYTES_NONE, BYTES(ks_naf, GBA_KS_NAF_LEN), BYTES(info, n + tail.n), out, sizeof(out));
	memcpy(key, out, CCM_KEY_LEN);
	memcpy(iv, out + CCM_KEY_LEN, CCM_NONCE_LEN);
	SECRET_WIPE(out);
}

enum gba_err sealed_keys_derive(const uint8_t ks_naf[GBA_KS_NAF_LEN], struct bytes btid, uint8_t index, struct sealed_keys *_keys)
{
	static const char *const labels[SEALED_SIDES] = { "gba sealed device", "gba sealed server" };
	static const char kid_label[] = "gba sealed kid";
	uint8_t tail[1 + SEALED_BTID_MAX], digest[HASH_MAX];
	struct bytes pieces[2] = { BYTES(kid_label, sizeof(kid_label)), BYTES(tail, 1 + btid.n) };
	int side;

	if (btid.n == 0 || btid.n > SEALED_BTID_MAX)
		return GBA_E_RANGE;
	tail[0] = index;
	memcpy(tail + 1, btid.p, btid.n);
	hash_pieces(HASH_SHA256, pieces, 2, digest);
	memcpy(_keys->kid, digest, SEALED_KID_LEN);
	for (side = 0; side < SEALED_SIDES; side++)
		derive_side(ks_naf, labels[side], pieces[1], _keys->of[side].key, _keys->of[side].iv);
	return GBA_OK;
}

/* RFC 9052 3.1: Context IV XOR Partial IV, filled up with zeros on the left. */
static void nonce_of(const struct sealed_keys *keys, enum sealed_side sender, uint64_t counter, uint8_t nonce[CCM_NONCE_LEN])
{
	int i;

	memcpy(nonce, keys->of[sender].iv, CCM_NONCE_LEN);
	for (i = 0; i < PIV_MAX; i++)
		nonce[CCM_NONCE_LEN - 1 - i] ^= (uint8_t)(counter >> 8 * i);
}

/* Enc_structure (RFC 9052 5.3): no external data, what there is to bind is in the key or protected. */
static size_t structure(struct bytes protected_octets, uint8_t out[STRUCTURE_HEAD + 2 + PROTECTED_MAX])
{
	memcpy(out, structure_head, STRUCTURE_HEAD);
	out[STRUCTURE_HEAD] = (uint8_t)(0x40 | protected_octets.n);
	memcpy(out + STRUCTURE_HEAD + 1, protected_octets.p, protected_octets.n);
	out[STRUCTURE_HEAD + 1 + protected_octets.n] = 0x40;
	return STRUCTURE_HEAD + 2 + protected_octets.n;
}

static size_t piv_len(uint64_t counter)
{
	size_t n = 1;

	while (n < PIV_MAX && counter >> 8 * n != 0)
		n++;
	return n;
}

static size_t put_protected(const uint8_t kid[SEALED_KID_LEN], uint64_t counter, uint8_t *out)
{
	size_t n = piv_len(counter), i;

	memcpy(out, alg_and_kid, sizeof(alg_and_kid));
	memcpy(out + sizeof(alg_and_kid), kid, SEALED_KID_LEN);
	out[PROTECTED_FIXED - 2] = 0x06;
	out[PROTECTED_FIXED - 1] = (uint8_t)(0x40 | n);
	for (i = 0; i < n; i++)
		out[PROTECTED_FIXED + i] = (uint8_t)(counter >> 8 * (n - 1 - i));
	return PROTECTED_FIXED + n;
}

/* Head of a string of octets, its shortest form. */
static size_t put_head(size_t n, uint8_t *out)
{
	if (n < 24) {
		out[0] = (uint8_t)(0x40 | n);
		return 1;
	}
	if (n <= UINT8_MAX) {
		out[0] = 0x58;
		out[1] = (uint8_t)n;
		return 2;
	}
	out[0] = 0x59;
	out[1] = (uint8_t)(n >> 8);
	out[2] = (uint8_t)n;
	return 3;
}

static void put_checksum(struct bytes octets, uint8_t out[CHECKSUM_LEN])
{
	uint32_t sum = crc32_of(octets);
	int i;

	for (i = 0; i < CHECKSUM_LEN; i++)
		out[i] = (uint8_t)(sum >> 8 * (CHECKSUM_LEN - 1 - i));
}

enum gba_err sealed_seal(const struct sealed_keys *keys, enum sealed_side sender, uint64_t counter, struct bytes plain,
			 uint8_t *out, size_t *_n)
{
	uint8_t nonce[CCM_NONCE_LEN], about[STRUCTURE_HEAD + 2 + PROTECTED_MAX];
	size_t at = CHECKSUM_LEN, n, about_n;
	enum gba_err err;

	if (plain.n > SEALED_PLAIN_MAX)
		return GBA_E_TOO_LONG;
	if (counter > SEALED_COUNTER_MAX)
		return GBA_E_RANGE;
	memcpy(out + at, tag_and_array, sizeof(tag_and_array));
	at += sizeof(tag_and_array);
	n = put_protected(keys->kid, counter, out + at + 1);
	out[at] = (uint8_t)(0x40 | n); /* below 24 */
	about_n = structure(BYTES(out + at + 1, n), about);
	at += 1 + n;
	out[at++] = 0xa0; /* nothing unprotected */
	at += put_head(plain.n + CCM_TAG_LEN, out + at);
	nonce_of(keys, sender, counter, nonce);
	err = ccm_encrypt(keys->of[sender].key, nonce, BYTES(about, about_n), plain, out + at);
	if (err != GBA_OK)
		return err;
	at += plain.n + CCM_TAG_LEN;
	put_checksum(BYTES(out + CHECKSUM_LEN, at - CHECKSUM_LEN), out);
	*_n = at;
	return GBA_OK;
}

static bool starts(struct bytes *in, const uint8_t *with, size_t n)
{
	if (in->n < n || memcmp(in->p, with, n) != 0)
		return false;
	*in = BYTES(in->p + n, in->n - n);
	return true;
}

static bool parse_protected(struct bytes octets, struct sealed_frame *_frame)
{
	struct bytes in = octets;
	uint64_t counter = 0;
	size_t i;

	if (octets.n <= PROTECTED_FIXED || octets.n > PROTECTED_MAX || !starts(&in, alg_and_kid, sizeof(alg_and_kid)))
		return false;
	_frame->kid = BYTES(in.p, SEALED_KID_LEN);
	in = BYTES(in.p + SEALED_KID_LEN, in.n - SEALED_KID_LEN);
	if (in.p[0] != 0x06 || in.p[1] != (0x40 | (in.n - 2)))
		return false;
	for (i = 2; i < in.n; i++)
		counter = counter << 8 | in.p[i];
	_frame->counter = counter;
	return piv_len(counter) == in.n - 2;
}

/* One form, so what remains must be the head this many octets have, and they. */
static bool parse_sealed(struct bytes in, struct sealed_frame *_frame)
{
	uint8_t head[3];
	size_t n, head_n;

	for (head_n = 1; head_n <= sizeof(head); head_n++) {
		if (in.n < head_n + CCM_TAG_LEN || in.n - head_n > SEALED_PLAIN_MAX + CCM_TAG_LEN)
			continue;
		n = in.n - head_n;
		if (put_head(n, head) == head_n && memcmp(in.p, head, head_n) == 0) {
			_frame->sealed = BYTES(in.p + head_n, n);
			return true;
		}
	}
	return false;
}

enum gba_err sealed_parse(struct bytes octets, struct sealed_frame *_frame)
{
	uint8_t sum[CHECKSUM_LEN];
	struct bytes in;
	size_t n;

	if (octets.n <= CHECKSUM_LEN || octets.n > SEALED_FRAME_MAX)
		return GBA_E_SYNTAX;
	in = BYTES(octets.p + CHECKSUM_LEN, octets.n - CHECKSUM_LEN);
	put_checksum(in, sum);
	if (memcmp(sum, octets.p, CHECKSUM_LEN) != 0)
		return GBA_E_CORRUPT;
	if (!starts(&in, tag_and_array, sizeof(tag_and_array)) || in.n == 0 || in.p[0] >> 5 != 2)
		return GBA_E_SYNTAX;
	n = in.p[0] & 31;
	if (n > PROTECTED_MAX || in.n < 1 + n + 1 || in.p[1 + n] != 0xa0)
		return GBA_E_SYNTAX;
	_frame->protected_octets = BYTES(in.p + 1, n);
	if (!parse_protected(_frame->protected_octets, _frame) || !parse_sealed(BYTES(in.p + n + 2, in.n - n - 2), _frame))
		return GBA_E_SYNTAX;
	return GBA_OK;
}

enum gba_err sealed_open(const struct sealed_keys *keys, enum sealed_side sender, const struct sealed_frame *frame, uint8_t *out,
			 size_t *_n)
{
	uint8_t nonce[CCM_NONCE_LEN], about[STRUCTURE_HEAD + 2 + PROTECTED_MAX];
	size_t about_n;
	enum gba_err err;

	if (!bytes_eq(frame->kid, BYTES(keys->kid, SEALED_KID_LEN)))
		return GBA_E_NOT_FOUND;
	about_n = structure(frame->protected_octets, about);
	nonce_of(keys, sender, frame->counter, nonce);
	err = ccm_decrypt(keys->of[sender].key, nonce, BYTES(about, about_n), frame->sealed, out);
	if (err == GBA_E_CORRUPT)
		return GBA_E_DENIED;
	if (err != GBA_OK)
		return err;
	*_n = frame->sealed.n - CCM_TAG_LEN;
	return GBA_OK;
}

enum gba_err sealed_window_check(const struct sealed_window *window, uint64_t counter)
{
	uint64_t behind;

	if (counter >= window->next)
		return GBA_OK;
	behind = window->next - 1 - counter;
	return behind < 64 && (window->seen >> behind & 1) == 0 ? GBA_OK : GBA_E_REPLAY;
}

void sealed_window_take(struct sealed_window *window, uint64_t counter)
{
	uint64_t ahead;

	if (counter < window->next) {
		window->seen |= UINT64_C(1) << (window->next - 1 - counter);
		return;
	}
	ahead = counter + 1 - window->next;
	window->seen = (ahead < 64 ? window->seen << ahead : 0) | 1;
	window->next = counter + 1;
}
