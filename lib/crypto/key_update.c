/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/key_update.h"

#include "core/clock.h"
#include "core/record.h"
#include "core/secret.h"
#include "crypto/gcm.h"
#include "crypto/hash.h"

#define MAGIC	    0x474b5531U /* "GKU1" */
#define CONTENT_MAX 1024

static void put_octets(struct record_out *out, const uint8_t *p, size_t n)
{
	if (out->bad || n > out->cap - out->n) {
		out->bad = true;
		return;
	}
	memcpy(out->p + out->n, p, n);
	out->n += n;
}

static const uint8_t *get_octets(struct record_in *in, size_t n)
{
	const uint8_t *p = in->rest.p;

	if (in->bad || in->rest.n < n) {
		in->bad = true;
		return NULL;
	}
	in->rest.p += n;
	in->rest.n -= n;
	return p;
}

static void put_head(struct record_out *out, const struct key_update_head *head)
{
	record_put(out, MAGIC, 4);
	record_put(out, head->kind, 1);
	record_put(out, head->counter, 8);
	put_octets(out, head->change_id, CHANGE_ID_LEN);
	record_put_field(out, head->old_operator);
	record_put_field(out, head->new_operator);
	record_put_field(out, head->device);
}

void change_key_derive(const uint8_t transfer_key[TRANSFER_KEY_LEN], const struct key_update_head *head,
		       uint8_t out[CHANGE_KEY_LEN])
{
	uint8_t octets[KEY_UPDATE_MAX];
	struct record_out rec = { .p = octets, .cap = sizeof(octets) };
	struct bytes pieces[] = { bytes_of("Y.3056 change key"), BYTES_NONE };

	put_head(&rec, head);
	pieces[1] = BYTES(octets, rec.n);
	hmac_pieces(HASH_SHA256, BYTES(transfer_key, TRANSFER_KEY_LEN), pieces, 2, out);
}

static bool head_valid(const struct key_update_head *head)
{
	return fqdn_valid(head->old_operator) && fqdn_valid(head->new_operator) && impi_valid(head->device);
}

static size_t opc_len(enum aka_alg alg)
{
	return alg == AKA_TUAK ? 32 : 16;
}

static size_t put_content(const struct key_update_content *content, uint8_t *out, size_t cap)
{
	struct record_out rec = { .p = out, .cap = cap };

	record_put(&rec, content->key.alg, 1);
	record_put(&rec, content->key.res_len, 1);
	record_put(&rec, content->key.tuak_iterations, 1);
	record_put(&rec, content->ind_bits, 1);
	record_put_field(&rec, BYTES(content->key.k, content->key.k_len));
	record_put_field(&rec, BYTES(content->key.opc, opc_len(content->key.alg)));
	put_octets(&rec, content->transfer_key, TRANSFER_KEY_LEN);
	record_put_field(&rec, bytes_of(content->bsf));
	record_put_field(&rec, bytes_of(content->impi));
	record_put_field(&rec, bytes_of(content->imsi));
	return rec.bad ? 0 : rec.n;
}

enum gba_err key_update_seal(const struct key_update_head *head, const uint8_t change_key[CHANGE_KEY_LEN],
			     const struct key_update_content *content, uint8_t *out, size_t *_n)
{
	struct record_out rec = { .p = out, .cap = KEY_UPDATE_MAX };
	uint8_t plain[CONTENT_MAX], nonce[GCM_NONCE_LEN];
	size_t n = put_content(content, plain, sizeof(plain)), head_n;
	enum gba_err err = GBA_E_TOO_LONG;

	if (!head_valid(head) || head->kind != KEY_UPDATE_SYMMETRIC)
		return GBA_E_RANGE;
	put_head(&rec, head);
	head_n = rec.n;
	rand_bytes(nonce, sizeof(nonce));
	put_octets(&rec, nonce, sizeof(nonce));
	record_put(&rec, n + GCM_TAG_LEN, 2);
	if (n > 0 && !rec.bad && rec.cap - rec.n >= n + GCM_TAG_LEN)
		err = gcm_encrypt(change_key, nonce, BYTES(out, head_n), BYTES(plain, n), out + rec.n);
	SECRET_WIPE(plain);
	if (err == GBA_OK)
		*_n = rec.n + n + GCM_TAG_LEN;
	return err;
}

enum gba_err key_update_sign(const struct key_update_head *head, const struct op_key *signer,
			     const uint8_t new_key[OP_PUBLIC_LEN], struct bytes bsf, struct bytes impi, uint8_t *out, size_t *_n)
{
	struct record_out rec = { .p = out, .cap = KEY_UPDATE_MAX - OP_SIG_LEN };
	uint8_t public[OP_PUBLIC_LEN], id[OP_KEY_ID_LEN];
	enum gba_err err;

	if (!head_valid(head) || head->kind != KEY_UPDATE_ASYMMETRIC || !fqdn_valid(bsf) || !impi_valid(impi))
		return GBA_E_RANGE;
	op_key_public(signer, public);
	op_key_id(public, id);
	put_head(&rec, head);
	put_octets(&rec, id, sizeof(id));
	put_octets(&rec, new_key, OP_PUBLIC_LEN);
	record_put_field(&rec, bsf);
	record_put_field(&rec, impi);
	if (rec.bad)
		return GBA_E_TOO_LONG;
	err = op_sign(signer, BYTES(out, rec.n), out + rec.n);
	if (err == GBA_OK)
		*_n = rec.n + OP_SIG_LEN;
	return err;
}

static void get_head(struct record_in *in, struct key_update_head *head)
{
	const uint8_t *id;
	uint64_t kind;

	if (record_get(in, 4) != MAGIC)
		in->bad = true;
	kind = record_get(in, 1);
	if (kind != KEY_UPDATE_SYMMETRIC && kind != KEY_UPDATE_ASYMMETRIC)
		in->bad = true;
	head->kind = (enum key_update_kind)kind;
	head->counter = record_get(in, 8);
	id = get_octets(in, CHANGE_ID_LEN);
	if (id != NULL)
		memcpy(head->change_id, id, CHANGE_ID_LEN);
	head->old_operator = record_get_field(in, OPERATOR_MAX);
	head->new_operator = record_get_field(in, OPERATOR_MAX);
	head->device = record_get_field(in, IMPI_MAX);
	if (in->bad || !head_valid(head))
		in->bad = true;
}

enum gba_err key_update_parse(struct bytes octets, struct key_update *_update)
{
	struct record_in in = { .rest = octets };
	struct key_update update;

	memset(&update, 0, sizeof(update));
	if (octets.n > KEY_UPDATE_MAX)
		return GBA_E_SYNTAX;
	get_head(&in, &update.head);
	update.head_octets = BYTES(octets.p, octets.n - in.rest.n);
	if (update.head.kind == KEY_UPDATE_SYMMETRIC) {
		update.nonce = get_octets(&in, GCM_NONCE_LEN);
		update.sealed = record_get_field(&in, CONTENT_MAX + GCM_TAG_LEN);
	} else {
		update.signer = get_octets(&in, OP_KEY_ID_LEN);
		update.new_key = get_octets(&in, OP_PUBLIC_LEN);
		update.bsf = record_get_field(&in, FQDN_MAX);
		update.impi = record_get_field(&in, IMPI_MAX);
		update.signed_octets = BYTES(octets.p, octets.n - in.rest.n);
		update.signature = get_octets(&in, OP_SIG_LEN);
		if (in.bad || !fqdn_valid(update.bsf) || !impi_valid(update.impi))
			in.bad = true;
	}
	if (in.bad || in.rest.n != 0)
		return GBA_E_SYNTAX;
	*_update = update;
	return GBA_OK;
}

static enum gba_err get_content(struct bytes plain, struct key_update_content *content)
{
	struct record_in in = { .rest = plain };
	const uint8_t *transfer_key;
	struct bytes k;

	content->key.alg = record_get(&in, 1) == AKA_TUAK ? AKA_TUAK : AKA_MILENAGE;
	content->key.res_len = (size_t)record_get(&in, 1);
	content->key.tuak_iterations = (unsigned int)record_get(&in, 1);
	content->ind_bits = (unsigned int)record_get(&in, 1);
	k = record_get_field(&in, AKA_K_MAX);
	if (k.n > 0)
		memcpy(content->key.k, k.p, k.n);
	content->key.k_len = k.n;
	record_get_octets(&in, content->key.opc, opc_len(content->key.alg));
	transfer_key = get_octets(&in, TRANSFER_KEY_LEN);
	if (transfer_key != NULL)
		memcpy(content->transfer_key, transfer_key, TRANSFER_KEY_LEN);
	record_get_text(&in, content->bsf, sizeof(content->bsf));
	record_get_text(&in, content->impi, sizeof(content->impi));
	record_get_text(&in, content->imsi, sizeof(content->imsi));
	if (in.bad || in.rest.n != 0 || aka_key_check(&content->key) != GBA_OK || !fqdn_valid(bytes_of(content->bsf)) ||
	    !impi_valid(bytes_of(content->impi)) || !imsi_valid(bytes_of(content->imsi)))
		return GBA_E_RANGE;
	return GBA_OK;
}

enum gba_err key_update_open(const struct key_update *update, const uint8_t transfer_key[TRANSFER_KEY_LEN],
			     struct key_update_content *_content)
{
	uint8_t key[CHANGE_KEY_LEN], plain[CONTENT_MAX];
	enum gba_err err;

	memset(_content, 0, sizeof(*_content));
	if (update->head.kind != KEY_UPDATE_SYMMETRIC || update->sealed.n < GCM_TAG_LEN)
		return GBA_E_SIGNATURE;
	change_key_derive(transfer_key, &update->head, key);
	err = gcm_decrypt(key, update->nonce, update->head_octets, update->sealed, plain);
	SECRET_WIPE(key);
	if (err == GBA_OK)
		err = get_content(BYTES(plain, update->sealed.n - GCM_TAG_LEN), _content);
	SECRET_WIPE(plain);
	return err == GBA_E_CORRUPT ? GBA_E_SIGNATURE : err;
}

enum gba_err key_update_verify(const struct key_update *update, const uint8_t anchor[OP_SIGN_LEN])
{
	uint8_t id[OP_KEY_ID_LEN];

	op_key_id(anchor, id);
	if (update->head.kind != KEY_UPDATE_ASYMMETRIC || memcmp(id, update->signer, OP_KEY_ID_LEN) != 0)
		return GBA_E_SIGNATURE;
	return op_verify(anchor, update->signed_octets, update->signature);
}
