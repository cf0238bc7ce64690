/* SPDX-License-Identifier: Apache-2.0 */
/** The log of transactions: what this registry did or answered, for whom, append-only, under one Merkle tree (RFC
 * 9162) whose heads are signed with the registry's key. An entry is written in the transaction it tells of, so neither
 * is there without the other. An entry's text is canonical JSON (members sorted, no blanks) without personal data:
 * identities of devices, numbers of records. What was personal in a change is bound by a salted digest: the salt stays
 * in the database and can be forgotten. doc/registry-audit.md. One log per handle of the store, used by that handle's
 * thread. */
#ifndef GBA_REGISTRY_ENTRY_H
#define GBA_REGISTRY_ENTRY_H

#include <jansson.h>

#include "merkle/head.h"
#include "record/record.h"
#include "store/db.h"

#define ENTRY_MAX      8192 /* [octets] of an entry's text */
#define ENTRY_PAGE_MAX 1000

struct entry_log;

/** What is written of a transaction. */
struct entry {
	const char *act;     /* "status.set", "ask.device": stable dotted name */
	const char *by;	     /* who: "enquirer:3", "device:<RegDevID>", "peer:<RegID>", "system" */
	const char *subject; /* of what: RegDevID, "custodian:7"; NULL: none */
	enum gba_err result;
	const json_t *detail;  /* object of open data; NULL: none; borrowed */
	struct bytes evidence; /* what is only bound by a salted digest: a change's text; absent: none */
};

/** @param reg_id  name of the log; @param key  outlives it; NULL: heads cannot be signed */
enum gba_err entry_log_open(TALLOC_CTX *mem_ctx, struct db *db, const char *reg_id, const struct sign_key *key,
			    struct entry_log **_log);
/** Add an entry; only within the transaction it is about. @param _index  from 0; may be NULL
 * @retval GBA_E_TOO_LONG  the text @retval others as the store's: roll back */
enum gba_err entry_append(struct entry_log *log, const struct entry *entry, time_t now, uint64_t *_index);
/** Add an entry for each change of records that stands in the history and has none yet: for a record_set's
 * before_commit. */
enum gba_err entry_append_changes(struct entry_log *log, time_t now);

/** Entries in the log. Within a transaction: with those it has added. */
enum gba_err entry_log_size(struct entry_log *log, uint64_t *_size);
/** Sign the head of the tree as it stands. Give it to nobody before a transaction that has added entries is committed.
 * @param _text  compact JWS below mem_ctx */
enum gba_err entry_head(struct entry_log *log, TALLOC_CTX *mem_ctx, time_t now, char **_text);
/** Sign and keep a head, in a transaction of its own, when entries have come since the last one kept. @param _new  may
 * be NULL */
enum gba_err entry_head_keep(struct entry_log *log, time_t now, bool *_new);
/** Heads kept, newest first. @param _texts  below mem_ctx */
enum gba_err entry_heads(struct entry_log *log, TALLOC_CTX *mem_ctx, size_t limit, char ***_texts, size_t *_count);

/** An entry as it stands in the log. */
struct entry_row {
	uint64_t index;
	const char *text; /* the leaf: merkle_leaf() of these octets */
};
/** Entries from index on. @param _rows  below mem_ctx */
enum gba_err entry_read(struct entry_log *log, TALLOC_CTX *mem_ctx, uint64_t index, size_t limit, struct entry_row **_rows,
			size_t *_count);
/** @retval GBA_E_RANGE  the tree has never had this size, or not this entry */
enum gba_err entry_prove(struct entry_log *log, uint64_t index, uint64_t size, struct merkle_proof *_proof);
enum gba_err entry_prove_consistency(struct entry_log *log, uint64_t old, uint64_t size, struct merkle_proof *_proof);
/** Is this what the entry binds by its digest? @retval GBA_E_CORRUPT  no, or the salt was forgotten @retval
 * GBA_E_NOT_FOUND */
enum gba_err entry_evidence(struct entry_log *log, uint64_t index, struct bytes evidence);

/** Proof that an entry is in the log as it stands now (merkle/receipt.h). Within a transaction: see entry_head().
 * @param _receipt  new reference @retval GBA_E_NOT_FOUND  no such entry */
enum gba_err entry_receipt(struct entry_log *log, uint64_t index, time_t now, json_t **_receipt);
/** Proof that the log as it stands now continues the one of an older head. @param first  compact JWS of this log
 * @retval GBA_E_CORRUPT  not a head of this log  @retval others as merkle_head_read() */
enum gba_err entry_receipt_growth(struct entry_log *log, const char *first, time_t now, json_t **_receipt);

#endif
