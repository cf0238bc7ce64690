/* SPDX-License-Identifier: Apache-2.0 */
#include "ue/record.h"
#include "ue/usim/soft_usim.h"

#define MAGIC  0x47555349U /* "GUSI" */
#define FORMAT 1

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

size_t soft_usim_encode(const struct soft_usim_data *data, uint8_t *out, size_t cap)
{
	struct record_out rec = { .p = out, .cap = cap };

	record_put(&rec, MAGIC, 4);
	record_put(&rec, FORMAT, 1);
	put_key(&rec, &data->key);
	put_sqn(&rec, &data->sqn);
	record_put_field(&rec, bytes_of(data->identity.imsi));
	record_put_field(&rec, bytes_of(data->identity.impi));
	record_put(&rec, data->identity.gba_u, 1);
	record_put(&rec, data->has_ks, 1);
	if (data->has_ks) {
		record_put_field(&rec, BYTES(data->ks, GBA_KS_LEN));
		record_put_field(&rec, BYTES(data->rand, RAND_LEN));
		record_put_field(&rec, bytes_of(data->btid));
		record_put(&rec, (uint64_t)data->expires, 8);
	}
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

enum gba_err soft_usim_decode(struct bytes plain, struct soft_usim_data *data)
{
	struct record_in in = { .rest = plain };

	memset(data, 0, sizeof(*data));
	if (record_get(&in, 4) != MAGIC || record_get(&in, 1) != FORMAT)
		return GBA_E_CORRUPT;
	get_key(&in, &data->key);
	get_sqn(&in, &data->sqn);
	record_get_text(&in, data->identity.imsi, sizeof(data->identity.imsi));
	record_get_text(&in, data->identity.impi, sizeof(data->identity.impi));
	data->identity.gba_u = get_flag(&in) == 1;
	data->has_ks = get_flag(&in) == 1;
	if (data->has_ks)
		get_ks(&in, data);
	if (in.bad || in.rest.n != 0)
		return GBA_E_CORRUPT;
	if (!imsi_valid(bytes_of(data->identity.imsi)) || !impi_valid(bytes_of(data->identity.impi)))
		return GBA_E_CORRUPT;
	return GBA_OK;
}
