/* SPDX-License-Identifier: Apache-2.0 */
/** A USIM in a sealed file "usim-<name>" of the state folder: a stand-in for a card, for labs and for devices without
 * one. Whoever may read the folder's kek can read the keys; a card cannot be read by anybody. */
#ifndef GBA_UE_SOFT_USIM_H
#define GBA_UE_SOFT_USIM_H

#include "core/secret.h"
#include "crypto/key_update.h"
#include "crypto/sqn.h"
#include "ue/state.h"
#include "ue/usim/usim.h"

#define SOFT_USIM_CERT_MAX 2048 /* [octets] DER */
#define SOFT_USIM_PKEY_MAX 512	/* [octets] PKCS#8 DER */

/** What an operator has put into the card, beside the other one's while a change is under way (Y.3056 10.6.1-4). */
struct soft_usim_slot {
	struct aka_key key;
	struct sqn_array sqn;
	struct usim_identity identity;
	char operator[OPERATOR_MAX + 1]; /* "": this card does not take part in changes of operator */
	bool has_transfer_key;
	uint8_t transfer_key[TRANSFER_KEY_LEN]; /* what opens a key update: never K itself */
	uint64_t counter;			/* of the last key update taken */
};

/** What the file holds. Lives in locked memory only (soft_usim_data_new). */
struct soft_usim_data {
	struct soft_usim_slot active;
	bool has_pending; /* keys of the new operator, until the change is final */
	struct soft_usim_slot pending;
	char pending_bsf[FQDN_MAX + 1];
	bool certificate_only; /* active has an identity and an operator, no AKA key */
	/* Asymmetric change (10.6.2-3): what was before, until the change is final. pending_bsf is the new realm's. */
	bool has_previous;
	struct {
		char operator[OPERATOR_MAX + 1], impi[IMPI_MAX + 1];
		uint8_t anchor[OP_SIGN_LEN];
		size_t cert_n; /* [octets] 0: the same as now */
		uint8_t cert[SOFT_USIM_CERT_MAX];
	} previous;
	/* Asymmetric bootstrapping (Y.3056 10.4-5) */
	bool has_anchor;
	uint8_t anchor[OP_SIGN_LEN]; /* the operator's key: what signs updates */
	size_t cert_n, pkey_n;	     /* [octets] 0: none */
	uint8_t cert[SOFT_USIM_CERT_MAX], pkey[SOFT_USIM_PKEY_MAX];
	/* Result of the last GBA_U bootstrapping (TS 33.220 5.3.2) */
	bool has_ks;
	uint8_t ks[GBA_KS_LEN];
	uint8_t rand[RAND_LEN];
	char btid[BTID_MAX + 1]; /* EF_GBABP; empty until gba_bind */
	time_t expires;
};

/** Zeroed data in locked memory, wiped when its owner is freed. NULL: out of memory. */
struct soft_usim_data *soft_usim_data_new(TALLOC_CTX *mem_ctx, struct secret **_owner);
/** File content into out. @return octets, never more than SOFT_USIM_RECORD_MAX; 0: cap too small */
size_t soft_usim_encode(const struct soft_usim_data *data, uint8_t *out, size_t cap);
#define SOFT_USIM_RECORD_MAX 12288
/** @retval GBA_E_CORRUPT  anything a USIM cannot have: lengths, counts, identities, trailing octets; *data is then
 * undefined */
enum gba_err soft_usim_decode(struct bytes plain, struct soft_usim_data *data);

/** Make the file. Keys must be checked by aka_key_check(). @retval GBA_E_EXISTS, GBA_E_RANGE, GBA_E_IMPI_SYNTAX */
enum gba_err soft_usim_create(struct state *state, const char *name, const struct soft_usim_data *data);
/** Read everything, keys too: for the owner. @retval GBA_E_NOT_FOUND, GBA_E_CORRUPT */
enum gba_err soft_usim_load(TALLOC_CTX *mem_ctx, struct state *state, const char *name, struct soft_usim_data **_data);
/** Let the owner change it under the lock; durable on GBA_OK. edit returns GBA_OK to have it written. */
enum gba_err soft_usim_edit(struct state *state, const char *name,
			    enum gba_err (*edit)(struct soft_usim_data *data, void *arg), void *arg);
enum gba_err soft_usim_remove(struct state *state, const char *name);

/** Let the card take a key update (Y.3056 10.6): durable on GBA_OK. After a symmetric one the old
 * keys still work, until a challenge says that the change is final. @param _update  views into message; written on GBA_OK
 * @retval GBA_E_SYNTAX     no key update
 * @retval GBA_E_UNSUPPORTED  the card has no transfer key, or no anchor
 * @retval GBA_E_REALM      for another device, or from another operator than this card's
 * @retval GBA_E_SIGNATURE  not made with a key the old operator released for it
 * @retval GBA_E_REPLAY     its counter is not higher than that of the last one */
enum gba_err soft_usim_update(struct state *state, const char *name, struct bytes message, struct key_update *_update);

/** Put the card into its reader: the interface above on that file. Nothing is kept in memory between calls.
 * @retval GBA_E_NOT_FOUND */
enum gba_err soft_usim_open(TALLOC_CTX *mem_ctx, struct state *state, const char *name, struct usim *_usim);

/** Operations seal and open of its interface. */
enum gba_err soft_usim_seal(void *card, const struct usim_key *key, struct bytes plain, uint8_t *out, size_t *_n);
enum gba_err soft_usim_unseal(void *card, const struct usim_key *key, struct bytes frame, uint8_t *out, size_t *_n);
/** What the card of the interface is made of; for those two. */
enum gba_err soft_usim_card_load(void *card, struct state **_state, struct soft_usim_data **_data, struct secret **_owner);
/** Is Ks inside the one of this B-TID's run? */
bool soft_usim_holds(const struct soft_usim_data *data, struct bytes btid);

#endif
