/* SPDX-License-Identifier: Apache-2.0 */
/** What the files of this folder share: the open handle and its statements. */
#ifndef GBA_HSS_CHANGE_PRIV_H
#define GBA_HSS_CHANGE_PRIV_H

#include "hss-stub/change/change.h"
#include "store/db.h"

enum change_sql {
	CHANGE_SQL_ADD, CHANGE_SQL_SET, CHANGE_SQL_GET, CHANGE_SQL_LIST, CHANGE_SQL_LIST_STATE, CHANGE_SQL_OF_NEW,
	CHANGE_SQL_OF_OLD, CHANGE_SQL_KEY_GET, CHANGE_SQL_KEY_SET, CHANGE_SQL_CERT_SET, CHANGE_SQL_CERT_OF,
	CHANGE_SQL_COUNT_UP, CHANGE_SQL_COUNT_SET, CHANGE_SQL_KEY_DROP,
	CHANGE_SQL_KYC, CHANGE_SQL_OUTBOX, CHANGE_SQL_NOTICE, CHANGE_SQL_ASPS, CHANGE_SQL_KEYS,
	CHANGE_SQL_RESEAL, CHANGE_SQL_COUNT
};

struct changes {
	struct sub_store *subscribers;
	struct db *db;
	struct kek *kek;
	const struct change_conf *conf;
	struct db_stmt *stmt[CHANGE_SQL_COUNT];
};

/** Write state, counter, update, why, deadline of an existing record; in a transaction. */
enum gba_err change_store_set(struct changes *changes, const struct change *change, time_t now);
enum gba_err change_store_add(struct changes *changes, const struct change *change, time_t now);
/** The change under way of a device, by its IMPI in the new realm (OFFERED or earlier, CONFIRMED), or in the old one
 * (HELD). @retval GBA_E_NOT_FOUND */
enum gba_err change_store_of_new(struct changes *changes, TALLOC_CTX *mem_ctx, struct bytes new_impi, struct change **_change);
enum gba_err change_store_of_old(struct changes *changes, TALLOC_CTX *mem_ctx, struct bytes impi, struct change **_change);

/** What a sealed transfer key is bound to. @param out  CHANGE_ABOUT_MAX octets */
#define CHANGE_ABOUT_MAX (IMPI_MAX + 32)
void change_key_about(const struct subscriber *sub, char *out);
/** The subscriber's transfer key and counter. @retval GBA_E_UNSUPPORTED  it has none */
enum gba_err change_key_get(struct changes *changes, const struct subscriber *sub, uint8_t transfer_key[TRANSFER_KEY_LEN]);
enum gba_err change_key_set(struct changes *changes, const struct subscriber *sub, const uint8_t transfer_key[TRANSFER_KEY_LEN]);
/** A device's certificates, DER; absent: none. */
struct change_certs {
	struct bytes now;
	struct bytes former; /* still good, until the device has shown the one of now */
};
enum gba_err change_cert_set(struct changes *changes, const struct subscriber *sub, struct bytes der, struct bytes former);
/** Copies below mem_ctx. */
enum gba_err change_cert_get(struct changes *changes, TALLOC_CTX *mem_ctx, const struct subscriber *sub,
			     struct change_certs *_certs);
/** Whose it is, now or formerly. @retval GBA_E_NOT_FOUND */
enum gba_err change_cert_of(struct changes *changes, struct bytes der, char impi[IMPI_MAX + 1]);
/** The next counter of this subscriber's transfer key. */
enum gba_err change_count_up(struct changes *changes, const struct subscriber *sub, uint64_t *_counter);
/** At least this one is used: a device's counter goes on with its new operator. */
enum gba_err change_count_from(struct changes *changes, const struct subscriber *sub, uint64_t counter);
enum gba_err change_key_drop(struct changes *changes, const struct subscriber *sub);

/** Y.3056 10.6.1-2 on the mapping function's records of the device with this IMPI.
 * @param _user  record of its custodian; may be NULL  @retval GBA_E_KYC  why tells what is missing */
enum gba_err change_check_kyc(struct changes *changes, struct bytes impi, uint32_t min_level, int64_t *_user, struct why *why);
/** Rows for those who have to know, in the transaction: BSFs (all contexts of the IMPI are void). */
enum change_tell { CHANGE_TELL_REMOVED = 2, CHANGE_TELL_LEFT = 4 }; /* enum y3056_kind */
enum gba_err change_tell_bsfs(struct changes *changes, struct bytes impi, enum change_tell tell, time_t now);
/** User and ASPs: the token has changed (10.6.1-6, Y.OBF 12.3-5, 12.4-4, -5). */
enum gba_err change_tell_people(struct changes *changes, const struct change *change, time_t now);

/** Before the first token. */
bool change_can_be_given_up(enum change_state state);
/** Remove what was made here for the change, in the transaction; the caller writes the change. */
enum gba_err change_give_up(struct changes *changes, struct change *change, const char *why);

const struct change_peer *change_peer_find(const struct change_conf *conf, struct bytes realm);

#endif
