/* SPDX-License-Identifier: Apache-2.0 */
/** A subscriber of the AuC: identities, secrets (sealed), AKA parameters, user security settings. */
#ifndef GBA_HSS_SUBSCRIBER_H
#define GBA_HSS_SUBSCRIBER_H

#include <talloc.h>
#include <time.h>

#include "core/ident.h"
#include "core/secret.h"
#include "crypto/aka.h"
#include "crypto/seal.h"
#include "crypto/sqn.h"
#include "xml/guss.h"

#define SUBSCRIBER_IMPUS_MAX 4096 /* [octets] all public identities together */
#define SUBSCRIBER_SEALED_MAX (1 + AKA_K_MAX + 2 * AKA_OPC_MAX + SEAL_OVERHEAD)

enum subscriber_state { SUBSCRIBER_ACTIVE, SUBSCRIBER_BARRED };
/** Words for configuration, tables and --json, by value, NULL-terminated. */
extern const char *const subscriber_state_names[], *const subscriber_alg_names[], *const subscriber_uicc_names[];

/** One record; texts and views below the context it was read into. */
struct subscriber {
	int64_t id;   /* 0: not stored */
	int64_t rev;  /* grows with every change of the record (not with SQN) */
	struct bytes impi;  /* realm in lower case */
	struct bytes imsi;  /* absent: none */
	struct bytes impus; /* public identities, one per line; absent: none but "sip:" IMPI (TS 23.003 13.4B) */
	enum aka_alg alg;
	uint32_t res_len;	  /* [octets] */
	uint32_t tuak_iterations;
	bool op_given;		  /* OP (TOP) was provisioned, not OPc (TOPc) */
	struct bytes sealed;	  /* see subscriber_seal */
	uint8_t amf[AKA_AMF_LEN];
	unsigned int ind_bits;
	uint64_t seq;		  /* highest SEQ that may have left: the next vector has a higher one */
	enum guss_uicc uicc;
	struct bytes guss;	  /* XML; absent: none */
	time_t guss_time;	  /* [s since epoch] of the last change of guss */
	enum subscriber_state state;
	time_t created, changed;
};

/** Secrets in clear: only on a stack, wiped (SECRET_WIPE). */
struct subscriber_keys {
	uint8_t k[AKA_K_MAX];
	size_t k_len;
	uint8_t opc[AKA_OPC_MAX], op[AKA_OPC_MAX]; /* op: only when op_given */
	bool op_given;
};

/** [octets] of OP and OPc: 16, TUAK 32. */
size_t subscriber_op_len(enum aka_alg alg);
/** Highest SEQ for an IND of this size. */
uint64_t subscriber_seq_max(unsigned int ind_bits);
/** IMPI with its realm in lower case: the form stored and looked up. out: IMPI_MAX + 1 octets, NUL-terminated.
 * @retval GBA_E_IMPI_SYNTAX */
enum gba_err subscriber_impi(struct bytes impi, char *out);
/** Does the public identity belong to the subscriber? */
bool subscriber_has_impu(const struct subscriber *sub, struct bytes impu);

/** Parameters of a new record: MILENAGE, RES 8, AMF 0000, IND 5 bits, active. */
void subscriber_init(struct subscriber *sub);
/** Is everything about the record in order (not the keys)? @param _why  static text on failure
 * @retval GBA_E_RANGE, GBA_E_IMPI_SYNTAX, GBA_E_SYNTAX, GBA_E_TOO_LONG */
enum gba_err subscriber_check(const struct subscriber *sub, const char **_why);
/** Take a GUSS document: checked, its id must be the IMPI, its uiccType becomes the subscriber's; guss_time moves on.
 * @param _why  static text on failure  @retval GBA_E_XML, GBA_E_TOO_LONG, GBA_E_RANGE, GBA_E_NOMEM */
enum gba_err subscriber_set_guss(TALLOC_CTX *mem_ctx, struct subscriber *sub, struct bytes xml, time_t now, const char **_why);
/** Take the GUSS away: one without any settings stays in its place, newer than the old, so that BSFs which hold the old one
 * learn of it (Zh has no other way to say so). A subscriber without GUSS is left as it is. */
enum gba_err subscriber_clear_guss(TALLOC_CTX *mem_ctx, struct subscriber *sub, time_t now);
/** Set the UICC type of a subscriber without GUSS: a GUSS that says so is made, since that is how a BSF learns it.
 * @retval GBA_E_EXISTS  its GUSS says otherwise: give a new GUSS */
enum gba_err subscriber_set_uicc(TALLOC_CTX *mem_ctx, struct subscriber *sub, enum guss_uicc uicc, time_t now);

/** Check the keys and fill keys->opc from op when op_given.
 * @retval GBA_E_RANGE  lengths or parameters the algorithm does not have */
enum gba_err subscriber_keys_complete(const struct subscriber *sub, struct subscriber_keys *keys);
/** The same, and seal all of them for this IMPI below mem_ctx. */
enum gba_err subscriber_seal(TALLOC_CTX *mem_ctx, struct kek *kek, struct subscriber *sub, struct subscriber_keys *keys);
/** @retval GBA_E_CORRUPT  altered, or sealed under another key or for another IMPI */
enum gba_err subscriber_unseal(struct kek *kek, const struct subscriber *sub, struct subscriber_keys *_keys);
/** Seal anew, below mem_ctx, what an older key than the top one sealed; sub->sealed changes only when *_changed.
 * @retval GBA_E_CORRUPT  as subscriber_unseal() */
enum gba_err subscriber_reseal(TALLOC_CTX *mem_ctx, struct kek *kek, struct subscriber *sub, bool *_changed);
/** What lib/crypto/aka.h computes with; wipe it. */
void subscriber_aka_key(const struct subscriber *sub, const struct subscriber_keys *keys, struct aka_key *_key);

#endif
