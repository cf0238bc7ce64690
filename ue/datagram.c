/* SPDX-License-Identifier: Apache-2.0 */
#include "ue/datagram.h"

#include <stdio.h>

#include "core/clock.h"
#include "ue/client_priv.h"
#include "ue/sealed_state.h"

struct datagram {
	struct client *client;
	struct token_ref token;
	uint8_t naf_id[NAF_ID_MAX];
	size_t naf_id_n;
	uint8_t index;
	struct sealed_link *link; /* index 0 */
	struct usim usim;	  /* others */
	char impi[IMPI_MAX + 1];
	bool heard;
};

static enum gba_err open_outside(struct datagram *datagram)
{
	struct token_source source = client_source(datagram->client);
	uint8_t ks_naf[GBA_KS_NAF_LEN];
	struct sealed_keys keys;
	enum gba_err err;

	err = source.key(source.arg, &datagram->token, BYTES(datagram->naf_id, datagram->naf_id_n), ks_naf);
	if (err != GBA_OK)
		return err;
	err = sealed_keys_derive(ks_naf, bytes_of(datagram->token.btid), 0, &keys);
	SECRET_WIPE(ks_naf);
	if (err == GBA_OK)
		err = sealed_state_open(datagram, datagram->client->state, &keys, &datagram->link);
	SECRET_WIPE(keys);
	return err;
}

static enum gba_err open_inside(struct datagram *datagram, struct why *why)
{
	enum gba_err err = client_card_of(datagram, datagram->client, datagram->token.btid, &datagram->usim, datagram->impi);

	if (err == GBA_E_UNSUPPORTED)
		return why_fail(why, err, "the token's Ks is not in the USIM: keys in it need GBA_U");
	if (err == GBA_OK && datagram->usim.ops->seal == NULL)
		return why_fail(why, GBA_E_UNSUPPORTED, "this USIM has no keys for datagrams; index 0 is outside it");
	return err;
}

/* With a token that will do. A memory that is lost takes the keys with it: then another token, once. */
static enum gba_err open_with(struct datagram *datagram, struct bytes naf, const char *refused, struct why *why)
{
	struct token_source source = client_source(datagram->client);
	enum gba_err err = source.token(source.arg, naf, refused, &datagram->token, why);

	if (err != GBA_OK)
		return err;
	err = datagram->index == 0 ? open_outside(datagram) : open_inside(datagram, why);
	if (err == GBA_E_NOT_FOUND && refused == NULL) {
		char btid[BTID_MAX + 1];

		snprintf(btid, sizeof(btid), "%s", datagram->token.btid);
		return open_with(datagram, naf, btid, why);
	}
	if (err == GBA_E_BUSY)
		return why_fail(why, err, "another program has the keys of this application");
	return err == GBA_OK || err == GBA_E_UNSUPPORTED ? err : why_fail(why, err, "keys of datagrams: %s", gba_strerror(err));
}

enum gba_err datagram_open(TALLOC_CTX *mem_ctx, struct client *client, struct bytes naf, uint8_t index, struct datagram **_datagram,
			   struct why *why)
{
	struct datagram *datagram = talloc_zero(mem_ctx, struct datagram);
	enum gba_err err;

	if (datagram == NULL)
		return why_fail(why, GBA_E_NOMEM, "out of memory");
	datagram->client = client;
	datagram->index = index;
	datagram->naf_id_n = naf_id_build(naf, UA_ID_SEALED, datagram->naf_id);
	err = datagram->naf_id_n > 0 ? open_with(datagram, naf, NULL, why) : why_fail(why, GBA_E_NAF_ID_SYNTAX, "not a host name");
	if (err == GBA_OK)
		*_datagram = datagram;
	else
		talloc_free(datagram);
	return err;
}

static struct usim_key key_of(const struct datagram *datagram)
{
	return (struct usim_key){ bytes_of(datagram->token.btid), bytes_of(datagram->impi),
				  BYTES(datagram->naf_id, datagram->naf_id_n), datagram->index };
}

static bool over(const struct datagram *datagram)
{
	return datagram->client->conf.now() >= datagram->token.expires;
}

enum gba_err datagram_seal(struct datagram *datagram, struct bytes plain, uint8_t *out, size_t *_n)
{
	struct usim_key key = key_of(datagram);

	if (over(datagram))
		return GBA_E_BTID_UNKNOWN;
	if (datagram->index == 0)
		return sealed_link_send(datagram->link, plain, out, _n);
	return datagram->usim.ops->seal(datagram->usim.card, &key, plain, out, _n);
}

enum gba_err datagram_unseal(struct datagram *datagram, struct bytes frame, uint8_t *out, size_t *_n)
{
	struct usim_key key = key_of(datagram);
	struct sealed_frame parsed;
	enum gba_err err;

	if (over(datagram))
		return GBA_E_BTID_UNKNOWN;
	err = sealed_parse(frame, &parsed); /* Validate Checksum: before the USIM hears of it (Y.OBF I.2.2.1) */
	if (err != GBA_OK)
		return err;
	err = datagram->index == 0 ? sealed_link_receive(datagram->link, frame, out, _n)
				   : datagram->usim.ops->open(datagram->usim.card, &key, frame, out, _n);
	if (err == GBA_OK)
		datagram->heard = true;
	return err;
}

size_t datagram_introduction(const struct datagram *datagram, uint8_t *out)
{
	if (datagram->heard || (datagram->link != NULL && sealed_link_heard(datagram->link)))
		return 0;
	return sealed_intro_build(bytes_of(datagram->token.btid), datagram->index, out);
}

const char *datagram_btid(const struct datagram *datagram)
{
	return datagram->token.btid;
}

time_t datagram_expires(const struct datagram *datagram)
{
	return datagram->token.expires;
}
