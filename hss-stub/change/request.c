/* SPDX-License-Identifier: Apache-2.0 */
/* What people do: transfer keys, requests, approval, cancelling. */
#include <stdio.h>

#include "core/clock.h"
#include "core/codec.h"
#include "hss-stub/change/change_priv.h"

#define REQUEST_DEADLINE_S (30 * 86400) /* nobody approves it for so long: it is forgotten */

/* The transaction of a function that works on one subscriber. */
static enum gba_err with_subscriber(struct changes *changes, struct bytes impi,
				    enum gba_err (*change)(struct changes *changes, const struct subscriber *sub, void *arg),
				    void *arg)
{
	TALLOC_CTX *tmp = talloc_new(NULL);
	struct subscriber *sub;
	enum gba_err err;

	if (tmp == NULL)
		return GBA_E_NOMEM;
	err = sub_store_begin(changes->subscribers);
	if (err == GBA_OK) {
		err = sub_store_find(changes->subscribers, tmp, impi, &sub);
		if (err == GBA_OK)
			err = change(changes, sub, arg);
		err = sub_store_end(changes->subscribers, err);
	}
	talloc_free(tmp);
	return err;
}

static enum gba_err set_key(struct changes *changes, const struct subscriber *sub, void *arg)
{
	return change_key_set(changes, sub, arg);
}

enum gba_err change_set_transfer_key(struct changes *changes, struct bytes impi, uint8_t *transfer_key, bool draw)
{
	if (draw)
		rand_bytes(transfer_key, TRANSFER_KEY_LEN);
	return with_subscriber(changes, impi, set_key, transfer_key);
}

struct new_cert {
	struct bytes der;
	time_t now;
};

static enum gba_err set_cert(struct changes *changes, const struct subscriber *sub, void *arg)
{
	const struct new_cert *cert = arg;
	struct change_certs before;
	TALLOC_CTX *tmp = talloc_new(NULL);
	enum gba_err err = tmp != NULL ? change_cert_get(changes, tmp, sub, &before) : GBA_E_NOMEM;

	if (err == GBA_OK)
		err = change_cert_set(changes, sub, cert->der, BYTES_NONE);
	if (err == GBA_OK && before.now.p != NULL && !bytes_eq(before.now, cert->der))
		err = change_tell_bsfs(changes, sub->impi, CHANGE_TELL_REMOVED, cert->now);
	talloc_free(tmp);
	return err;
}

enum gba_err change_set_certificate(struct changes *changes, struct bytes impi, struct bytes der, time_t now)
{
	struct new_cert cert = { der, now };

	return der.n <= CHANGE_CERT_MAX ? with_subscriber(changes, impi, set_cert, &cert) : GBA_E_TOO_LONG;
}

enum gba_err change_certificate(struct changes *changes, TALLOC_CTX *mem_ctx, struct bytes impi, struct bytes *_der)
{
	struct change_certs certs = { BYTES_NONE, BYTES_NONE };
	struct subscriber *sub;
	enum gba_err err = sub_store_find(changes->subscribers, mem_ctx, impi, &sub);

	if (err == GBA_OK)
		err = change_cert_get(changes, mem_ctx, sub, &certs);
	*_der = certs.now;
	return err;
}

enum gba_err change_drop_certificate(struct changes *changes, struct bytes der, time_t now)
{
	char impi[IMPI_MAX + 1];
	enum gba_err err = change_cert_of(changes, der, impi);

	if (err == GBA_OK)
		err = change_set_certificate(changes, bytes_of(impi), BYTES_NONE, now);
	return err == GBA_E_NOT_FOUND ? GBA_OK : err;
}

/* The subscriber as it will be here: fresh keys, nobody can use it yet. */
static enum gba_err make_subscriber(struct changes *changes, TALLOC_CTX *tmp, const struct change *change, time_t now)
{
	struct subscriber *sub = talloc_zero(tmp, struct subscriber);
	struct subscriber_keys keys = { .k_len = 16 };
	const char *why;
	enum gba_err err;

	if (sub == NULL)
		return GBA_E_NOMEM;
	subscriber_init(sub);
	sub->impi = bytes_of(change->new_impi);
	if (change->imsi[0] != '\0')
		sub->imsi = bytes_of(change->imsi);
	sub->state = SUBSCRIBER_BARRED;
	sub->amf[1] |= CHANGE_AMF_OFFERED;
	rand_bytes(keys.k, keys.k_len);
	rand_bytes(keys.opc, subscriber_op_len(sub->alg));
	err = subscriber_check(sub, &why);
	if (err == GBA_OK)
		err = subscriber_seal(tmp, changes->kek, sub, &keys);
	SECRET_WIPE(keys);
	return err == GBA_OK ? sub_store_add(changes->subscribers, sub, now) : err;
}

static enum gba_err check_ask(const struct change_ask *ask, char *new_impi, struct why *why)
{
	if (ask->kind != KEY_UPDATE_SYMMETRIC && ask->kind != KEY_UPDATE_ASYMMETRIC)
		return why_fail(why, GBA_E_SYNTAX, "kind: symmetric or asymmetric");
	if (!impi_valid(ask->impi))
		return why_fail(why, GBA_E_IMPI_SYNTAX, "IMPI in the old realm: not user@realm");
	if (subscriber_impi(ask->new_impi, new_impi) != GBA_OK)
		return why_fail(why, GBA_E_IMPI_SYNTAX, "IMPI in the new realm: not user@realm");
	if (!imsi_valid(ask->imsi) && (ask->kind == KEY_UPDATE_SYMMETRIC || ask->imsi.n > 0)) /* a certificate needs none */
		return why_fail(why, GBA_E_SYNTAX, "IMSI: 6 to 15 digits");
	if (!fqdn_valid(ask->peer))
		return why_fail(why, GBA_E_SYNTAX, "old operator: not a realm");
	return GBA_OK;
}

static enum gba_err request_in(struct changes *changes, TALLOC_CTX *tmp, const struct change *change, time_t now, struct why *why)
{
	struct change *other;
	enum gba_err err;

	err = change_store_of_new(changes, tmp, bytes_of(change->new_impi), &other);
	if (err == GBA_OK)
		return why_fail(why, GBA_E_EXISTS, "change %s of this device is under way", other->id);
	if (err != GBA_E_NOT_FOUND)
		return why_fail(why, err, "changes: %s", gba_strerror(err));
	err = make_subscriber(changes, tmp, change, now);
	if (err == GBA_E_EXISTS)
		return why_fail(why, err, "%s is a subscriber already", change->new_impi);
	if (err == GBA_OK)
		err = change_store_add(changes, change, now);
	return err == GBA_OK ? GBA_OK : why_fail(why, err, "request: %s", gba_strerror(err));
}

static char *text_of(TALLOC_CTX *ctx, struct bytes text)
{
	return talloc_strndup(ctx, text.p != NULL ? (const char *)text.p : "", text.n);
}

enum gba_err change_request(struct changes *changes, const struct change_ask *ask, time_t now, char *id, struct why *why)
{
	TALLOC_CTX *tmp = talloc_new(NULL);
	struct change change = { .kind = ask->kind, .state = CHANGE_REQUESTED, .bsf = "", .why = "" };
	uint8_t octets[CHANGE_ID_LEN];
	char new_impi[IMPI_MAX + 1];
	enum gba_err err;

	if (tmp == NULL)
		return GBA_E_NOMEM;
	err = check_ask(ask, new_impi, why);
	if (err == GBA_OK) {
		rand_bytes(octets, sizeof(octets));
		hex_encode(BYTES(octets, sizeof(octets)), change.id);
		change.impi = text_of(tmp, ask->impi);
		change.new_impi = new_impi;
		change.imsi = text_of(tmp, ask->imsi);
		change.peer = text_of(tmp, ask->peer);
		change.who = ask->who;
		change.deadline = now + REQUEST_DEADLINE_S;
		err = sub_store_begin(changes->subscribers);
	}
	if (err == GBA_OK) {
		err = request_in(changes, tmp, &change, now, why);
		err = sub_store_end(changes->subscribers, err);
	}
	talloc_free(tmp);
	if (err == GBA_OK)
		memcpy(id, change.id, sizeof(change.id));
	return err;
}

/* One change, one decision, one transaction. */
static enum gba_err decide(struct changes *changes, const char *id,
			   enum gba_err (*decision)(struct changes *changes, struct change *change, void *arg, struct why *why),
			   void *arg, time_t now, struct why *why)
{
	TALLOC_CTX *tmp = talloc_new(NULL);
	struct change *change;
	enum gba_err err;

	if (tmp == NULL)
		return GBA_E_NOMEM;
	err = sub_store_begin(changes->subscribers);
	if (err == GBA_OK) {
		err = change_get(changes, tmp, id, &change);
		if (err == GBA_E_NOT_FOUND)
			why_fail(why, err, "no change %s", id);
		if (err == GBA_OK)
			err = decision(changes, change, arg, why);
		if (err == GBA_OK)
			err = change_store_set(changes, change, now);
		err = sub_store_end(changes->subscribers, err);
	}
	talloc_free(tmp);
	return err;
}

struct approval {
	uint32_t min_level;
	time_t now;
};

static enum gba_err approve(struct changes *changes, struct change *change, void *arg, struct why *why)
{
	const struct approval *approval = arg;
	enum gba_err err;

	if (change->state != CHANGE_REQUESTED)
		return why_fail(why, GBA_E_STATE, "change %s is %s", change->id, change_state_names[change->state]);
	err = change_check_kyc(changes, bytes_of(change->new_impi), approval->min_level, NULL, why);
	if (err != GBA_OK)
		return err;
	change->state = CHANGE_VERIFIED;
	change->deadline = 0; /* the node that asks sets it */
	return GBA_OK;
}

enum gba_err change_approve(struct changes *changes, const char *id, uint32_t min_level, time_t now, struct why *why)
{
	struct approval approval = { min_level, now };

	return decide(changes, id, approve, &approval, now, why);
}

static enum gba_err cancel(struct changes *changes, struct change *change, void *arg, struct why *why)
{
	(void)arg;
	if (!change_can_be_given_up(change->state))
		return why_fail(why, GBA_E_STATE, "change %s is %s", change->id, change_state_names[change->state]);
	return change_give_up(changes, change, "cancelled");
}

enum gba_err change_cancel(struct changes *changes, const char *id, time_t now, struct why *why)
{
	return decide(changes, id, cancel, NULL, now, why);
}
