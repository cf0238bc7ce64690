/* SPDX-License-Identifier: Apache-2.0 */
#include "ue/usim/soft_usim.h"

#include <stdio.h>

#include "ue/usim/device_cert.h"

#define LOCK_WAIT_MS 5000

struct soft_usim {
	struct state *state;
	char name[STATE_NAME_MAX + 1];
};

#define FILE_PREFIX "usim-"
#define FILE_MAX    (sizeof(FILE_PREFIX) + STATE_NAME_MAX)

static void file_name(const char *name, char out[FILE_MAX])
{
	snprintf(out, FILE_MAX, FILE_PREFIX "%s", name);
}

static enum gba_err store(struct state *state, const char *name, const struct soft_usim_data *data)
{
	struct secret *plain = secret_new(NULL, SOFT_USIM_RECORD_MAX);
	char file[FILE_MAX];
	enum gba_err err;
	size_t n;

	if (plain == NULL)
		return GBA_E_NOMEM;
	n = soft_usim_encode(data, plain->p, plain->n);
	file_name(name, file);
	err = n > 0 ? state_write_sealed(state, file, BYTES(plain->p, n)) : GBA_E_TOO_LONG;
	talloc_free(plain);
	return err;
}

/* Into *data, which is wiped on failure by its owner. */
static enum gba_err load(struct state *state, const char *name, struct soft_usim_data *data)
{
	char file[FILE_MAX];
	struct bytes plain;
	enum gba_err err;

	file_name(name, file);
	err = state_read_sealed(NULL, state, file, &plain);
	if (err != GBA_OK)
		return err;
	err = soft_usim_decode(plain, data);
	talloc_free((void *)plain.p);
	return err;
}

enum gba_err soft_usim_load(TALLOC_CTX *mem_ctx, struct state *state, const char *name, struct soft_usim_data **_data)
{
	struct secret *owner;
	struct soft_usim_data *data = soft_usim_data_new(mem_ctx, &owner);
	enum gba_err err;

	if (data == NULL)
		return GBA_E_NOMEM;
	err = load(state, name, data);
	if (err != GBA_OK) {
		talloc_free(owner);
		return err;
	}
	*_data = data;
	return GBA_OK;
}

enum gba_err soft_usim_create(struct state *state, const char *name, const struct soft_usim_data *data)
{
	char file[FILE_MAX];
	enum gba_err err;
	int lock;

	if (!state_name_valid(bytes_of(name)) ||
	    (!data->certificate_only && !imsi_valid(bytes_of(data->active.identity.imsi))))
		return GBA_E_RANGE;
	if (!impi_valid(bytes_of(data->active.identity.impi)))
		return GBA_E_IMPI_SYNTAX;
	err = data->certificate_only ? GBA_OK : aka_key_check(&data->active.key);
	if (err != GBA_OK)
		return err;
	file_name(name, file);
	err = state_lock(state, file, LOCK_WAIT_MS, &lock);
	if (err != GBA_OK)
		return err;
	err = state_has(state, file) ? GBA_E_EXISTS : store(state, name, data);
	state_unlock(lock);
	return err;
}

enum gba_err soft_usim_edit(struct state *state, const char *name,
			    enum gba_err (*edit)(struct soft_usim_data *data, void *arg), void *arg)
{
	char file[FILE_MAX];
	struct secret *owner;
	struct soft_usim_data *data = soft_usim_data_new(NULL, &owner);
	enum gba_err err;
	int lock;

	if (data == NULL)
		return GBA_E_NOMEM;
	if (!state_name_valid(bytes_of(name))) {
		talloc_free(owner);
		return GBA_E_NOT_FOUND;
	}
	file_name(name, file);
	err = state_lock(state, file, LOCK_WAIT_MS, &lock);
	if (err == GBA_OK) {
		err = load(state, name, data);
		if (err == GBA_OK)
			err = edit(data, arg);
		if (err == GBA_OK)
			err = store(state, name, data);
		state_unlock(lock);
	}
	talloc_free(owner);
	return err;
}

enum gba_err soft_usim_remove(struct state *state, const char *name)
{
	char file[FILE_MAX];

	file_name(name, file);
	return state_remove(state, file);
}

/* What the card holds; _owner is freed by the caller whatever comes of it. */
static enum gba_err card_load(const struct soft_usim *usim, struct soft_usim_data **_data, struct secret **_owner)
{
	*_data = soft_usim_data_new(NULL, _owner);
	if (*_data == NULL) {
		*_owner = NULL;
		return GBA_E_NOMEM;
	}
	return load(usim->state, usim->name, *_data);
}

enum gba_err soft_usim_card_load(void *card, struct state **_state, struct soft_usim_data **_data, struct secret **_owner)
{
	*_state = ((struct soft_usim *)card)->state;
	return card_load(card, _data, _owner);
}

static enum gba_err card_identity(void *card, struct usim_identity *_identity)
{
	struct soft_usim_data *data;
	struct secret *owner;
	enum gba_err err;

	err = card_load(card, &data, &owner);
	if (err == GBA_OK)
		*_identity = data->active.identity;
	talloc_free(owner);
	return err;
}

/* Arguments of one AUTHENTICATE, for the edit below. */
struct authenticate {
	enum usim_context context;
	const uint8_t *rand, *autn;
	struct aka_vector vector;
	uint8_t auts[AKA_AUTS_LEN];
};

/* TS 33.102 6.3.3: MAC, then SQN; GBA_U first undoes MAC* (TS 33.220 5.3.2). */
static enum gba_err check_challenge(struct soft_usim_slot *slot, struct authenticate *auth)
{
	uint8_t ck[AKA_CK_LEN], ik[AKA_IK_LEN], mask[AKA_MAC_LEN];
	bool gba = auth->context == USIM_GBA;
	enum gba_err err;
	uint64_t sqn;

	if (gba) {
		aka_ck_ik(&slot->key, auth->rand, ck, ik);
		gba_u_mac_mask(ik, mask);
		SECRET_WIPE(ck);
		SECRET_WIPE(ik);
	}
	err = aka_challenge_check(&slot->key, auth->rand, auth->autn, gba ? mask : NULL, &auth->vector, &sqn);
	if (gba)
		SECRET_WIPE(mask);
	if (err != GBA_OK)
		return err;
	err = sqn_accept(&slot->sqn, sqn);
	if (err == GBA_E_AKA_SYNC &&
	    aka_auts_make(&slot->key, auth->rand, sqn_array_highest(&slot->sqn), auth->auts) != GBA_OK)
		return GBA_E_INTERNAL;
	return err;
}

/* The new operator has its first token: its slot becomes the only one, the old keys are gone (Y.3056 10.6.1-4). */
static void promote(struct soft_usim_data *data)
{
	data->active = data->pending;
	data->has_pending = false;
	SECRET_WIPE(data->pending);
	memset(data->pending_bsf, 0, sizeof(data->pending_bsf));
}

/* Whose challenge it is the MAC tells: the two slots have different keys. The AMF is covered by it, too. */
static enum gba_err check_slots(struct soft_usim_data *data, struct authenticate *auth)
{
	enum gba_err err = check_challenge(&data->active, auth);

	if (err != GBA_E_AKA_MAC || !data->has_pending)
		return err;
	err = check_challenge(&data->pending, auth);
	if (err == GBA_OK && (auth->autn[AKA_SQN_LEN + 1] & CHANGE_AMF_FINAL) != 0)
		promote(data);
	return err;
}

static enum gba_err edit_authenticate(struct soft_usim_data *data, void *arg)
{
	struct authenticate *auth = arg;
	enum gba_err err;

	if (data->certificate_only || (auth->context == USIM_GBA && !data->active.identity.gba_u))
		return GBA_E_UNSUPPORTED;
	err = check_slots(data, auth);
	if (err != GBA_OK || auth->context != USIM_GBA)
		return err;
	gba_ks(auth->vector.ck, auth->vector.ik, data->ks);
	memcpy(data->rand, auth->rand, RAND_LEN);
	data->has_ks = true;
	data->btid[0] = '\0';
	data->expires = 0;
	return GBA_OK;
}

static enum gba_err card_authenticate(void *card, enum usim_context context, const uint8_t rand[AKA_RAND_LEN],
				      const uint8_t autn[AKA_AUTN_LEN], struct usim_reply *_reply)
{
	struct authenticate auth = { .context = context, .rand = rand, .autn = autn };
	struct soft_usim *usim = card;
	enum gba_err err;

	memset(_reply, 0, sizeof(*_reply));
	err = soft_usim_edit(usim->state, usim->name, edit_authenticate, &auth);
	usim_trace(context, rand, err);
	if (err == GBA_E_AKA_SYNC)
		memcpy(_reply->auts, auth.auts, AKA_AUTS_LEN);
	if (err == GBA_OK) {
		memcpy(_reply->res, auth.vector.xres, auth.vector.xres_len);
		_reply->res_len = auth.vector.xres_len;
	}
	if (err == GBA_OK && context == USIM_3G) {
		memcpy(_reply->ck, auth.vector.ck, AKA_CK_LEN);
		memcpy(_reply->ik, auth.vector.ik, AKA_IK_LEN);
	}
	SECRET_WIPE(auth);
	return err;
}

struct bind {
	struct bytes btid;
	time_t expires;
};

bool soft_usim_holds(const struct soft_usim_data *data, struct bytes btid)
{
	uint8_t rand[RAND_LEN];

	return data->has_ks && btid_parse(btid, rand, NULL) == GBA_OK && memcmp(rand, data->rand, RAND_LEN) == 0;
}

static enum gba_err edit_bind(struct soft_usim_data *data, void *arg)
{
	const struct bind *bind = arg;

	if (!soft_usim_holds(data, bind->btid))
		return GBA_E_BTID_UNKNOWN;
	snprintf(data->btid, sizeof(data->btid), "%.*s", BYTES_FMT(bind->btid));
	data->expires = bind->expires;
	return GBA_OK;
}

static enum gba_err card_gba_bind(void *card, struct bytes btid, time_t expires)
{
	struct bind bind = { btid, expires };
	struct soft_usim *usim = card;

	return soft_usim_edit(usim->state, usim->name, edit_bind, &bind);
}

static enum gba_err card_gba_naf(void *card, struct bytes btid, struct bytes impi, struct bytes naf_id,
				 uint8_t ks_ext_naf[GBA_KS_NAF_LEN])
{
	struct soft_usim_data *data;
	struct secret *owner;
	enum gba_err err;

	err = card_load(card, &data, &owner);
	if (err == GBA_OK && !soft_usim_holds(data, btid))
		err = GBA_E_BTID_UNKNOWN;
	if (err == GBA_OK)
		gba_ks_naf(GBA_KEY_ME, data->ks, data->rand, impi, naf_id, ks_ext_naf);
	talloc_free(owner);
	return err;
}

static enum gba_err card_pending(void *card, struct usim_pending *_pending)
{
	struct soft_usim_data *data;
	struct secret *owner;
	enum gba_err err;

	err = card_load(card, &data, &owner);
	if (err == GBA_OK && !data->has_pending && !data->has_previous)
		err = GBA_E_NOT_FOUND;
	if (err == GBA_OK) {
		const struct soft_usim_slot *slot = data->has_pending ? &data->pending : &data->active;

		memcpy(_pending->impi, slot->identity.impi, sizeof(_pending->impi));
		memcpy(_pending->bsf, data->pending_bsf, sizeof(_pending->bsf));
		_pending->asymmetric = data->has_previous;
		memcpy(_pending->old_impi, data->has_previous ? data->previous.impi : data->active.identity.impi,
		       sizeof(_pending->old_impi));
	}
	talloc_free(owner);
	return err;
}

static enum gba_err card_tls_client(void *card, struct bytes impi, void *ssl_ctx)
{
	struct soft_usim_data *data;
	struct secret *owner;
	enum gba_err err;

	err = card_load(card, &data, &owner);
	if (err == GBA_OK)
		err = device_cert_use(data, impi, ssl_ctx);
	talloc_free(owner);
	return err;
}

static enum gba_err edit_certificate(struct soft_usim_data *data, void *arg)
{
	if (data->has_previous && data->previous.cert_n == 0) { /* the old realm knows that one */
		memcpy(data->previous.cert, data->cert, data->cert_n);
		data->previous.cert_n = data->cert_n;
	}
	return device_cert_install(data, *(const struct bytes *)arg);
}

static enum gba_err card_certificate_set(void *card, struct bytes der)
{
	struct soft_usim *usim = card;

	return soft_usim_edit(usim->state, usim->name, edit_certificate, &der);
}

/* 10.6.2-3: the operator before is forgotten, or it is the one again; the counter stays used either way. */
static enum gba_err edit_change_end(struct soft_usim_data *data, void *arg)
{
	if (!data->has_previous)
		return GBA_OK;
	if (!*(const bool *)arg) {
		memcpy(data->active.operator, data->previous.operator, sizeof(data->active.operator));
		memcpy(data->active.identity.impi, data->previous.impi, sizeof(data->active.identity.impi));
		memcpy(data->anchor, data->previous.anchor, sizeof(data->anchor));
		if (data->previous.cert_n > 0)
			memcpy(data->cert, data->previous.cert, data->previous.cert_n);
		data->cert_n = data->previous.cert_n > 0 ? data->previous.cert_n : data->cert_n;
	}
	data->has_previous = false;
	memset(&data->previous, 0, sizeof(data->previous));
	memset(data->pending_bsf, 0, sizeof(data->pending_bsf));
	return GBA_OK;
}

static enum gba_err card_change_end(void *card, bool changed)
{
	struct soft_usim *usim = card;

	return soft_usim_edit(usim->state, usim->name, edit_change_end, &changed);
}

static const struct usim_ops soft_usim_ops = {
	.identity = card_identity,
	.authenticate = card_authenticate,
	.gba_bind = card_gba_bind,
	.gba_naf = card_gba_naf,
	.pending = card_pending,
	.tls_client = card_tls_client,
	.certificate_set = card_certificate_set,
	.change_end = card_change_end,
	.seal = soft_usim_seal,
	.open = soft_usim_unseal,
};

enum gba_err soft_usim_open(TALLOC_CTX *mem_ctx, struct state *state, const char *name, struct usim *_usim)
{
	struct soft_usim *usim;
	char file[FILE_MAX];

	if (!state_name_valid(bytes_of(name)))
		return GBA_E_NOT_FOUND;
	file_name(name, file);
	if (!state_has(state, file))
		return GBA_E_NOT_FOUND;
	usim = talloc_zero(mem_ctx, struct soft_usim);
	if (usim == NULL)
		return GBA_E_NOMEM;
	usim->state = state;
	snprintf(usim->name, sizeof(usim->name), "%s", name);
	_usim->ops = &soft_usim_ops;
	_usim->card = usim;
	return GBA_OK;
}
