/* SPDX-License-Identifier: Apache-2.0 */
/* The new operator's side: what is asked of the old one, and what its answers and the device's first token lead to. */
#include "core/clock.h"
#include "core/codec.h"
#include "crypto/hash.h"
#include "hss-stub/change/change_priv.h"

/* In order of enum opc_step; here without Diameter's header. */
enum { STEP_KEYS = 1, STEP_DONE = 2, STEP_CANCEL = 3, STEP_RELEASE = 5 };

const struct change_peer *change_peer_find(const struct change_conf *conf, struct bytes realm)
{
	size_t i;

	for (i = 0; i < conf->peer_n; i++) {
		if (bytes_eq_nocase(bytes_of(conf->peers[i].realm), realm))
			return &conf->peers[i];
	}
	return NULL;
}

/* Nothing of it is left here; what the old operator did is undone by the message that CANCELLING sends. */
enum gba_err change_give_up(struct changes *changes, struct change *change, const char *why)
{
	TALLOC_CTX *tmp = talloc_new(NULL);
	struct subscriber *sub;
	enum gba_err err;

	if (tmp == NULL)
		return GBA_E_NOMEM;
	err = sub_store_find(changes->subscribers, tmp, bytes_of(change->new_impi), &sub);
	if (err == GBA_OK) {
		err = change_key_drop(changes, sub);
		if (err == GBA_OK)
			err = sub_store_remove(changes->subscribers, sub->id);
		if (err == GBA_OK)
			err = change_tell_bsfs(changes, bytes_of(change->new_impi), CHANGE_TELL_LEFT, change->changed);
	}
	talloc_free(tmp);
	if (err != GBA_OK && err != GBA_E_IMPI_UNKNOWN)
		return err;
	change->state = change->state == CHANGE_REQUESTED ? CHANGE_CANCELLED : CHANGE_CANCELLING;
	change->why = why;
	change->update = BYTES_NONE;
	return GBA_OK;
}

static enum gba_err sign_message(struct changes *changes, const struct change *change, struct change_message *message)
{
	struct change_request_in text = { .step = message->step, .kind = change->kind };
	uint8_t octets[CHANGE_SIGNED_MAX];
	size_t n;

	text.origin = bytes_of(changes->conf->realm);
	text.impi = bytes_of(change->impi);
	text.change_id = BYTES(message->change_id, CHANGE_ID_LEN);
	if (message->step == STEP_KEYS) {
		text.operator_key = BYTES(message->operator_key, OP_PUBLIC_LEN);
		text.new_impi = bytes_of(change->new_impi);
		text.bsf = bytes_of(changes->conf->bsf);
	} else if (message->step == STEP_RELEASE) {
		text.digest = BYTES(message->digest, CHANGE_DIGEST_LEN);
	}
	n = change_signed_text(&text, bytes_of(message->peer->realm), octets, sizeof(octets));
	return n > 0 ? op_sign(changes->conf->key, BYTES(octets, n), message->signature) : GBA_E_TOO_LONG;
}

static enum gba_err step_of(enum change_state state, int32_t *_step)
{
	switch (state) {
	case CHANGE_VERIFIED: *_step = STEP_KEYS; return GBA_OK;
	case CHANGE_SHOWN: *_step = STEP_RELEASE; return GBA_OK;
	case CHANGE_CONFIRMED: *_step = STEP_DONE; return GBA_OK;
	case CHANGE_CANCELLING: *_step = STEP_CANCEL; return GBA_OK;
	default: return GBA_E_STATE;
	}
}

enum gba_err change_message(struct changes *changes, const struct change *change, struct change_message *_message,
			    struct why *why)
{
	struct change_message message;
	enum gba_err err = step_of(change->state, &message.step);

	if (err != GBA_OK)
		return why_fail(why, err, "nothing to say in state %s", change_state_names[change->state]);
	message.peer = change_peer_find(changes->conf, bytes_of(change->peer));
	if (message.peer == NULL)
		return why_fail(why, GBA_E_DENIED, "no agreement with operator %s: see operators", change->peer);
	if (message.step == STEP_KEYS) { /* once more: the records may have changed since the approval */
		err = change_check_kyc(changes, bytes_of(change->new_impi), changes->conf->min_level, NULL, why);
		if (err != GBA_OK)
			return err;
	}
	err = hex_decode(bytes_of(change->id), message.change_id, CHANGE_ID_LEN);
	op_key_public(changes->conf->key, message.operator_key);
	if (message.step == STEP_RELEASE && change->shown.n == CHANGE_DIGEST_LEN)
		memcpy(message.digest, change->shown.p, CHANGE_DIGEST_LEN);
	if (err == GBA_OK)
		err = sign_message(changes, change, &message);
	if (err != GBA_OK)
		return why_fail(why, err, "message: %s", gba_strerror(err));
	*_message = message;
	return GBA_OK;
}

static enum gba_err unwrap(struct changes *changes, const struct change_peer *peer, const struct change *change,
			   struct bytes wrapped, uint8_t change_key[CHANGE_KEY_LEN])
{
	uint8_t octets[CHANGE_SIGNED_MAX], id[CHANGE_ID_LEN];
	struct bytes about;

	if (wrapped.n != CHANGE_KEY_LEN + (peer->shared_wrap ? 8 : OP_WRAP_OVERHEAD))
		return GBA_E_PEER;
	if (hex_decode(bytes_of(change->id), id, sizeof(id)) != GBA_OK)
		return GBA_E_CORRUPT;
	about.n = change_wrap_about(id, bytes_of(peer->realm), bytes_of(changes->conf->realm), bytes_of(change->impi), octets,
				    sizeof(octets));
	about.p = octets;
	if (peer->shared_wrap)
		return op_shared_unwrap(peer->shared, about, wrapped, change_key);
	return op_unwrap(changes->conf->key, about, wrapped, change_key);
}

static enum gba_err fill_content(struct changes *changes, const struct change *change, const struct subscriber *sub,
				 struct key_update_content *content)
{
	struct subscriber_keys keys;
	enum gba_err err = subscriber_unseal(changes->kek, sub, &keys);

	if (err == GBA_OK)
		subscriber_aka_key(sub, &keys, &content->key);
	SECRET_WIPE(keys);
	content->ind_bits = sub->ind_bits;
	rand_bytes(content->transfer_key, TRANSFER_KEY_LEN);
	snprintf(content->bsf, sizeof(content->bsf), "%s", changes->conf->bsf);
	snprintf(content->impi, sizeof(content->impi), "%s", change->new_impi);
	snprintf(content->imsi, sizeof(content->imsi), "%s", change->imsi);
	return err;
}

/* 10.6.1-4: the message to the device, and its next transfer key into our records. */
static enum gba_err make_update(struct changes *changes, struct change *change, const struct subscriber *sub,
				const uint8_t change_key[CHANGE_KEY_LEN])
{
	struct key_update_head head = { .kind = KEY_UPDATE_SYMMETRIC, .counter = change->counter };
	struct key_update_content content;
	uint8_t octets[KEY_UPDATE_MAX];
	enum gba_err err;
	size_t n;

	memset(&content, 0, sizeof(content));
	err = hex_decode(bytes_of(change->id), head.change_id, CHANGE_ID_LEN);
	head.old_operator = bytes_of(change->peer);
	head.new_operator = bytes_of(changes->conf->realm);
	head.device = bytes_of(change->impi);
	if (err == GBA_OK)
		err = fill_content(changes, change, sub, &content);
	if (err == GBA_OK)
		err = key_update_seal(&head, change_key, &content, octets, &n);
	if (err == GBA_OK)
		err = change_key_set(changes, sub, content.transfer_key);
	SECRET_WIPE(content);
	if (err == GBA_OK)
		change->update = BYTES(talloc_memdup(change, octets, n), n);
	return err == GBA_OK && change->update.p == NULL ? GBA_E_NOMEM : err;
}

/* An asymmetric update is the old operator's; it must be the one that was asked for. */
static enum gba_err take_update(struct changes *changes, struct change *change, const struct change_peer *peer,
				struct bytes octets)
{
	uint8_t public[OP_PUBLIC_LEN];
	struct key_update update;
	enum gba_err err;

	err = key_update_parse(octets, &update);
	if (err == GBA_OK)
		err = key_update_verify(&update, peer->public);
	op_key_public(changes->conf->key, public);
	if (err != GBA_OK || memcmp(update.new_key, public, OP_PUBLIC_LEN) != 0 ||
	    !bytes_eq_nocase(update.head.device, bytes_of(change->impi)) || !bytes_eq_str(update.impi, change->new_impi))
		return GBA_E_PEER;
	change->counter = update.head.counter;
	change->update = BYTES(talloc_memdup(change, octets.p, octets.n), octets.n);
	return change->update.p != NULL ? GBA_OK : GBA_E_NOMEM;
}

static enum gba_err take_keys(struct changes *changes, struct change *change, const struct subscriber *sub,
			      const struct change_answer *answer)
{
	const struct change_peer *peer = change_peer_find(changes->conf, bytes_of(change->peer));
	uint8_t change_key[CHANGE_KEY_LEN];
	enum gba_err err;
	size_t i;

	if (peer == NULL)
		return GBA_E_DENIED;
	if (change->kind == KEY_UPDATE_ASYMMETRIC)
		return take_update(changes, change, peer, answer->update);
	if (answer->counter.n != 8)
		return GBA_E_PEER;
	for (change->counter = 0, i = 0; i < 8; i++)
		change->counter = change->counter << 8 | answer->counter.p[i];
	err = unwrap(changes, peer, change, answer->wrapped, change_key);
	if (err == GBA_OK)
		err = make_update(changes, change, sub, change_key);
	SECRET_WIPE(change_key);
	return err == GBA_E_CORRUPT ? GBA_E_PEER : err;
}

/* The old operator has handed over: from this commit on the subscriber can bootstrap here. */
static enum gba_err offer(struct changes *changes, TALLOC_CTX *tmp, struct change *change, const struct change_answer *answer,
			  time_t now)
{
	struct subscriber *sub;
	enum gba_err err;

	err = sub_store_find(changes->subscribers, tmp, bytes_of(change->new_impi), &sub);
	if (err == GBA_OK)
		err = take_keys(changes, change, sub, answer);
	if (err != GBA_OK)
		return err;
	sub->state = SUBSCRIBER_ACTIVE;
	change->state = CHANGE_OFFERED;
	change->bsf = changes->conf->bsf;
	change->deadline = now + changes->conf->deadline_s;
	return sub_store_update(changes->subscribers, sub, now);
}

/* 10.6.2-4: the device's public key, as the old operator vouches for it. Ours to issue a certificate for. */
static enum gba_err release(struct changes *changes, TALLOC_CTX *tmp, struct change *change, const struct change_answer *answer,
			    time_t now)
{
	uint8_t digest[HASH_MAX];
	struct subscriber *sub;
	enum gba_err err;

	if (answer->certificate.n == 0)
		return GBA_E_PEER;
	hash_pieces(HASH_SHA256, &answer->certificate, 1, digest);
	if (!bytes_eq(change->shown, BYTES(digest, CHANGE_DIGEST_LEN)))
		return GBA_E_PEER;
	err = sub_store_find(changes->subscribers, tmp, bytes_of(change->new_impi), &sub);
	if (err != GBA_OK)
		return err;
	change->state = CHANGE_RELEASED;
	change->deadline = now + changes->conf->deadline_s;
	if (answer->issued.n == 0)
		err = change_cert_set(changes, sub, answer->certificate, BYTES_NONE);
	else
		err = change_cert_set(changes, sub, answer->issued, answer->certificate);
	return err == GBA_OK ? change_count_from(changes, sub, change->counter) : err;
}

/* Whatever was shown, the old operator does not know it as this device's: wait for the device. */
static enum gba_err not_released(struct change *change)
{
	change->state = CHANGE_OFFERED;
	change->shown = BYTES_NONE;
	return GBA_OK;
}

/* 10.6.1-5 is acknowledged: -6. */
static enum gba_err finish(struct changes *changes, struct change *change, time_t now)
{
	change->state = CHANGE_DONE;
	change->update = BYTES_NONE; /* it has served */
	return change_tell_people(changes, change, now);
}

/* Is that a no, and not a failure to ask? */
static bool is_refusal(enum gba_err err)
{
	return err == GBA_E_NOT_AUTHORIZED || err == GBA_E_DENIED || err == GBA_E_KYC || err == GBA_E_SIGNATURE;
}

/* A refusal of KEYS ends the change; one of DONE or CANCEL cannot: the other side has forgotten, or errs, and is asked
 * again until it agrees. */
static enum gba_err answered(struct changes *changes, TALLOC_CTX *tmp, struct change *change, enum gba_err err,
			     const struct change_answer *answer, time_t now)
{
	switch (change->state) {
	case CHANGE_VERIFIED:
		if (err == GBA_OK)
			err = offer(changes, tmp, change, answer, now);
		if (err == GBA_E_PEER) /* it may have released something: take that back */
			return change_give_up(changes, change, "the old operator's answer cannot be used");
		if (err == GBA_OK || !is_refusal(err))
			return err;
		err = change_give_up(changes, change, gba_strerror(err));
		change->state = CHANGE_REFUSED;
		return err;
	case CHANGE_SHOWN:
		if (err == GBA_OK)
			err = release(changes, tmp, change, answer, now);
		return err == GBA_E_PEER || is_refusal(err) ? not_released(change) : err;
	case CHANGE_CONFIRMED: return err == GBA_OK ? finish(changes, change, now) : err;
	case CHANGE_CANCELLING:
		if (err == GBA_OK)
			change->state = CHANGE_CANCELLED;
		return err;
	default: return GBA_E_STATE;
	}
}

/* Read, judge and write one change as it is now: it may have moved on since the message was made. */
static enum gba_err with_change(struct changes *changes, const struct change *seen,
				enum gba_err (*act)(struct changes *changes, TALLOC_CTX *tmp, struct change *change, void *arg),
				void *arg, time_t now)
{
	TALLOC_CTX *tmp = talloc_new(NULL);
	struct change *change;
	enum gba_err err;

	if (tmp == NULL)
		return GBA_E_NOMEM;
	err = sub_store_begin(changes->subscribers);
	if (err == GBA_OK) {
		err = change_get(changes, tmp, seen->id, &change);
		if (err == GBA_OK && change->state != seen->state)
			err = GBA_E_STALE;
		if (err == GBA_OK) {
			change->changed = now;
			err = act(changes, tmp, change, arg);
		}
		if (err == GBA_OK)
			err = change_store_set(changes, change, now);
		err = sub_store_end(changes->subscribers, err);
	}
	talloc_free(tmp);
	return err;
}

struct outcome {
	enum gba_err err;
	const struct change_answer *answer;
	time_t now;
	enum change_state state;
};

static enum gba_err act_answered(struct changes *changes, TALLOC_CTX *tmp, struct change *change, void *arg)
{
	struct outcome *outcome = arg;
	enum gba_err err = answered(changes, tmp, change, outcome->err, outcome->answer, outcome->now);

	outcome->state = change->state;
	return err;
}

enum gba_err change_answered(struct changes *changes, const struct change *change, enum gba_err err,
			     const struct change_answer *answer, time_t now, enum change_state *_state)
{
	static const struct change_answer nothing;
	struct outcome outcome = { err, answer != NULL ? answer : &nothing, now, change->state };

	err = with_change(changes, change, act_answered, &outcome, now);
	*_state = err == GBA_OK ? outcome.state : change->state;
	return err;
}

static enum gba_err act_expire(struct changes *changes, TALLOC_CTX *tmp, struct change *change, void *arg)
{
	time_t now = *(const time_t *)arg;

	(void)tmp;
	if (change->state == CHANGE_VERIFIED && change->deadline == 0) {
		change->deadline = now + changes->conf->deadline_s;
		return GBA_OK;
	}
	if (change->deadline == 0 || now < change->deadline || !change_can_be_given_up(change->state))
		return GBA_E_STATE;
	return change_give_up(changes, change, "not done in time");
}

enum gba_err change_expire(struct changes *changes, const struct change *change, time_t now)
{
	return with_change(changes, change, act_expire, &now, now);
}

/* 10.6.1-4: the point of no return. From here on AUTN says that the change is final. */
static enum gba_err act_confirm(struct changes *changes, TALLOC_CTX *tmp, struct change *change, void *arg)
{
	struct subscriber *sub;
	enum gba_err err;

	(void)arg;
	err = sub_store_find(changes->subscribers, tmp, bytes_of(change->new_impi), &sub);
	if (err != GBA_OK)
		return err;
	sub->amf[1] = (uint8_t)((sub->amf[1] & ~CHANGE_AMF_OFFERED) | CHANGE_AMF_FINAL);
	change->state = CHANGE_CONFIRMED;
	change->deadline = 0;
	return sub_store_update(changes->subscribers, sub, change->changed);
}

bool change_can_be_given_up(enum change_state state)
{
	return state == CHANGE_REQUESTED || state == CHANGE_VERIFIED || state == CHANGE_OFFERED || state == CHANGE_SHOWN ||
	       state == CHANGE_RELEASED;
}

/* Symmetric: the update alone lets it bootstrap; asymmetric: not before its public key is here. */
static bool token_awaited(const struct change *change)
{
	return change->state == (change->kind == KEY_UPDATE_SYMMETRIC ? CHANGE_OFFERED : CHANGE_RELEASED);
}

enum gba_err change_first_token(struct changes *changes, struct bytes impi, time_t now, enum key_update_kind *_kind)
{
	TALLOC_CTX *tmp = talloc_new(NULL);
	struct change *change;
	enum gba_err err;

	if (tmp == NULL)
		return GBA_E_NOMEM;
	err = change_store_of_new(changes, tmp, impi, &change);
	if (err == GBA_OK) {
		*_kind = change->kind;
		if (token_awaited(change))
			err = with_change(changes, change, act_confirm, NULL, now);
		else if (change->state != CHANGE_CONFIRMED) /* said twice is said once */
			err = GBA_E_NOT_FOUND;
	}
	talloc_free(tmp);
	return err;
}
