/* SPDX-License-Identifier: Apache-2.0 */
/* Sealed datagrams inside the card (Y.OBF I.2.2.2): the device has the frame and the plain text, never the key. */
#include <stdio.h>

#include "core/secret.h"
#include "core/trace.h"
#include "ue/sealed_state.h"
#include "ue/usim/soft_usim.h"

static void trace_key(const char *what, const struct usim_key *key, enum gba_err err)
{
	struct trace_step step = { .from = "ue", .to = "usim", .iface = "USIM", .clause = "Y.OBF I.2.2.2" };
	char message[80];

	if (!trace_on())
		return;
	snprintf(message, sizeof(message), "%s, index %u: %s", what, key->index, gba_strerror(err));
	step.message = message;
	trace_step(&step);
}

static enum gba_err derive(const struct soft_usim_data *data, const struct usim_key *key, struct sealed_keys *_keys)
{
	uint8_t ks_int_naf[GBA_KS_NAF_LEN];
	enum gba_err err;

	gba_ks_naf(GBA_KEY_UICC, data->ks, data->rand, key->impi, key->naf_id, ks_int_naf);
	err = sealed_keys_derive(ks_int_naf, key->btid, key->index, _keys);
	SECRET_WIPE(ks_int_naf);
	return err;
}

static enum gba_err open_link(void *card, const struct usim_key *key, struct sealed_link **_link)
{
	struct soft_usim_data *data;
	struct sealed_keys keys;
	struct state *state;
	struct secret *owner;
	enum gba_err err;

	if (key->index == 0 || key->index > USIM_KEY_INDEX_MAX)
		return GBA_E_NOT_FOUND;
	err = soft_usim_card_load(card, &state, &data, &owner);
	if (err == GBA_OK && !data->active.identity.gba_u)
		err = GBA_E_UNSUPPORTED;
	if (err == GBA_OK && !soft_usim_holds(data, key->btid))
		err = GBA_E_BTID_UNKNOWN;
	if (err == GBA_OK)
		err = derive(data, key, &keys);
	talloc_free(owner);
	if (err != GBA_OK)
		return err;
	err = sealed_state_open(NULL, state, &keys, _link);
	SECRET_WIPE(keys);
	return err == GBA_E_NOT_FOUND ? GBA_E_BTID_UNKNOWN : err; /* its memory is lost: these keys are of no use any more */
}

enum gba_err soft_usim_seal(void *card, const struct usim_key *key, struct bytes plain, uint8_t *out, size_t *_n)
{
	struct sealed_link *link;
	enum gba_err err = open_link(card, key, &link);

	if (err == GBA_OK) {
		err = sealed_link_send(link, plain, out, _n);
		talloc_free(link);
	}
	trace_key("ENCRYPT DEVICE DATA", key, err);
	return err;
}

enum gba_err soft_usim_unseal(void *card, const struct usim_key *key, struct bytes frame, uint8_t *out, size_t *_n)
{
	struct sealed_link *link;
	enum gba_err err = open_link(card, key, &link);

	if (err == GBA_OK) {
		err = sealed_link_receive(link, frame, out, _n);
		talloc_free(link);
	}
	trace_key("DECRYPT DATA", key, err);
	return err;
}
