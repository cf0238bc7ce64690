/* SPDX-License-Identifier: Apache-2.0 */
#include "core/record.h"
#include "ue/usim/soft_usim.h"

#define MAGIC  0x47555349U /* "GUSI" */
#define FORMAT_PLAIN  1
#define FORMAT_CHANGE 2
#define FORMAT_FLAGS  3 /* as 2, with flags before everything else */

#define FLAG_CERTIFICATE_ONLY 1U
#define FLAG_PREVIOUS	      2U

struct soft_usim_data *soft_usim_data_new(TALLOC_CTX *mem_ctx, struct secret **_owner)
{
	struct secret *owner = secret_new(mem_ctx, sizeof(struct soft_usim_data));

	if (owner == NULL)
		return NULL;
	if (_owner != NULL)
		*_owner = owner;
	return (struct soft_usim_data *)(void *)owner->p;
}

static void put_key(struct record_out *out, const struct aka_key *key)
{
	record_put(out, key->alg, 1);
	record_put(out, key->res_len, 1);
	record_put(out, key->tuak_iterations, 1);
	record_put_field(out, BYTES(key->k, key->k_len));
	record_put_field(out, BYTES(key->opc, key->alg == AKA_TUAK ? 32 : 16));
}

static void put_sqn(struct record_out *out, const struct sqn_array *sqn)
{
	size_t i;

	record_put(out, sqn->ind_bits, 1);
	record_put(out, sqn->delta, 8);
	record_put(out, sqn->age_limit, 8);
	for (i = 0; i < (size_t)1 << sqn->ind_bits; i++)
		record_put(out, sqn->seq[i], 6);
}

static void put_identity(struct record_out *out, const struct usim_identity *identity)
{
	record_put_field(out, bytes_of(identity->imsi));
	record_put_field(out, bytes_of(identity->impi));
	record_put(out, identity->gba_u, 1);
}

/* What format 2 adds to a slot. */
static void put_operator(struct record_out *out, const struct soft_usim_slot *slot)
{
	record_put_field(out, bytes_of(slot->operator));
	record_put_field(out, BYTES(slot->transfer_key, slot->has_transfer_key ? TRANSFER_KEY_LEN : 0));
	record_put(out, slot->counter, 8);
}

static void put_change(struct record_out *out, const struct soft_usim_data *data)
{
	put_operator(out, &data->active);
	record_put(out, data->has_pending, 1);
	if (data->has_pending) {
		put_key(out, &data->pending.key);
		put_sqn(out, &data->pending.sqn);
		put_identity(out, &data->pending.identity);
		put_operator(out, &data->pending);
		record_put_field(out, bytes_of(data->pending_bsf));
	}
	record_put_field(out, BYTES(data->anchor, data->has_anchor ? OP_SIGN_LEN : 0));
	record_put_field(out, BYTES(data->cert, data->cert_n));
	record_put_field(out, BYTES(data->pkey, data->pkey_n));
	if (data->has_previous) {
		record_put_field(out, bytes_of(data->previous.operator));
		record_put_field(out, bytes_of(data->previous.impi));
		record_put_field(out, BYTES(data->previous.anchor, OP_SIGN_LEN));
		record_put_field(out, BYTES(data->previous.cert, data->previous.cert_n));
		record_put_field(out, bytes_of(data->pending_bsf));
	}
}

static unsigned int flags_of(const struct soft_usim_data *data)
{
	return (data->certificate_only ? FLAG_CERTIFICATE_ONLY : 0) | (data->has_previous ? FLAG_PREVIOUS : 0);
}

/* A card that takes no part in changes of operator is written as it always was. */
static bool is_plain(const struct soft_usim_data *data)
{
	return data->active.operator[0] == '\0' && !data->active.has_transfer_key && !data->has_pending &&
	       !data->has_anchor && data->cert_n == 0 && data->pkey_n == 0;
}

size_t soft_usim_encode(const struct soft_usim_data *data, uint8_t *out, size_t cap)
{
	struct record_out rec = { .p = out, .cap = cap };
	unsigned int flags = flags_of(data);
	bool plain = is_plain(data) && flags == 0;

	record_put(&rec, MAGIC, 4);
	record_put(&rec, plain ? FORMAT_PLAIN : flags == 0 ? FORMAT_CHANGE : FORMAT_FLAGS, 1);
	if (flags != 0)
		record_put(&rec, flags, 1);
	if (!data->certificate_only) {
		put_key(&rec, &data->active.key);
		put_sqn(&rec, &data->active.sqn);
	}
	put_identity(&rec, &data->active.identity);
	record_put(&rec, data->has_ks, 1);
	if (data->has_ks) {
		record_put_field(&rec, BYTES(data->ks, GBA_KS_LEN));
		record_put_field(&rec, BYTES(data->rand, RAND_LEN));
		record_put_field(&rec, bytes_of(data->btid));
		record_put(&rec, (uint64_t)data->expires, 8);
	}
	if (!plain)
		put_change(&rec, data);
	return rec.bad ? 0 : rec.n;
}

static void get_key(struct record_in *in, struct aka_key *key)
{
	uint64_t alg = record_get(in, 1);
	struct bytes k;

	if (alg != AKA_MILENAGE && alg != AKA_TUAK)
		in->bad = true;
	key->alg = (enum aka_alg)alg;
	key->res_len = (size_t)record_get(in, 1);
	key->tuak_iterations = (unsigned int)record_get(in, 1);
	k = record_get_field(in, AKA_K_MAX);
	if (k.n > 0)
		memcpy(key->k, k.p, k.n);
	key->k_len = k.n;
	record_get_octets(in, key->opc, key->alg == AKA_TUAK ? 32 : 16);
	if (!in->bad && aka_key_check(key) != GBA_OK)
		in->bad = true;
}

static void get_sqn(struct record_in *in, struct sqn_array *sqn)
{
	unsigned int ind_bits = (unsigned int)record_get(in, 1);
	size_t i;

	if (ind_bits > SQN_IND_BITS_MAX) {
		in->bad = true;
		return;
	}
	sqn_array_init(sqn, ind_bits);
	sqn->delta = record_get(in, 8);
	sqn->age_limit = record_get(in, 8);
	for (i = 0; i < (size_t)1 << ind_bits; i++) {
		sqn->seq[i] = record_get(in, 6);
		if (sqn->seq[i] > AKA_SQN_MAX >> ind_bits)
			in->bad = true;
	}
}

static void get_ks(struct record_in *in, struct soft_usim_data *data)
{
	uint8_t rand[RAND_LEN];

	record_get_octets(in, data->ks, GBA_KS_LEN);
	record_get_octets(in, data->rand, RAND_LEN);
	record_get_text(in, data->btid, sizeof(data->btid));
	data->expires = (time_t)record_get(in, 8);
	if (in->bad || data->btid[0] == '\0')
		return;
	if (btid_parse(bytes_of(data->btid), rand, NULL) != GBA_OK || memcmp(rand, data->rand, RAND_LEN) != 0)
		in->bad = true;
}

static uint64_t get_flag(struct record_in *in)
{
	uint64_t flag = record_get(in, 1);

	if (flag > 1)
		in->bad = true;
	return flag;
}

static void get_identity(struct record_in *in, struct usim_identity *identity)
{
	record_get_text(in, identity->imsi, sizeof(identity->imsi));
	record_get_text(in, identity->impi, sizeof(identity->impi));
	identity->gba_u = get_flag(in) == 1;
	if (!in->bad && !identity->certificate_only && !imsi_valid(bytes_of(identity->imsi)))
		in->bad = true;
	if (!in->bad && (!impi_valid(bytes_of(identity->impi)) ||
			 (identity->certificate_only && (identity->gba_u || identity->imsi[0] != '\0'))))
		in->bad = true;
}

static void get_operator(struct record_in *in, struct soft_usim_slot *slot)
{
	struct bytes key;

	record_get_text(in, slot->operator, sizeof(slot->operator));
	key = record_get_field(in, TRANSFER_KEY_LEN);
	slot->has_transfer_key = key.n == TRANSFER_KEY_LEN;
	if (slot->has_transfer_key)
		memcpy(slot->transfer_key, key.p, TRANSFER_KEY_LEN);
	slot->counter = record_get(in, 8);
	if ((key.n != 0 && !slot->has_transfer_key) ||
	    (slot->operator[0] != '\0' && !fqdn_valid(bytes_of(slot->operator))))
		in->bad = true;
}

static void get_pending(struct record_in *in, struct soft_usim_data *data)
{
	get_key(in, &data->pending.key);
	get_sqn(in, &data->pending.sqn);
	get_identity(in, &data->pending.identity);
	get_operator(in, &data->pending);
	record_get_text(in, data->pending_bsf, sizeof(data->pending_bsf));
	if (!in->bad && !fqdn_valid(bytes_of(data->pending_bsf)))
		in->bad = true;
}

static size_t get_der(struct record_in *in, uint8_t *out, size_t max)
{
	struct bytes field = record_get_field(in, max);

	if (field.n > 0)
		memcpy(out, field.p, field.n);
	return field.n;
}

static void get_previous(struct record_in *in, struct soft_usim_data *data)
{
	record_get_text(in, data->previous.operator, sizeof(data->previous.operator));
	record_get_text(in, data->previous.impi, sizeof(data->previous.impi));
	record_get_octets(in, data->previous.anchor, OP_SIGN_LEN);
	data->previous.cert_n = get_der(in, data->previous.cert, sizeof(data->previous.cert));
	record_get_text(in, data->pending_bsf, sizeof(data->pending_bsf));
	if (!in->bad && (data->has_pending || !data->has_anchor || !fqdn_valid(bytes_of(data->previous.operator)) ||
			 !impi_valid(bytes_of(data->previous.impi)) || !fqdn_valid(bytes_of(data->pending_bsf))))
		in->bad = true;
}

static void get_change(struct record_in *in, struct soft_usim_data *data)
{
	struct bytes anchor;

	get_operator(in, &data->active);
	data->has_pending = get_flag(in) == 1;
	if (data->has_pending)
		get_pending(in, data);
	anchor = record_get_field(in, OP_SIGN_LEN);
	data->has_anchor = anchor.n == OP_SIGN_LEN;
	if (data->has_anchor)
		memcpy(data->anchor, anchor.p, OP_SIGN_LEN);
	data->cert_n = get_der(in, data->cert, sizeof(data->cert));
	data->pkey_n = get_der(in, data->pkey, sizeof(data->pkey));
	if (data->has_previous)
		get_previous(in, data);
	if ((anchor.n != 0 && !data->has_anchor) || (is_plain(data) && flags_of(data) == 0))
		in->bad = true;
}

static void get_flags(struct record_in *in, struct soft_usim_data *data)
{
	uint64_t flags = record_get(in, 1);

	data->certificate_only = (flags & FLAG_CERTIFICATE_ONLY) != 0;
	data->active.identity.certificate_only = data->certificate_only;
	data->has_previous = (flags & FLAG_PREVIOUS) != 0;
	if (flags == 0 || flags > (FLAG_CERTIFICATE_ONLY | FLAG_PREVIOUS))
		in->bad = true;
}

enum gba_err soft_usim_decode(struct bytes plain, struct soft_usim_data *data)
{
	struct record_in in = { .rest = plain };
	uint64_t format;

	memset(data, 0, sizeof(*data));
	if (record_get(&in, 4) != MAGIC)
		return GBA_E_CORRUPT;
	format = record_get(&in, 1);
	if (format < FORMAT_PLAIN || format > FORMAT_FLAGS)
		return GBA_E_CORRUPT;
	if (format == FORMAT_FLAGS)
		get_flags(&in, data);
	if (!data->certificate_only) {
		get_key(&in, &data->active.key);
		get_sqn(&in, &data->active.sqn);
	}
	get_identity(&in, &data->active.identity);
	data->has_ks = get_flag(&in) == 1;
	if (data->has_ks)
		get_ks(&in, data);
	if (data->has_ks && data->certificate_only)
		in.bad = true;
	if (format != FORMAT_PLAIN && !in.bad)
		get_change(&in, data);
	return in.bad || in.rest.n != 0 ? GBA_E_CORRUPT : GBA_OK;
}
