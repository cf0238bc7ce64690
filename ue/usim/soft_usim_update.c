/* SPDX-License-Identifier: Apache-2.0 */
/* Key updates (Y.3056 10.6), judged where the keys are. */
#include <stdio.h>

#include "ue/usim/soft_usim.h"

struct taking {
	struct key_update update;
	struct key_update_content content; /* wiped */
};

static void to_text(char *out, size_t cap, struct bytes text)
{
	snprintf(out, cap, "%.*s", BYTES_FMT(text));
}

/* For this card, from the operator it is with. */
static enum gba_err check_head(const struct soft_usim_data *data, const struct key_update_head *head)
{
	const struct soft_usim_slot *slot = &data->active;

	if (data->has_previous && head->counter <= slot->counter &&
	    bytes_eq_nocase(head->device, bytes_of(data->previous.impi)) &&
	    bytes_eq_nocase(head->old_operator, bytes_of(data->previous.operator)))
		return GBA_E_REPLAY; /* the one that is being carried out, or an older one */
	if (!bytes_eq_nocase(head->device, bytes_of(slot->identity.impi)) ||
	    !bytes_eq_nocase(head->old_operator, bytes_of(slot->operator)))
		return GBA_E_REALM;
	return GBA_OK;
}

static enum gba_err check_counter(const struct soft_usim_data *data, const struct key_update_head *head)
{
	return head->counter > data->active.counter ? GBA_OK : GBA_E_REPLAY;
}

/* Y.3056 10.6.1-4: the new keys stand beside the old ones until the new operator says that the change is final. */
static enum gba_err take_symmetric(struct soft_usim_data *data, struct taking *taking)
{
	const struct key_update_content *content = &taking->content;
	struct soft_usim_slot *slot = &data->pending;
	enum gba_err err;

	if (!data->active.has_transfer_key || data->certificate_only || data->has_previous)
		return GBA_E_UNSUPPORTED;
	err = key_update_open(&taking->update, data->active.transfer_key, &taking->content);
	if (err == GBA_OK)
		err = check_counter(data, &taking->update.head);
	if (err == GBA_OK && content->ind_bits > SQN_IND_BITS_MAX)
		err = GBA_E_RANGE;
	if (err != GBA_OK)
		return err;
	memset(slot, 0, sizeof(*slot));
	slot->key = content->key;
	sqn_array_init(&slot->sqn, content->ind_bits);
	memcpy(slot->identity.imsi, content->imsi, sizeof(slot->identity.imsi));
	memcpy(slot->identity.impi, content->impi, sizeof(slot->identity.impi));
	slot->identity.gba_u = data->active.identity.gba_u;
	to_text(slot->operator, sizeof(slot->operator), taking->update.head.new_operator);
	memcpy(slot->transfer_key, content->transfer_key, TRANSFER_KEY_LEN);
	slot->has_transfer_key = true;
	memcpy(data->pending_bsf, content->bsf, sizeof(data->pending_bsf));
	data->has_pending = true;
	data->active.counter = taking->update.head.counter;
	return GBA_OK;
}

/* Y.3056 10.6.2-3: the old operator's word is enough; from now on the card trusts the new one only. */
static enum gba_err take_asymmetric(struct soft_usim_data *data, const struct key_update *update)
{
	enum gba_err err;

	if (!data->has_anchor || data->has_pending)
		return GBA_E_UNSUPPORTED;
	err = key_update_verify(update, data->anchor);
	if (err == GBA_OK)
		err = check_counter(data, &update->head);
	if (err == GBA_OK && data->has_previous) /* one change at a time: the one under way ends with a bootstrapping */
		err = GBA_E_STATE;
	if (err != GBA_OK)
		return err;
	memset(&data->previous, 0, sizeof(data->previous));
	memcpy(data->previous.operator, data->active.operator, sizeof(data->previous.operator));
	memcpy(data->previous.impi, data->active.identity.impi, sizeof(data->previous.impi));
	memcpy(data->previous.anchor, data->anchor, sizeof(data->previous.anchor));
	data->has_previous = true;
	to_text(data->pending_bsf, sizeof(data->pending_bsf), update->bsf);
	memcpy(data->anchor, update->new_key, OP_SIGN_LEN);
	to_text(data->active.operator, sizeof(data->active.operator), update->head.new_operator);
	to_text(data->active.identity.impi, sizeof(data->active.identity.impi), update->impi);
	data->active.counter = update->head.counter;
	return GBA_OK;
}

static enum gba_err edit_update(struct soft_usim_data *data, void *arg)
{
	struct taking *taking = arg;
	enum gba_err err = check_head(data, &taking->update.head);

	if (err != GBA_OK)
		return err;
	if (taking->update.head.kind == KEY_UPDATE_SYMMETRIC)
		return take_symmetric(data, taking);
	return take_asymmetric(data, &taking->update);
}

enum gba_err soft_usim_update(struct state *state, const char *name, struct bytes message, struct key_update *_update)
{
	struct taking taking;
	enum gba_err err;

	memset(&taking, 0, sizeof(taking));
	err = key_update_parse(message, &taking.update);
	if (err == GBA_OK)
		err = soft_usim_edit(state, name, edit_update, &taking);
	if (err == GBA_OK)
		*_update = taking.update;
	SECRET_WIPE(taking.content);
	return err;
}
