/* SPDX-License-Identifier: Apache-2.0 */
#include "hss-stub/subscriber.h"

const char *const subscriber_state_names[] = { "active", "barred", NULL };
const char *const subscriber_alg_names[] = { "milenage", "tuak", NULL };
const char *const subscriber_uicc_names[] = { "GBA", "GBA_U", NULL };

size_t subscriber_op_len(enum aka_alg alg)
{
	return alg == AKA_TUAK ? 32 : 16;
}

uint64_t subscriber_seq_max(unsigned int ind_bits)
{
	return AKA_SQN_MAX >> ind_bits;
}

enum gba_err subscriber_impi(struct bytes impi, char *out)
{
	size_t i;

	if (!impi_valid(impi))
		return GBA_E_IMPI_SYNTAX;
	memcpy(out, impi.p, impi.n);
	out[impi.n] = '\0';
	for (i = impi.n - impi_realm(impi).n; i < impi.n; i++) {
		if (out[i] >= 'A' && out[i] <= 'Z')
			out[i] = (char)(out[i] - 'A' + 'a');
	}
	return GBA_OK;
}

bool subscriber_has_impu(const struct subscriber *sub, struct bytes impu)
{
	struct bytes rest = sub->impus, line;

	if (impu.n == sub->impi.n + 4 && bytes_eq_nocase(BYTES(impu.p, 4), bytes_of("sip:")) &&
	    bytes_eq_nocase(BYTES(impu.p + 4, impu.n - 4), sub->impi))
		return true;
	while (rest.n > 0) {
		if (!bytes_split(rest, '\n', &line, &rest)) {
			line = rest;
			rest = BYTES_NONE;
		}
		if (bytes_eq_nocase(line, impu))
			return true;
	}
	return false;
}

void subscriber_init(struct subscriber *sub)
{
	*sub = (struct subscriber){
		.alg = AKA_MILENAGE, .res_len = 8, .tuak_iterations = 1, .ind_bits = SQN_IND_BITS_DEFAULT
	};
}

static bool impus_valid(struct bytes impus)
{
	size_t i;

	for (i = 0; i < impus.n; i++) {
		if (impus.p[i] != '\n' && (impus.p[i] <= ' ' || impus.p[i] >= 0x7f))
			return false;
	}
	return true;
}

static enum gba_err refuse(enum gba_err err, const char *why, const char **_why)
{
	*_why = why;
	return err;
}

enum gba_err subscriber_check(const struct subscriber *sub, const char **_why)
{
	if (!impi_valid(sub->impi))
		return refuse(GBA_E_IMPI_SYNTAX, "IMPI is not user@realm", _why);
	if (sub->imsi.p != NULL && !imsi_valid(sub->imsi))
		return refuse(GBA_E_SYNTAX, "IMSI is not 6 to 15 digits", _why);
	if (sub->impus.n > SUBSCRIBER_IMPUS_MAX)
		return refuse(GBA_E_TOO_LONG, "too many public identities", _why);
	if (!impus_valid(sub->impus))
		return refuse(GBA_E_SYNTAX, "public identity is not printable ASCII without blanks", _why);
	if (sub->ind_bits > SQN_IND_BITS_MAX)
		return refuse(GBA_E_RANGE, "IND has more than 8 bits", _why);
	if (sub->seq > subscriber_seq_max(sub->ind_bits))
		return refuse(GBA_E_RANGE, "SQN has more than 48 bits", _why);
	return GBA_OK;
}

static void guss_stamp(struct subscriber *sub, struct bytes xml, time_t now)
{
	sub->guss = xml;
	sub->guss_time = now > sub->guss_time ? now : sub->guss_time + 1; /* two changes in one second differ on Zh */
}

enum gba_err subscriber_set_guss(TALLOC_CTX *mem_ctx, struct subscriber *sub, struct bytes xml, time_t now,
				 const char **_why)
{
	struct guss *guss;
	uint8_t *copy;
	enum gba_err err;

	err = guss_parse(mem_ctx, xml, &guss);
	if (err != GBA_OK)
		return refuse(err, "GUSS is not a document of TS 29.109 Annex A", _why);
	if (guss->impi == NULL || !bytes_eq_nocase(bytes_of(guss->impi), sub->impi)) {
		talloc_free(guss);
		return refuse(GBA_E_RANGE, "id of the GUSS is not the IMPI", _why);
	}
	copy = talloc_memdup(mem_ctx, xml.p, xml.n);
	if (copy != NULL) {
		sub->uicc = guss->uicc;
		guss_stamp(sub, BYTES(copy, xml.n), now);
	}
	talloc_free(guss);
	return copy != NULL ? GBA_OK : GBA_E_NOMEM;
}

/* A GUSS that says nothing but the UICC type. */
static enum gba_err guss_bare(TALLOC_CTX *mem_ctx, struct subscriber *sub, enum guss_uicc uicc, time_t now)
{
	char impi[IMPI_MAX + 1];
	struct guss guss = { .impi = impi, .uicc = uicc };
	enum gba_err err;
	char *xml;

	err = subscriber_impi(sub->impi, impi);
	if (err != GBA_OK)
		return err;
	xml = guss_build(mem_ctx, &guss);
	if (xml == NULL)
		return GBA_E_NOMEM;
	sub->uicc = uicc;
	guss_stamp(sub, bytes_of(xml), now);
	return GBA_OK;
}

enum gba_err subscriber_clear_guss(TALLOC_CTX *mem_ctx, struct subscriber *sub, time_t now)
{
	return sub->guss.p != NULL ? guss_bare(mem_ctx, sub, GUSS_UICC_GBA, now) : GBA_OK;
}

enum gba_err subscriber_set_uicc(TALLOC_CTX *mem_ctx, struct subscriber *sub, enum guss_uicc uicc, time_t now)
{
	if (uicc == sub->uicc)
		return GBA_OK;
	return sub->guss.p == NULL ? guss_bare(mem_ctx, sub, uicc, now) : GBA_E_EXISTS;
}

void subscriber_aka_key(const struct subscriber *sub, const struct subscriber_keys *keys, struct aka_key *_key)
{
	*_key = (struct aka_key){
		.alg = sub->alg, .k_len = keys->k_len, .res_len = sub->res_len, .tuak_iterations = sub->tuak_iterations
	};
	memcpy(_key->k, keys->k, sizeof(_key->k));
	memcpy(_key->opc, keys->opc, sizeof(_key->opc));
}

enum gba_err subscriber_keys_complete(const struct subscriber *sub, struct subscriber_keys *keys)
{
	struct aka_key key;
	enum gba_err err;

	if (keys->op_given) {
		err = aka_opc_from_op(sub->alg, BYTES(keys->k, keys->k_len),
				      BYTES(keys->op, subscriber_op_len(sub->alg)), sub->tuak_iterations, keys->opc);
		if (err != GBA_OK)
			return err;
	}
	subscriber_aka_key(sub, keys, &key);
	err = aka_key_check(&key);
	SECRET_WIPE(key);
	return err;
}

/* Layout: one octet with the length of K, K, OPc, and OP when op_given; the record's columns say the rest. */
enum gba_err subscriber_seal(TALLOC_CTX *mem_ctx, struct kek *kek, struct subscriber *sub, struct subscriber_keys *keys)
{
	uint8_t plain[SUBSCRIBER_SEALED_MAX], *out;
	size_t op_len = subscriber_op_len(sub->alg), n = 0;
	enum gba_err err;

	err = subscriber_keys_complete(sub, keys);
	if (err != GBA_OK)
		return err;
	plain[n++] = (uint8_t)keys->k_len;
	memcpy(plain + n, keys->k, keys->k_len);
	n += keys->k_len;
	memcpy(plain + n, keys->opc, op_len);
	n += op_len;
	if (keys->op_given) {
		memcpy(plain + n, keys->op, op_len);
		n += op_len;
	}
	out = talloc_size(mem_ctx, n + SEAL_OVERHEAD);
	err = out != NULL ? seal(kek, sub->impi, BYTES(plain, n), out) : GBA_E_NOMEM;
	SECRET_WIPE(plain);
	if (err != GBA_OK)
		return err;
	sub->op_given = keys->op_given;
	sub->sealed = BYTES(out, n + SEAL_OVERHEAD);
	return GBA_OK;
}

static enum gba_err keys_read(const struct subscriber *sub, struct bytes plain, struct subscriber_keys *_keys)
{
	size_t op_len = subscriber_op_len(sub->alg), k_len = plain.n > 0 ? plain.p[0] : 0;

	if (k_len > AKA_K_MAX || plain.n != 1 + k_len + op_len * (sub->op_given ? 2 : 1))
		return GBA_E_CORRUPT;
	memset(_keys, 0, sizeof(*_keys));
	_keys->k_len = k_len;
	_keys->op_given = sub->op_given;
	memcpy(_keys->k, plain.p + 1, k_len);
	memcpy(_keys->opc, plain.p + 1 + k_len, op_len);
	if (sub->op_given)
		memcpy(_keys->op, plain.p + 1 + k_len + op_len, op_len);
	return GBA_OK;
}

enum gba_err subscriber_unseal(struct kek *kek, const struct subscriber *sub, struct subscriber_keys *_keys)
{
	uint8_t plain[SUBSCRIBER_SEALED_MAX];
	enum gba_err err;

	if (sub->sealed.n < SEAL_OVERHEAD || sub->sealed.n > SUBSCRIBER_SEALED_MAX)
		return GBA_E_CORRUPT;
	err = unseal(kek, sub->impi, sub->sealed, plain);
	if (err == GBA_OK)
		err = keys_read(sub, BYTES(plain, sub->sealed.n - SEAL_OVERHEAD), _keys);
	SECRET_WIPE(plain);
	return err;
}

enum gba_err subscriber_reseal(TALLOC_CTX *mem_ctx, struct kek *kek, struct subscriber *sub, bool *_changed)
{
	uint8_t plain[SUBSCRIBER_SEALED_MAX], *out = NULL;
	bool old = false;
	enum gba_err err;

	*_changed = false;
	if (sub->sealed.n < SEAL_OVERHEAD || sub->sealed.n > SUBSCRIBER_SEALED_MAX)
		return GBA_E_CORRUPT;
	err = unseal_old(kek, sub->impi, sub->sealed, plain, &old);
	if (err == GBA_OK && old) {
		out = talloc_size(mem_ctx, sub->sealed.n);
		err = out != NULL ? seal(kek, sub->impi, BYTES(plain, sub->sealed.n - SEAL_OVERHEAD), out) : GBA_E_NOMEM;
	}
	SECRET_WIPE(plain);
	if (err != GBA_OK || !old)
		return err;
	sub->sealed = BYTES(out, sub->sealed.n);
	*_changed = true;
	return GBA_OK;
}
