/* SPDX-License-Identifier: Apache-2.0 */
/** The secure element as the client element sees it: what a USIM answers to AUTHENTICATE (TS 31.102 7.1) and where
 * GBA_U keeps its keys. soft_usim.h implements it in a sealed file, card_usim.h on a card behind PC/SC.
 * Nothing above this interface ever sees K, OPc or, with GBA_U, Ks. */
#ifndef GBA_UE_USIM_H
#define GBA_UE_USIM_H

#include <stdbool.h>
#include <time.h>

#include "core/ident.h"
#include "core/why.h"
#include "crypto/aka.h"
#include "crypto/gba_keys.h"

struct usim_identity {
	char imsi[IMSI_MAX + 1]; /* EF_IMSI */
	char impi[IMPI_MAX + 1]; /* EF_IMPI of the ISIM, or derived from the IMSI */
	bool gba_u;              /* service 68: AUTHENTICATE in GBA context, Ks stays inside */
	bool certificate_only;   /* no AKA: no IMSI, authenticate() is GBA_E_UNSUPPORTED */
};

/** Answer of AUTHENTICATE; the caller wipes it. */
struct usim_reply {
	uint8_t res[AKA_RES_MAX];
	size_t res_len;                         /* [octets] */
	uint8_t ck[AKA_CK_LEN], ik[AKA_IK_LEN]; /* all zero in GBA context */
	uint8_t auts[AKA_AUTS_LEN];             /* written on GBA_E_AKA_SYNC only */
};

enum usim_context {
	USIM_3G,  /* P2 = 81: RES, CK, IK */
	USIM_GBA, /* P2 = 84, tag DD, bootstrapping: RES only; Ks and RAND replace those of an earlier run */
};

/** A change of operator under way: the new operator's keys are in the card beside the old ones. */
struct usim_pending {
	char impi[IMPI_MAX + 1], bsf[FQDN_MAX + 1]; /* in the new realm */
	bool asymmetric; /* identity() is the new one already */
	char old_impi[IMPI_MAX + 1];
};

#define USIM_KEY_INDEX_MAX 15

/** Which key in the card. */
struct usim_key {
	struct bytes btid, impi, naf_id;
	uint8_t index; /* 1 .. USIM_KEY_INDEX_MAX; 0 is Ks_ext_NAF, which is outside */
};

struct usim_ops {
	/** @retval GBA_E_CORRUPT, GBA_E_IO, ... the card cannot be used */
	enum gba_err (*identity)(void *card, struct usim_identity *_identity);
	/** MAC first, then SQN (TS 33.102 6.3.3). The accepted SQN is durable before this returns GBA_OK.
	 * @retval GBA_E_AKA_MAC   not from the home network: no answer, no AUTS
	 * @retval GBA_E_AKA_SYNC  _reply->auts is to be sent, and nothing else in _reply is set
	 * @retval GBA_E_UNSUPPORTED  GBA context on a card without it
	 * @retval GBA_E_DENIED  a PIN is wanted and there is none, or it was refused */
	enum gba_err (*authenticate)(void *card, enum usim_context context, const uint8_t rand[AKA_RAND_LEN],
				     const uint8_t autn[AKA_AUTN_LEN], struct usim_reply *_reply);
	/** GBA_U: write B-TID and lifetime beside RAND (EF_GBABP), after the run succeeded.
	 * @retval GBA_E_BTID_UNKNOWN  the B-TID's RAND is not the one of the Ks inside */
	enum gba_err (*gba_bind)(void *card, struct bytes btid, time_t expires);
	/** GBA_U: P2 = 84, tag DE, NAF derivation: Ks_ext_NAF; Ks_int_NAF does not come out.
	 * @retval GBA_E_BTID_UNKNOWN  Ks inside belongs to another run, or there is none */
	enum gba_err (*gba_naf)(void *card, struct bytes btid, struct bytes impi, struct bytes naf_id,
				uint8_t ks_ext_naf[GBA_KS_NAF_LEN]);
	/** @retval GBA_E_NOT_FOUND  no change under way, or it is final: identity() is the new one then. NULL: a card
	 * that knows one operator */
	enum gba_err (*pending)(void *card, struct usim_pending *_pending);
	/** Bootstrapping by certificate (Y.3056 10.4-5): let a TLS client prove that it is this device.
	 * @param impi     in whose realm: while its operator changes, a card has one for each
	 * @param ssl_ctx  OpenSSL's  @retval GBA_E_UNSUPPORTED  no certificate  NULL: a card without */
	enum gba_err (*tls_client)(void *card, struct bytes impi, void *ssl_ctx);
	/** A certificate of the same key in the place of the one before, DER. @retval GBA_E_CERTIFICATE  of another key */
	enum gba_err (*certificate_set)(void *card, struct bytes der);
	/** The asymmetric change of operator is final, or given up. */
	enum gba_err (*change_end)(void *card, bool changed);
	/** Encrypt Device Data, Decrypt Data (Y.OBF I.2.2.2): sealed datagrams with the key of an index, made of Ks_int_NAF in the
	 * card. Counters and what was had before are the card's to remember. NULL: a card that does not do it.
	 * @param out  SEALED_FRAME_MAX, SEALED_PLAIN_MAX octets
	 * @retval GBA_E_NOT_FOUND     no such index
	 * @retval GBA_E_BTID_UNKNOWN  Ks inside belongs to another run
	 * @return and all of sealed_link_send(), sealed_link_receive() */
	enum gba_err (*seal)(void *card, const struct usim_key *key, struct bytes plain, uint8_t *out, size_t *_n);
	enum gba_err (*open)(void *card, const struct usim_key *key, struct bytes frame, uint8_t *out, size_t *_n);
	/** Why the call before failed, "" or NUL-terminated words of the card's own; valid until the next call. NULL: the
	 * error row says it all */
	const char *(*explain)(void *card);
};

#define USIM_PIN_MAX 8 /* [digits] TS 102 221 9.5.1 */

/** Where a card's PIN comes from. */
struct usim_pin {
	void *arg;
	/** @param tries  left before the card is blocked; -1: not known
	 * @param person  written: somebody has entered it just now
	 * @param out     4 to 8 digits and a NUL; the caller wipes it
	 * @retval GBA_E_NOT_FOUND  there is none */
	enum gba_err (*get)(void *arg, int tries, bool *_person, char out[USIM_PIN_MAX + 1], struct why *why);
};

/** Copied by value; `card` belongs to whoever made it. Calls may come from any thread. */
struct usim {
	const struct usim_ops *ops;
	void *card;
};

/** The step of a trace that AUTHENTICATE is. */
void usim_trace(enum usim_context context, const uint8_t rand[AKA_RAND_LEN], enum gba_err err);

#endif
