/* SPDX-License-Identifier: Apache-2.0 */
/** The audit log: who did or got what, for whom and why. Append-only, one JSON object per line, each line's hash taken over
 * the line before it; the newest line is signed in a file beside it, so that a changed, removed, added or reordered line is
 * found. Several processes may write to one log. Never a key in it. */
#ifndef GBA_AUDIT_AUDIT_H
#define GBA_AUDIT_AUDIT_H

#include <stdbool.h>
#include <talloc.h>

#include "core/bytes.h"
#include "core/err.h"

#define AUDIT_VALUE_MAX 256 /* [octets] of each value; longer ones are cut and end in "..." */
#define AUDIT_HASH_LEN	32  /* [octets] SHA-256 */

struct audit;

struct audit_conf {
	const char *path;     /* the log; path + ".head" is its signed end, path + ".<number>" what was rotated away */
	const char *key_file; /* Ed25519 secret, made (0600) when missing; path + ".pub" gets the public key as hex */
	const char *node;     /* who writes: Diameter identity, or "gba-ctl" */
	uint64_t rotate_at;   /* [octets] begin a new file beyond; 0: never */
};

struct audit_entry {
	const char *act;      /* stable dotted name: "asp.add", "zh.vector", "zn.key" */
	const char *role;     /* of who: "bsf", "naf", "admin", "asp", "subscriber", "system"; NULL: none */
	struct bytes who;     /* authenticated identity */
	struct bytes object;  /* what was changed or released: record, B-TID, IMPI */
	struct bytes subject; /* for whom or where to: NAF, IMPI; absent: none */
	struct bytes why;     /* reason given, clause or request; absent: none */
	const char *corr;     /* correlation id; NULL: none */
	enum gba_err result;  /* a refusal is noted, too */
	bool durable;	      /* return when it is on disk and signed; else that follows within a second */
};

/** Open or create (0640). What a crash left of a line at the end is dropped and noted.
 * @param _error  text for the operator below mem_ctx, on failure
 * @retval GBA_E_CORRUPT  the end of the log is not the one that was signed: see audit_verify()
 * @retval GBA_E_DENIED, GBA_E_NOSPACE, GBA_E_IO, GBA_E_SYNTAX (key file), GBA_E_NOMEM */
enum gba_err audit_open(TALLOC_CTX *mem_ctx, const struct audit_conf *conf, struct audit **_audit, const char **_error);
/** Add a line; survives kill -9 on GBA_OK, power loss when durable. From any thread; NULL audit: nothing is kept.
 * Otherwise nothing was added and what the entry is about must not happen. @retval GBA_E_NOSPACE, GBA_E_IO, GBA_E_CORRUPT */
enum gba_err audit_note(struct audit *audit, const struct audit_entry *entry);
/** All lines noted so far onto disk and signed, as if they had been durable. From any thread; NULL passes.
 * @retval GBA_E_NOSPACE, GBA_E_IO, GBA_E_CORRUPT */
enum gba_err audit_sync(struct audit *audit);
/** Sign the end and free. NULL passes. */
void audit_close(struct audit *audit);

/** What was found; texts below the mem_ctx of audit_verify(). */
struct audit_report {
	uint64_t first, last; /* numbers of the lines read; 0: none */
	uint64_t signed_upto; /* last line under a good signature */
	const char *fault;    /* NULL: none; else what is wrong */
	const char *file;     /* where, */
	uint64_t line;	      /* and in which line of it, from 1 */
};
/** Check the log from its oldest file to its signed end.
 * @param public_hex  the signer's key as path + ".pub" has it; NULL: read from there
 * @param witness     an older copy of the .head file, or NULL: its line must still be there unchanged
 * @retval GBA_E_CORRUPT  see fault  @retval GBA_E_NOT_FOUND, GBA_E_DENIED, GBA_E_IO, GBA_E_NOMEM */
enum gba_err audit_verify(TALLOC_CTX *mem_ctx, const char *path, const char *public_hex, const char *witness,
			  struct audit_report *_report);

/** Every line from the oldest file on, unchecked: without its hash and end, as one JSON object. Stop by returning false. */
typedef bool (*audit_each)(void *arg, struct bytes json);
enum gba_err audit_read(TALLOC_CTX *mem_ctx, const char *path, audit_each each, void *arg);

#endif
