/* SPDX-License-Identifier: Apache-2.0 */
/* subscriber add, subscriber set: options into a record. */
#include <string.h>

#include "core/clock.h"
#include "tools/gba-ctl/fields.h"
#include "tools/gba-ctl/sub_common.h"

static enum gba_err bad(struct ctl *ctl, const char *name, const char *value)
{
	return cli_bad_value(&ctl->cli, sub_add_opts, name, value);
}

/* A number option into *_value when given. */
static enum gba_err number(struct ctl *ctl, const char *name, const char *given, uint64_t min, uint64_t max, uint64_t *_value)
{
	if (given != NULL && field_number(bytes_of(given), min, max, _value) != GBA_OK)
		return bad(ctl, name, given);
	return GBA_OK;
}

static enum gba_err word(struct ctl *ctl, const char *name, const char *given, const char *const *names, unsigned int *_index)
{
	if (given != NULL && field_word(bytes_of(given), names, _index) != GBA_OK)
		return bad(ctl, name, given);
	return GBA_OK;
}

static enum gba_err numbers_apply(struct ctl *ctl, struct subscriber *sub)
{
	uint64_t res_len = sub->res_len, iterations = sub->tuak_iterations, ind_bits = sub->ind_bits;
	unsigned int alg = sub->alg, state = sub->state;
	enum gba_err err;

	err = word(ctl, "--algorithm", ctl->args->algorithm, subscriber_alg_names, &alg);
	if (err == GBA_OK)
		err = word(ctl, "--state", ctl->args->state, subscriber_state_names, &state);
	if (err == GBA_OK)
		err = number(ctl, "--res-len", ctl->args->res_len, 4, AKA_RES_MAX, &res_len);
	if (err == GBA_OK)
		err = number(ctl, "--tuak-iterations", ctl->args->tuak_iterations, 1, 255, &iterations);
	if (err == GBA_OK)
		err = number(ctl, "--ind-bits", ctl->args->ind_bits, 0, SQN_IND_BITS_MAX, &ind_bits);
	if (err == GBA_OK && ctl->args->amf != NULL &&
	    field_amf(bytes_of(ctl->args->amf), sub->amf) != GBA_OK)
		err = bad(ctl, "--amf", ctl->args->amf);
	sub->alg = (enum aka_alg)alg;
	sub->state = (enum subscriber_state)state;
	sub->res_len = (uint32_t)res_len;
	sub->tuak_iterations = (uint32_t)iterations;
	sub->ind_bits = (unsigned int)ind_bits;
	return err;
}

static enum gba_err identities_apply(struct ctl *ctl, struct subscriber *sub)
{
	const struct cli_list *impu = &ctl->args->impu;
	char *lines = talloc_strdup(ctl->cli.ctx, "");
	size_t i;

	if (ctl->args->imsi != NULL)
		sub->imsi = bytes_of(ctl->args->imsi);
	if (impu->n == 0)
		return GBA_OK;
	for (i = 0; i < impu->n && strcmp(impu->v[0], "none") != 0; i++)
		lines = talloc_asprintf_append(lines, "%s%s", i > 0 ? "\n" : "", impu->v[i]);
	sub->impus = lines != NULL && lines[0] != '\0' ? bytes_of(lines) : BYTES_NONE;
	return GBA_OK;
}

static enum gba_err guss_apply(struct ctl *ctl, struct subscriber *sub)
{
	const char *path = ctl->args->guss, *why = "";
	struct bytes xml;
	enum gba_err err;

	if (path != NULL && strcmp(path, "none") == 0) {
		err = subscriber_clear_guss(ctl->cli.ctx, sub, clock_now());
		return ctl_fail_err(ctl, err, "--guss");
	}
	if (path == NULL)
		return GBA_OK;
	err = sub_read_file(ctl, path, GUSS_XML_MAX, &xml);
	if (err != GBA_OK)
		return err;
	err = subscriber_set_guss(ctl->cli.ctx, sub, xml, clock_now(), &why);
	return err == GBA_OK ? GBA_OK : why_fail(&ctl->cli.why, GBA_E_SYNTAX, "%s: %s", path, why);
}

static enum gba_err uicc_apply(struct ctl *ctl, struct subscriber *sub)
{
	unsigned int uicc = sub->uicc;
	enum gba_err err = word(ctl, "--uicc", ctl->args->uicc, subscriber_uicc_names, &uicc);

	if (err != GBA_OK)
		return err;
	err = subscriber_set_uicc(ctl->cli.ctx, sub, (enum guss_uicc)uicc, clock_now());
	if (err == GBA_E_EXISTS)
		return why_fail(&ctl->cli.why, GBA_E_SYNTAX, "--uicc: the GUSS says %s; give a new GUSS",
				subscriber_uicc_names[sub->uicc]);
	return ctl_fail_err(ctl, err, "--uicc");
}

static enum gba_err options_apply(struct ctl *ctl, struct subscriber *sub)
{
	const char *why = "";
	enum gba_err err;

	err = numbers_apply(ctl, sub);
	if (err == GBA_OK)
		err = identities_apply(ctl, sub);
	if (err == GBA_OK)
		err = guss_apply(ctl, sub);
	if (err == GBA_OK)
		err = uicc_apply(ctl, sub);
	if (err == GBA_OK && subscriber_check(sub, &why) != GBA_OK)
		err = why_fail(&ctl->cli.why, GBA_E_SYNTAX, "%s", why);
	return err;
}

static enum gba_err keys_read(struct ctl *ctl, const struct subscriber *sub, struct subscriber_keys *keys)
{
	const char *why = "";
	struct bytes k, op, opc;
	enum gba_err err;

	err = sub_key_text(ctl, "--k", ctl->args->k, ctl->args->k_file, &k);
	if (err == GBA_OK)
		err = sub_key_text(ctl, "--op", ctl->args->op, ctl->args->op_file, &op);
	if (err == GBA_OK)
		err = sub_key_text(ctl, "--opc", ctl->args->opc, ctl->args->opc_file, &opc);
	if (err != GBA_OK)
		return err;
	if (op.p != NULL && opc.p != NULL)
		return why_fail(&ctl->cli.why, GBA_E_SYNTAX, "OP and OPc exclude each other");
	if (field_keys(sub, k, op, opc, keys, &why) != GBA_OK)
		return why_fail(&ctl->cli.why, GBA_E_SYNTAX, "%s", why);
	return GBA_OK;
}

/* The record has keys, as all have; that nobody else has them is why AKA never succeeds. */
static enum gba_err keys_draw(struct ctl *ctl, const struct subscriber *sub, struct subscriber_keys *keys)
{
	const struct sub_args *a = ctl->args;

	if (a->k != NULL || a->k_file != NULL || a->op != NULL || a->op_file != NULL || a->opc != NULL || a->opc_file != NULL)
		return why_fail(&ctl->cli.why, GBA_E_SYNTAX, "--no-aka and keys exclude each other");
	memset(keys, 0, sizeof(*keys));
	keys->k_len = 16;
	rand_bytes(keys->k, keys->k_len);
	rand_bytes(keys->opc, subscriber_op_len(sub->alg));
	return GBA_OK;
}

static enum gba_err seal_keys(struct ctl *ctl, struct sub_files *files, struct subscriber *sub,
			       struct subscriber_keys *keys)
{
	enum gba_err err = subscriber_seal(ctl->cli.ctx, files->kek, sub, keys);

	secret_wipe(keys, sizeof(*keys));
	if (err == GBA_E_RANGE)
		return why_fail(&ctl->cli.why, GBA_E_SYNTAX, "the algorithm has no such length of K or RES");
	return ctl_fail_err(ctl, err, "keys");
}

static enum gba_err impi_of_arguments(struct ctl *ctl, char impi[IMPI_MAX + 1])
{
	struct bytes imsi = bytes_of(ctl->args->imsi);
	uint64_t mnc = 2;
	enum gba_err err = number(ctl, "--mnc-length", ctl->args->mnc_length, 2, 3, &mnc);

	if (err != GBA_OK)
		return err;
	if (ctl->cli.operand_count == 1)
		return subscriber_impi(bytes_of(ctl->cli.operands[0]), impi) == GBA_OK
			       ? GBA_OK
			       : why_fail(&ctl->cli.why, GBA_E_SYNTAX, "'%s' is not an IMPI (user@realm)", ctl->cli.operands[0]);
	if (imsi.p == NULL)
		return why_fail(&ctl->cli.why, GBA_E_SYNTAX, "an IMPI or --imsi is needed");
	return field_impi(imsi, (unsigned int)mnc, ctl->args->realm, impi) == GBA_OK
		       ? GBA_OK
		       : bad(ctl, "--imsi", (const char *)imsi.p);
}

/* The SEQ that stands after the change: --sqn, or the one in force at this moment, in the new size of IND. Called with
 * the write lock held: a running hss-stub goes on leasing until then. */
static enum gba_err seq_settle(struct ctl *ctl, uint64_t current, unsigned int ind_bits_before, struct subscriber *sub)
{
	uint64_t highest = sqn_make(current, (1U << ind_bits_before) - 1, ind_bits_before), sqn = 0;
	enum gba_err err = number(ctl, "--sqn", ctl->args->sqn, 0, AKA_SQN_MAX, &sqn);

	if (err != GBA_OK)
		return err;
	sub->seq = sub->ind_bits == ind_bits_before ? current : highest >> sub->ind_bits;
	if (ctl->args->sqn == NULL)
		return GBA_OK;
	if (sqn >> sub->ind_bits < sub->seq && !ctl->args->force)
		return why_fail(&ctl->cli.why, GBA_E_DENIED,
				"--sqn is below the one in force (%llu): the card would refuse it, or a number be used "
				"twice; --force if the card was reset too",
				(unsigned long long)sqn_make(sub->seq, 0, sub->ind_bits));
	sub->seq = sqn >> sub->ind_bits;
	return GBA_OK;
}

static enum gba_err update_one(struct ctl *ctl, struct sub_files *files, struct subscriber *sub,
				const struct subscriber *before)
{
	uint64_t current = 0;
	enum gba_err err;

	err = sub_store_seq(files->store, sub->id, &current);
	if (err != GBA_OK)
		return ctl_fail_err(ctl, err, ctl->cli.operands[0]);
	err = seq_settle(ctl, current, before->ind_bits, sub);
	if (err != GBA_OK)
		return err;
	err = sub_store_update(files->store, sub, clock_now());
	if (err == GBA_OK)
		err = grant_subscriber_changed(files->mapping, before, sub, clock_now());
	if (err == GBA_OK && sub->seq != current)
		err = sub_store_set_seq(files->store, sub->id, sub->seq);
	return ctl_fail_err(ctl, err, ctl->cli.operands[0]);
}

static enum gba_err add_one(struct ctl *ctl, struct sub_files *files, struct subscriber *sub)
{
	uint64_t sqn = 0;
	enum gba_err err = number(ctl, "--sqn", ctl->args->sqn, 0, AKA_SQN_MAX, &sqn);

	if (err != GBA_OK)
		return err;
	sub->seq = sqn >> sub->ind_bits;
	err = sub_store_add(files->store, sub, clock_now());
	return ctl_fail_err(ctl, err, (const char *)sub->impi.p);
}

/* All or nothing; a dry run goes all the way, then takes it back. */
static enum gba_err store_one(struct ctl *ctl, struct sub_files *files, struct subscriber *sub,
			       const struct subscriber *before)
{
	enum gba_err err = sub_store_begin(files->store);

	if (err != GBA_OK)
		return ctl_fail_err(ctl, err, ctl->db);
	err = sub->id == 0 ? add_one(ctl, files, sub) : update_one(ctl, files, sub, before);
	if (err != GBA_OK || ctl->args->dry_run) {
		sub_store_rollback(files->store);
		return err;
	}
	err = sub_store_commit(files->store);
	return ctl_fail_err(ctl, err, ctl->db);
}

enum gba_err cmd_subscriber_add(struct cli *cli, void *args)
{
	struct ctl *ctl = sub_ctl(cli, args);
	struct subscriber_keys keys = { 0 };
	struct subscriber sub;
	struct sub_files files;
	char impi[IMPI_MAX + 1];
	enum gba_err err;

	subscriber_init(&sub);
	err = impi_of_arguments(ctl, impi);
	if (err != GBA_OK)
		return err;
	sub.impi = bytes_of(impi);
	err = options_apply(ctl, &sub);
	if (err == GBA_OK)
		err = sub_files_open(ctl, SUB_CREATE, true, &files);
	if (err == GBA_OK)
		err = ctl->args->no_aka ? keys_draw(ctl, &sub, &keys) : keys_read(ctl, &sub, &keys);
	if (err == GBA_OK)
		err = seal_keys(ctl, &files, &sub, &keys);
	if (err == GBA_OK)
		err = store_one(ctl, &files, &sub, NULL);
	if (err == GBA_OK)
		sub_write(ctl->cli.out, &sub, NULL);
	return err;
}

/* What is given replaces what is stored; another algorithm has other keys. Either way they are checked and sealed again:
 * parameters may have changed. */
static enum gba_err keys_change(struct ctl *ctl, struct sub_files *files, struct subscriber *sub, enum aka_alg alg_before)
{
	struct subscriber_keys keys = { 0 };
	struct subscriber before = *sub;
	enum gba_err err = GBA_OK;

	before.alg = alg_before;
	if (sub->alg == alg_before)
		err = subscriber_unseal(files->kek, &before, &keys);
	if (err != GBA_OK)
		return ctl_fail_err(ctl, err, "keys");
	err = keys_read(ctl, sub, &keys);
	if (err == GBA_OK)
		err = seal_keys(ctl, files, sub, &keys);
	SECRET_WIPE(keys);
	return err;
}

enum gba_err cmd_subscriber_set(struct cli *cli, void *args)
{
	struct ctl *ctl = sub_ctl(cli, args);
	struct subscriber *sub = NULL;
	struct sub_files files;
	enum aka_alg alg_before;
	struct subscriber before;
	enum gba_err err;

	err = sub_files_open(ctl, SUB_CHANGE, true, &files);
	if (err == GBA_OK)
		err = sub_find(ctl, &files, ctl->cli.operands[0], &sub);
	if (err != GBA_OK)
		return err;
	alg_before = sub->alg;
	before = *sub;
	err = options_apply(ctl, sub);
	if (err == GBA_OK)
		err = keys_change(ctl, &files, sub, alg_before);
	if (err == GBA_OK)
		err = store_one(ctl, &files, sub, &before);
	if (err == GBA_OK)
		sub_write(ctl->cli.out, sub, NULL);
	return err;
}
