/* SPDX-License-Identifier: Apache-2.0 */
/** Taking subscribers over: readers of foreign formats hand rows of text to one engine that checks, compares and
 * stores. */
#ifndef GBA_CTL_IMPORT_H
#define GBA_CTL_IMPORT_H

#include "cli/progress.h"
#include "tools/gba-ctl/seen.h"
#include "tools/gba-ctl/sub_common.h"

/** What a source says of one subscriber: views, valid during import_row(); absent where it says nothing. */
struct import_row {
	uint64_t line; /* line, or number of the record where there are no lines */
	struct bytes impi, imsi, impus, msisdn, k, op, opc, provisioned, amf, sqn, ind_bits, algorithm, res_len,
		iterations, state, guss;
};

struct import {
	struct ctl *ctl;
	struct sub_files files; /* store NULL: a dry run without database */
	const char *path;
	bool dry_run, lte; /* lte: the source's AMF is that of EPS vectors */
	uint64_t margin;   /* [SEQs] */
	unsigned int mnc_digits, ind_bits;
	struct bytes op; /* for rows without OP and OPc */
	uint8_t amf[AKA_AMF_LEN];
	TALLOC_CTX *row_ctx;
	struct seen *seen;
	struct progress progress;
	bool row_cleared; /* what to count once the row is accepted: separation bit cleared, */
	int row_ind;	  /* IND of its SQN, -1: none */
	uint64_t in_batch, batch_at, fresh, same, changed, rejected, separation_cleared;
	uint64_t inds[SQN_ARRAY_MAX]; /* how many rows' SQN ended in this IND */
	enum gba_err status;         /* first failure that ended the import */
};

/** Check, compare, store one row. False: the store failed, stop (imp->status says why, it has been reported). */
bool import_row(struct import *imp, const struct import_row *row);
/** Report a row that cannot even be read. */
void import_reject(struct import *imp, uint64_t line, struct bytes who, const char *reason);

/** Readers: false when the source cannot be read at all or the store failed; both have been reported. */
bool import_csv(struct import *imp);
bool import_json(struct import *imp, bool pyhss);
bool import_osmo_hlr(struct import *imp);

#endif
