/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates that devices show when they bootstrap (Y.3056 10.4-5). */
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

static enum gba_err judge(struct changes *changes, TALLOC_CTX *mem_ctx, const struct subscriber *sub, struct bytes der,
			  struct change_shown *shown)
{
	struct change_certs certs;
	enum gba_err err = change_cert_get(changes, mem_ctx, sub, &certs);

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

	(void)now;
	memset(_shown, 0, sizeof(*_shown));
	err = sub_store_find(changes->subscribers, mem_ctx, impi, &sub);
	if (err == GBA_OK && sub->state != SUBSCRIBER_ACTIVE)
		err = GBA_E_IMPI_BARRED;
	if (err == GBA_OK)
		err = judge(changes, mem_ctx, sub, der, _shown);
	if (err != GBA_OK)
		return err;
	_shown->guss = sub->guss;
	_shown->guss_time = sub->guss_time;
	return GBA_OK;
}
