/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/gba-ctl/import.h"

#include <string.h>
#include <unistd.h>

#include "core/clock.h"
#include "store/db.h"
#include "tools/gba-ctl/fields.h"

#define BATCH          1000 /* rows per commit */
#define BATCH_MS       200  /* and not longer: less than who waits for a vector has patience */
#define PAUSE_US       2000 /* between batches: a running hss-stub gets the write lock */
#define MARGIN_DEFAULT 1000

void import_reject(struct import *imp, uint64_t line, struct bytes who, const char *reason)
{
	imp->rejected++;
	if (!imp->ctl->cli.json) {
		progress_end(&imp->progress);
		fprintf(stderr, "%s:%llu: rejected: %s\n", imp->path, (unsigned long long)line, reason);
		return;
	}
	writer_int(imp->ctl->cli.out, "line", (int64_t)line);
	writer_text(imp->ctl->cli.out, "id", who);
	writer_text(imp->ctl->cli.out, "result", bytes_of("rejected"));
	writer_text(imp->ctl->cli.out, "reason", bytes_of(reason));
	writer_end(imp->ctl->cli.out);
}

static bool stop(struct import *imp, enum gba_err err, const char *what)
{
	progress_end(&imp->progress);
	imp->status = ctl_fail_err(imp->ctl, err, what);
	return false;
}

/* Texts of the row into numbers of the record. Gives the reason of a refusal, NULL when all is well. */
static const char *numbers_apply(const struct import *imp, const struct import_row *row, struct subscriber *sub)
{
	unsigned int alg = sub->alg, state = sub->state;
	uint64_t res_len = sub->res_len, iterations = sub->tuak_iterations,
		 ind_bits = sub->id != 0 ? sub->ind_bits : imp->ind_bits;

	if (row->algorithm.p != NULL && field_word(row->algorithm, subscriber_alg_names, &alg) != GBA_OK)
		return "algorithm is not milenage or tuak";
	if (row->state.p != NULL && field_word(row->state, subscriber_state_names, &state) != GBA_OK)
		return "state is not active or barred";
	if (row->res_len.p != NULL && field_number(row->res_len, 4, AKA_RES_MAX, &res_len) != GBA_OK)
		return "res_len is out of range";
	if (row->iterations.p != NULL && field_number(row->iterations, 1, 255, &iterations) != GBA_OK)
		return "tuak_iterations is out of range";
	if (row->ind_bits.p != NULL && field_number(row->ind_bits, 0, SQN_IND_BITS_MAX, &ind_bits) != GBA_OK)
		return "IND has more than 8 bits";
	sub->alg = (enum aka_alg)alg;
	sub->state = (enum subscriber_state)state;
	sub->res_len = (uint32_t)res_len;
	sub->tuak_iterations = (uint32_t)iterations;
	sub->ind_bits = (unsigned int)ind_bits;
	return NULL;
}

/* The separation bit marks vectors of EPS (TS 33.102 Annex H): ours are for UMTS AKA. */
static const char *amf_apply(struct import *imp, const struct import_row *row, struct subscriber *sub)
{
	if (row->amf.p == NULL) {
		if (sub->id == 0)
			memcpy(sub->amf, imp->amf, AKA_AMF_LEN);
		return NULL;
	}
	if (field_amf(row->amf, sub->amf) != GBA_OK)
		return "AMF is not four hex digits";
	if (imp->lte && (sub->amf[0] & 0x80) != 0) {
		sub->amf[0] &= 0x7f;
		imp->row_cleared = true;
	}
	return NULL;
}

static const char *identities_apply(struct import *imp, const struct import_row *row, struct subscriber *sub)
{
	char *tel;

	if (row->imsi.p != NULL)
		sub->imsi = row->imsi;
	if (row->impus.p != NULL && row->impus.n > 0) {
		uint8_t *lines = talloc_memdup(imp->row_ctx, row->impus.p, row->impus.n);
		size_t i;

		for (i = 0; lines != NULL && i < row->impus.n; i++)
			lines[i] = lines[i] == ' ' ? '\n' : lines[i];
		sub->impus = BYTES(lines, lines != NULL ? row->impus.n : 0);
	} else if (row->msisdn.n > 0 && sub->impus.p == NULL) {
		struct bytes number = row->msisdn.p[0] == '+' ? BYTES(row->msisdn.p + 1, row->msisdn.n - 1) : row->msisdn;

		tel = talloc_asprintf(imp->row_ctx, "tel:+%.*s", BYTES_FMT(number));
		sub->impus = bytes_of(tel);
	}
	return NULL;
}

static const char *guss_apply(struct import *imp, const struct import_row *row, struct subscriber *sub)
{
	const char *why = NULL;

	if (row->guss.n == 0 || bytes_eq(row->guss, sub->guss))
		return NULL;
	return subscriber_set_guss(imp->row_ctx, sub, row->guss, clock_now(), &why) == GBA_OK ? NULL : why;
}

static const char *keys_apply(struct import *imp, const struct import_row *row, struct subscriber *sub,
			      struct subscriber_keys *keys)
{
	struct bytes opc = bytes_eq_nocase(row->provisioned, bytes_of("op")) ? BYTES_NONE : row->opc;
	struct bytes op = row->op.n > 0 ? row->op : opc.n == 0 ? imp->op : BYTES_NONE;
	const char *why = NULL;

	if (field_keys(sub, row->k, op, opc, keys, &why) != GBA_OK)
		return why;
	if (subscriber_keys_complete(sub, keys) != GBA_OK)
		return "the algorithm has no such length of K or RES";
	sub->op_given = keys->op_given;
	return NULL;
}

static const char *sqn_apply(struct import *imp, const struct import_row *row, struct subscriber *sub)
{
	uint64_t sqn = 0, seq;

	if (row->sqn.n > 0 && field_number(row->sqn, 0, AKA_SQN_MAX, &sqn) != GBA_OK)
		return "SQN is not a number of 48 bits";
	if (sqn != 0)
		imp->row_ind = (int)(sqn & ((1U << sub->ind_bits) - 1));
	seq = (sqn >> sub->ind_bits) + imp->margin;
	if (seq > subscriber_seq_max(sub->ind_bits))
		return "no SQN is left above the imported one and the margin";
	if (seq > sub->seq)
		sub->seq = seq;
	return NULL;
}

static const char *row_apply(struct import *imp, const struct import_row *row, struct subscriber *sub,
			     struct subscriber_keys *keys)
{
	const char *why = numbers_apply(imp, row, sub);

	if (why == NULL)
		why = amf_apply(imp, row, sub);
	if (why == NULL)
		why = identities_apply(imp, row, sub);
	if (why == NULL)
		why = guss_apply(imp, row, sub);
	if (why == NULL)
		why = sqn_apply(imp, row, sub);
	if (why == NULL && subscriber_check(sub, &why) == GBA_OK)
		why = keys_apply(imp, row, sub, keys);
	return why;
}

static bool keys_equal(struct import *imp, const struct subscriber *old, const struct subscriber_keys *keys)
{
	struct subscriber_keys stored;
	bool equal;

	if (subscriber_unseal(imp->files.kek, old, &stored) != GBA_OK)
		return false; /* sealed under a key that is lost: the import repairs it */
	equal = bytes_eq_secret(BYTES(&stored, sizeof(stored)), BYTES(keys, sizeof(*keys)));
	SECRET_WIPE(stored);
	return equal;
}

static bool records_equal(const struct subscriber *a, const struct subscriber *b)
{
	return a->alg == b->alg && a->res_len == b->res_len && a->tuak_iterations == b->tuak_iterations &&
	       a->ind_bits == b->ind_bits && a->state == b->state && a->seq == b->seq && a->op_given == b->op_given &&
	       memcmp(a->amf, b->amf, AKA_AMF_LEN) == 0 && bytes_eq(a->imsi, b->imsi) && bytes_eq(a->impus, b->impus) &&
	       bytes_eq(a->guss, b->guss);
}

static enum gba_err batch_begin(struct import *imp)
{
	enum gba_err err;

	if (imp->dry_run || imp->in_batch++ > 0)
		return GBA_OK;
	err = sub_store_begin(imp->files.store);
	imp->batch_at = clock_mono_ms();
	if (err != GBA_OK)
		imp->in_batch = 0;
	return err;
}

static bool batch_full(const struct import *imp)
{
	return imp->in_batch >= BATCH || (imp->in_batch > 0 && clock_mono_ms() - imp->batch_at >= BATCH_MS);
}

static enum gba_err batch_commit(struct import *imp)
{
	if (imp->dry_run || imp->in_batch == 0)
		return GBA_OK;
	imp->in_batch = 0;
	return sub_store_commit(imp->files.store);
}

static enum gba_err store_new(struct import *imp, struct subscriber *sub, struct subscriber_keys *keys)
{
	enum gba_err err;

	imp->fresh++;
	if (imp->dry_run)
		return GBA_OK;
	err = subscriber_seal(imp->row_ctx, imp->files.kek, sub, keys);
	return err == GBA_OK ? sub_store_add(imp->files.store, sub, clock_now()) : err;
}

static enum gba_err store_changed(struct import *imp, const struct subscriber *old, struct subscriber *sub,
				  struct subscriber_keys *keys)
{
	enum gba_err err;

	if (records_equal(old, sub) && keys_equal(imp, old, keys)) {
		imp->same++;
		return GBA_OK;
	}
	imp->changed++;
	if (imp->dry_run)
		return GBA_OK;
	err = subscriber_seal(imp->row_ctx, imp->files.kek, sub, keys);
	if (err == GBA_OK)
		err = sub_store_update(imp->files.store, sub, clock_now());
	if (err == GBA_OK)
		err = grant_subscriber_changed(imp->files.mapping, old, sub, clock_now());
	if (err == GBA_OK && sub->seq != old->seq)
		err = sub_store_set_seq(imp->files.store, sub->id, sub->seq);
	return err;
}

static enum gba_err find_old(struct import *imp, struct bytes impi, struct subscriber **_old)
{
	enum gba_err err = imp->files.store != NULL ? sub_store_find(imp->files.store, imp->row_ctx, impi, _old)
						    : GBA_E_IMPI_UNKNOWN;

	if (err == GBA_E_IMPI_UNKNOWN)
		*_old = NULL;
	return err == GBA_E_IMPI_UNKNOWN ? GBA_OK : err;
}

static void count_accepted(struct import *imp)
{
	imp->separation_cleared += imp->row_cleared;
	if (imp->row_ind >= 0)
		imp->inds[imp->row_ind]++;
}

static enum gba_err row_store(struct import *imp, const struct import_row *row, const char *impi)
{
	struct subscriber *old = NULL, sub;
	struct subscriber_keys keys = { 0 };
	const char *why;
	enum gba_err err;

	err = batch_begin(imp);
	if (err == GBA_OK)
		err = find_old(imp, bytes_of(impi), &old);
	if (err != GBA_OK)
		return err;
	subscriber_init(&sub);
	if (old != NULL)
		sub = *old;
	sub.impi = bytes_of(impi);
	imp->row_cleared = false;
	imp->row_ind = -1;
	why = row_apply(imp, row, &sub, &keys);
	if (why != NULL) {
		import_reject(imp, row->line, bytes_of(impi), why);
	} else {
		count_accepted(imp);
		err = old == NULL ? store_new(imp, &sub, &keys) : store_changed(imp, old, &sub, &keys);
	}
	SECRET_WIPE(keys);
	return err;
}

static const char *impi_of_row(const struct import *imp, const struct import_row *row, char impi[IMPI_MAX + 1])
{
	if (row->impi.n > 0)
		return subscriber_impi(row->impi, impi) == GBA_OK ? NULL : "IMPI is not user@realm";
	if (row->imsi.n == 0)
		return "neither IMPI nor IMSI";
	return field_impi(row->imsi, imp->mnc_digits, imp->ctl->args->realm, impi) == GBA_OK
		       ? NULL
		       : "IMSI is not 6 to 15 digits";
}

bool import_row(struct import *imp, const struct import_row *row)
{
	char impi[IMPI_MAX + 1], reason[64];
	const char *why = impi_of_row(imp, row, impi);
	enum gba_err err = GBA_OK;
	uint64_t first;

	if (why != NULL) {
		import_reject(imp, row->line, row->imsi, why);
		return true;
	}
	first = seen_add(imp->seen, bytes_of(impi), row->line);
	if (first == UINT64_MAX)
		return stop(imp, GBA_E_NOMEM, imp->path);
	if (first != 0) {
		snprintf(reason, sizeof(reason), "the subscriber stands in line %llu already",
			 (unsigned long long)first);
		import_reject(imp, row->line, bytes_of(impi), reason);
		return true;
	}
	err = row_store(imp, row, impi);
	talloc_free_children(imp->row_ctx);
	if (err != GBA_OK)
		return stop(imp, err, imp->ctl->db);
	if (batch_full(imp)) {
		err = batch_commit(imp);
		if (err != GBA_OK)
			return stop(imp, err, imp->ctl->db);
		usleep(PAUSE_US);
	}
	return true;
}

static void summary(struct import *imp)
{
	struct writer *out = imp->ctl->cli.out;

	writer_int(out, "new", (int64_t)imp->fresh);
	writer_int(out, "same", (int64_t)imp->same);
	writer_int(out, "changed", (int64_t)imp->changed);
	writer_int(out, "rejected", (int64_t)imp->rejected);
	writer_text(out, "stored", bytes_of(imp->dry_run ? "no (dry run)" : "yes"));
	writer_int(out, "sqn_margin", (int64_t)imp->margin);
	writer_end(out);
}

/* Two AuCs that serve one card with the same IND make each other's SQNs fail. */
static void advise(const struct import *imp)
{
	unsigned int ind, used = 0, unused = 0;
	char list[128] = "";
	size_t n = 0;

	for (ind = 0; ind < SQN_ARRAY_MAX; ind++) {
		if (imp->inds[ind] == 0)
			continue;
		used++;
		if (n < sizeof(list) - 8)
			n += (size_t)snprintf(list + n, sizeof(list) - n, "%s%u", n > 0 ? ", " : "", ind);
	}
	while (unused < SQN_ARRAY_MAX && imp->inds[unused] != 0)
		unused++;
	if (used > 0)
		fprintf(stderr,
			"gba-ctl: the source's SQNs end in IND %s: if it goes on serving these cards, give our BSFs "
			"another ind "
			"(%u is free)\n",
			list, unused);
	if (imp->separation_cleared > 0)
		fprintf(stderr,
			"gba-ctl: AMF separation bit cleared in %llu rows (TS 33.102 Annex H: it marks EPS vectors)\n",
			(unsigned long long)imp->separation_cleared);
	if (!imp->dry_run && imp->fresh + imp->changed > 0)
		fprintf(stderr, "gba-ctl: keys are sealed now; %s still holds them in clear (shred -u %s)\n", imp->path,
			imp->path);
}

static enum gba_err options_read(struct import *imp)
{
	struct ctl *ctl = imp->ctl;
	uint64_t mnc = 2, ind_bits = SQN_IND_BITS_DEFAULT;

	imp->margin = MARGIN_DEFAULT;
	if (ctl->args->margin != NULL &&
	    field_number(bytes_of(ctl->args->margin), 0, UINT64_C(1) << 28, &imp->margin) != GBA_OK)
		return why_fail(&ctl->cli.why, GBA_E_SYNTAX, "--margin: 0 to 2^28 SEQ steps");
	if (ctl->args->mnc_length != NULL && field_number(bytes_of(ctl->args->mnc_length), 2, 3, &mnc) != GBA_OK)
		return why_fail(&ctl->cli.why, GBA_E_SYNTAX, "--mnc-length: 2 or 3");
	if (ctl->args->ind_bits != NULL &&
	    field_number(bytes_of(ctl->args->ind_bits), 0, SQN_IND_BITS_MAX, &ind_bits) != GBA_OK)
		return why_fail(&ctl->cli.why, GBA_E_SYNTAX, "--ind-bits: 0 to 8");
	if (ctl->args->amf != NULL && field_amf(bytes_of(ctl->args->amf), imp->amf) != GBA_OK)
		return why_fail(&ctl->cli.why, GBA_E_SYNTAX, "--amf: four hex digits");
	imp->mnc_digits = (unsigned int)mnc;
	imp->ind_bits = (unsigned int)ind_bits;
	return sub_key_text(ctl, "--op", ctl->args->op, ctl->args->op_file, &imp->op);
}

static enum gba_err files_open(struct import *imp)
{
	if (imp->dry_run && !db_is_server(imp->ctl->db) && access(imp->ctl->db, F_OK) != 0)
		return GBA_OK; /* nothing is made by a dry run */
	return sub_files_open(imp->ctl, imp->dry_run ? SUB_READ : SUB_CREATE, true, &imp->files);
}

static bool read_source(struct import *imp, unsigned int kind)
{
	switch (kind) {
	case 0: return import_csv(imp);
	case 1:
	case 2: imp->lte = true; return import_json(imp, kind == 2);
	case 3: return import_osmo_hlr(imp);
	default: return import_json(imp, false); /* our own export */
	}
}

enum gba_err cmd_subscriber_import(struct cli *cli, void *args)
{
	struct ctl *ctl = sub_ctl(cli, args);
	static const char *const kinds[] = { "csv", "open5gs", "pyhss", "osmo-hlr", "json", NULL };
	struct import imp = { .ctl = ctl, .path = ctl->cli.operands[0], .dry_run = ctl->args->dry_run };
	unsigned int kind = 0;
	enum gba_err err;

	if (ctl->args->from == NULL || field_word(bytes_of(ctl->args->from), kinds, &kind) != GBA_OK)
		return why_fail(&ctl->cli.why, GBA_E_SYNTAX, "--from csv, open5gs, pyhss, osmo-hlr or json is needed");
	err = options_read(&imp);
	if (err == GBA_OK)
		err = files_open(&imp);
	if (err != GBA_OK)
		return err;
	imp.row_ctx = talloc_new(ctl->cli.ctx);
	imp.seen = seen_new(ctl->cli.ctx);
	if (imp.row_ctx == NULL || imp.seen == NULL)
		return ctl_fail_err(ctl, GBA_E_NOMEM, imp.path);
	if (!read_source(&imp, kind)) {
		if (imp.in_batch > 0)
			sub_store_rollback(imp.files.store);
		return imp.status != GBA_OK ? imp.status : GBA_E_UNREACHABLE;
	}
	err = batch_commit(&imp);
	progress_end(&imp.progress);
	if (err != GBA_OK)
		return ctl_fail_err(ctl, err, ctl->db);
	summary(&imp);
	advise(&imp);
	if (imp.rejected > 0)
		ctl->cli.exit = CLI_NEGATIVE;
	return GBA_OK;
}
