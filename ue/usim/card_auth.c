/* SPDX-License-Identifier: Apache-2.0 */
#include "ue/usim/card_auth.h"

#include "core/secret.h"

#define INS_AUTHENTICATE 0x88
#define P2_3G		 0x81
#define P2_GBA		 0x84
#define TAG_BOOTSTRAP	 0xdd
#define TAG_DERIVE	 0xde
#define TAG_SUCCESS	 0xdb
#define TAG_SYNC	 0xdc

/* The next value behind a length of one octet; bad when there is none of it. */
static struct bytes take(struct bytes *rest, bool *bad)
{
	struct bytes value;

	if (*bad || rest->n < 1 || rest->p[0] > rest->n - 1) {
		*bad = true;
		return BYTES_NONE;
	}
	value = BYTES(rest->p + 1, rest->p[0]);
	rest->p += 1 + value.n;
	rest->n -= 1 + value.n;
	return value;
}

static void take_exactly(struct bytes *rest, uint8_t *out, size_t n, bool *bad)
{
	struct bytes value = take(rest, bad);

	if (value.n != n)
		*bad = true;
	else
		memcpy(out, value.p, n);
}

static enum gba_err parse(enum usim_context context, struct bytes in, struct usim_reply *reply)
{
	struct bytes rest = BYTES(in.p + 1, in.n - 1), res;
	bool bad = false;

	if (in.p[0] == TAG_SYNC) {
		take_exactly(&rest, reply->auts, AKA_AUTS_LEN, &bad);
		return bad ? GBA_E_PEER : GBA_E_AKA_SYNC;
	}
	if (in.p[0] != TAG_SUCCESS)
		return GBA_E_PEER;
	res = take(&rest, &bad);
	if (bad || res.n < 4 || res.n > AKA_RES_MAX)
		return GBA_E_PEER;
	memcpy(reply->res, res.p, res.n);
	reply->res_len = res.n;
	if (context == USIM_3G) { /* Kc may follow (service 27); nobody wants it */
		take_exactly(&rest, reply->ck, AKA_CK_LEN, &bad);
		take_exactly(&rest, reply->ik, AKA_IK_LEN, &bad);
	}
	return bad ? GBA_E_PEER : GBA_OK;
}

static size_t put(uint8_t *out, size_t n, struct bytes value)
{
	out[n] = (uint8_t)value.n;
	memcpy(out + n + 1, value.p, value.n);
	return n + 1 + value.n;
}

enum gba_err card_authenticate(const struct apdu_card *card, enum usim_context context, const uint8_t rand[AKA_RAND_LEN],
			       const uint8_t autn[AKA_AUTN_LEN], struct usim_reply *_reply, uint16_t *_sw, struct why *why)
{
	uint8_t data[1 + 1 + AKA_RAND_LEN + 1 + AKA_AUTN_LEN] = { TAG_BOOTSTRAP };
	struct apdu command = { .ins = INS_AUTHENTICATE, .p2 = context == USIM_GBA ? P2_GBA : P2_3G, .le = 0 };
	const char *what = context == USIM_GBA ? "AUTHENTICATE (GBA)" : "AUTHENTICATE";
	size_t n = context == USIM_GBA ? 1 : 0;
	struct apdu_answer answer;
	enum gba_err err;

	n = put(data, n, BYTES(rand, AKA_RAND_LEN));
	n = put(data, n, BYTES(autn, AKA_AUTN_LEN));
	command.data = BYTES(data, n);
	err = apdu_exchange(card, &command, &answer, why);
	*_sw = answer.sw;
	if (err == GBA_OK && !apdu_good(answer.sw)) {
		err = apdu_refused(answer.sw, what, why);
	} else if (err == GBA_OK) {
		err = answer.n > 0 ? parse(context, BYTES(answer.data, answer.n), _reply) : GBA_E_PEER;
		if (err == GBA_E_PEER)
			why_fail(why, err, "%s: the card's answer does not have the form of one", what);
	}
	SECRET_WIPE(answer);
	return err;
}

/* Which statuses say that there is no Ks is not told in the clauses we could read: these are those that may. */
static bool without_ks(uint16_t sw)
{
	return sw == 0x9863 || sw == 0x9864 || sw == 0x6985 || sw == 0x6a88;
}

enum gba_err card_derive(const struct apdu_card *card, struct bytes naf_id, struct bytes impi, uint8_t ks_ext_naf[GBA_KS_NAF_LEN],
			 uint16_t *_sw, struct why *why)
{
	struct apdu command = { .ins = INS_AUTHENTICATE, .p2 = P2_GBA, .le = 0 };
	uint8_t data[APDU_DATA_MAX] = { TAG_DERIVE };
	const char *what = "AUTHENTICATE (NAF derivation)";
	struct apdu_answer answer;
	bool bad = false;
	enum gba_err err;

	if (3 + naf_id.n + impi.n > sizeof(data))
		return why_fail(why, GBA_E_TOO_LONG, "%s: names of application and user are too long for the card", what);
	command.data = BYTES(data, put(data, put(data, 1, naf_id), impi));
	err = apdu_exchange(card, &command, &answer, why);
	*_sw = answer.sw;
	if (err == GBA_OK && without_ks(answer.sw)) {
		err = why_fail(why, GBA_E_BTID_UNKNOWN, "%s: card says %04x: it has no Ks", what, answer.sw);
	} else if (err == GBA_OK && !apdu_good(answer.sw)) {
		err = apdu_refused(answer.sw, what, why);
	} else if (err == GBA_OK) {
		struct bytes rest = BYTES(answer.data + 1, answer.n > 0 ? answer.n - 1 : 0);

		take_exactly(&rest, ks_ext_naf, GBA_KS_NAF_LEN, &bad);
		if (bad || answer.data[0] != TAG_SUCCESS)
			err = why_fail(why, GBA_E_PEER, "%s: the card's answer does not have the form of one", what);
	}
	SECRET_WIPE(answer);
	return err;
}
