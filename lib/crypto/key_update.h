/* SPDX-License-Identifier: Apache-2.0 */
/** The message that takes a device from one operator to another (Y.3056 10.6): made by the new operator under a key the
 * old one released for this one change (10.6.1-4), or signed by the old one (10.6.2-3). Checked in the secure element.
 *
 * Octets, integers big endian, a field is a 16-bit length and its octets:
 *   "GKU1"  kind(1)  counter(8)  change-id(16)  field old-operator  field new-operator  field device      the head
 *   symmetric:  nonce(12)  field ciphertext || tag       AES-256-GCM under the change key, aad: the head
 *     inside:   alg(1) res-len(1) iterations(1) ind-bits(1) field K field OPc transfer-key(32) field bsf field impi
 *               field imsi
 *   asymmetric: signer(8)  new-key(64)  field bsf  field impi  signature(64)  Ed25519 over everything before it
 * change key = HMAC-SHA-256(transfer key, "Y.3056 change key" || head): good for this device, counter, change and pair
 * of operators, and for nothing else. */
#ifndef GBA_CRYPTO_KEY_UPDATE_H
#define GBA_CRYPTO_KEY_UPDATE_H

#include "core/ident.h"
#include "crypto/aka.h"
#include "crypto/op_key.h"

#define KEY_UPDATE_MAX	 2048 /* [octets] of a message */
#define CHANGE_ID_LEN	 16
#define CHANGE_KEY_LEN	 32
#define TRANSFER_KEY_LEN 32
#define OPERATOR_MAX	 FQDN_MAX /* an operator is named by its Diameter realm */

/** Bits of AMF in every AUTN of a subscriber who is changing (TS 33.102 Annex H leaves this octet to operators): its
 * first token is awaited; the change is final, the device erases the keys of the old operator. */
#define CHANGE_AMF_OFFERED 0x02 /* in the second octet */
#define CHANGE_AMF_FINAL   0x01

enum key_update_kind { KEY_UPDATE_SYMMETRIC = 1, KEY_UPDATE_ASYMMETRIC = 2 };

/** Views. */
struct key_update_head {
	enum key_update_kind kind;
	uint64_t counter; /* of this transfer key or anchor: each message's is higher than the one before */
	uint8_t change_id[CHANGE_ID_LEN];
	struct bytes old_operator, new_operator; /* Diameter realms, lower case */
	struct bytes device;			 /* IMPI in the old realm */
};

struct key_update {
	struct key_update_head head;
	struct bytes head_octets;
	const uint8_t *nonce; /* symmetric */
	struct bytes sealed;
	const uint8_t *signer, *new_key, *signature; /* asymmetric */
	struct bytes bsf, impi;
	struct bytes signed_octets;
};

/** What a symmetric update brings. Wipe it. */
struct key_update_content {
	struct aka_key key;
	unsigned int ind_bits;
	uint8_t transfer_key[TRANSFER_KEY_LEN]; /* the one for the next change */
	char bsf[FQDN_MAX + 1], impi[IMPI_MAX + 1], imsi[IMSI_MAX + 1];
};

void change_key_derive(const uint8_t transfer_key[TRANSFER_KEY_LEN], const struct key_update_head *head,
		       uint8_t out[CHANGE_KEY_LEN]);
/** Make a symmetric message. @param out  KEY_UPDATE_MAX octets  @retval GBA_E_RANGE, GBA_E_TOO_LONG, GBA_E_NOMEM */
enum gba_err key_update_seal(const struct key_update_head *head, const uint8_t change_key[CHANGE_KEY_LEN],
			     const struct key_update_content *content, uint8_t *out, size_t *_n);
/** Make an asymmetric one, as the old operator. @param new_key  public key of the new one */
enum gba_err key_update_sign(const struct key_update_head *head, const struct op_key *signer,
			     const uint8_t new_key[OP_PUBLIC_LEN], struct bytes bsf, struct bytes impi, uint8_t *out, size_t *_n);

/** Views into octets; nothing is proved yet. @retval GBA_E_SYNTAX */
enum gba_err key_update_parse(struct bytes octets, struct key_update *_update);
/** @retval GBA_E_SIGNATURE  not made under a change key of this transfer key, or altered
 * @retval GBA_E_RANGE      proved, but not usable */
enum gba_err key_update_open(const struct key_update *update, const uint8_t transfer_key[TRANSFER_KEY_LEN],
			     struct key_update_content *_content);
/** @param anchor  signing key of the old operator  @retval GBA_E_SIGNATURE */
enum gba_err key_update_verify(const struct key_update *update, const uint8_t anchor[OP_SIGN_LEN]);

#endif
