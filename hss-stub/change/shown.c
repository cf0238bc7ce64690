/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates that devices show when they bootstrap (Y.3056 10.4-5). */
#include "crypto/hash.h"
#include "hss-stub/change/change_priv.h"

static bool is(struct bytes known, struct bytes der)
{
	return known.p != NULL && bytes_eq(known, der);
}

/* It has shown the certificate that takes the former one's place. */
static enum gba_err former_ends(struct changes *changes, const struct subscriber *sub, struct bytes der)
{
	enum gba_err err = sub_store_begin(changes->subscribers);
	TALLOC_CTX *tmp = talloc_new(NULL);
	struct change_certs certs;

	if (err == GBA_OK) {
		err = tmp != NULL ? change_cert_get(changes, tmp, sub, &certs) : GBA_E_NOMEM;
		if (err == GBA_OK) /* it may have been taken away since we looked */
			err = is(certs.now, der) ? change_cert_set(changes, sub, der, BYTES_NONE) : GBA_E_CERTIFICATE;
		if (err == GBA_OK)
			err = sub_store_commit(changes->subscribers);
		else
			sub_store_rollback(changes->subscribers);
	}
	talloc_free(tmp);
	return err;
}

static enum gba_err note_shown(struct changes *changes, struct change *change, struct bytes der, time_t now)
{
	uint8_t digest[HASH_MAX];

	hash_pieces(HASH_SHA256, &der, 1, digest);
	change->state = CHANGE_SHOWN;
	change->shown = BYTES(digest, CHANGE_DIGEST_LEN);
	return change_store_set(changes, change, now);
}

/* No certificate is known of this subscriber. One that is coming to us shows that of its old operator: that operator is asked for
 * it. Until it has answered, come again: whoever it may be, and whatever it has shown, is nobody's business.
 * @retval GBA_E_CERTIFICATE  it is not coming  @retval GBA_E_BUSY */
static enum gba_err newcomer(struct changes *changes, TALLOC_CTX *tmp, const struct subscriber *sub, struct bytes der,
			     time_t now)
{
	struct change *change;
	bool coming;
	enum gba_err err = sub_store_begin(changes->subscribers);

	if (err != GBA_OK)
		return err;
	err = change_store_of_new(changes, tmp, sub->impi, &change);
	coming = err == GBA_OK && change->kind == KEY_UPDATE_ASYMMETRIC &&
		 (change->state == CHANGE_OFFERED || change->state == CHANGE_SHOWN || change->state == CHANGE_RELEASED ||
		  change->state == CHANGE_CONFIRMED); /* the last two: its certificate has come since we looked */
	if (coming && change->state == CHANGE_OFFERED)
		err = note_shown(changes, change, der, now);
	if (coming && err == GBA_OK)
		err = sub_store_commit(changes->subscribers);
	else
		sub_store_rollback(changes->subscribers);
	if (err != GBA_OK && err != GBA_E_NOT_FOUND)
		return err;
	return coming ? GBA_E_BUSY : GBA_E_CERTIFICATE;
}

static enum gba_err awaited(struct changes *changes, TALLOC_CTX *tmp, const struct subscriber *sub, bool *_awaited)
{
	struct change *change;
	enum gba_err err = change_store_of_new(changes, tmp, sub->impi, &change);

	*_awaited = err == GBA_OK && change->state == CHANGE_RELEASED;
	return err == GBA_E_NOT_FOUND ? GBA_OK : err;
}

static enum gba_err judge(struct changes *changes, TALLOC_CTX *mem_ctx, const struct subscriber *sub, struct bytes der,
			  time_t now, struct change_shown *shown)
{
	struct change_certs certs;
	enum gba_err err = change_cert_get(changes, mem_ctx, sub, &certs);

	if (err != GBA_OK)
		return err;
	if (certs.now.p == NULL)
		return newcomer(changes, mem_ctx, sub, der, now);
	err = awaited(changes, mem_ctx, sub, &shown->token_awaited);
	if (err != GBA_OK)
		return err;
	if (is(certs.now, der))
		return certs.former.p != NULL ? former_ends(changes, sub, der) : GBA_OK;
	if (!is(certs.former, der))
		return GBA_E_CERTIFICATE;
	shown->instead = certs.now;
	return GBA_OK;
}

enum gba_err change_certificate_shown(struct changes *changes, TALLOC_CTX *mem_ctx, struct bytes impi, struct bytes der, time_t now,
				      struct change_shown *_shown)
{
	struct subscriber *sub;
	enum gba_err err;

	memset(_shown, 0, sizeof(*_shown));
	err = sub_store_find(changes->subscribers, mem_ctx, impi, &sub);
	if (err == GBA_OK && sub->state != SUBSCRIBER_ACTIVE)
		err = GBA_E_IMPI_BARRED;
	if (err == GBA_OK)
		err = judge(changes, mem_ctx, sub, der, now, _shown);
	if (err != GBA_OK)
		return err;
	_shown->guss = sub->guss;
	_shown->guss_time = sub->guss_time;
	return GBA_OK;
}
