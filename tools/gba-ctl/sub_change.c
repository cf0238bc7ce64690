/* SPDX-License-Identifier: Apache-2.0 */
/* subscriber add, subscriber set: options into a record. */
#include <string.h>

#include "core/clock.h"
#include "tools/gba-ctl/fields.h"
#include "tools/gba-ctl/sub_common.h"

static enum ctl_exit bad(enum ctl_option_id id, const char *value)
{
	return ctl_fail(CTL_USAGE, "--%s: '%s' is not good (%s)", ctl_options[id].name, value, ctl_options[id].help);
}

/* A number option into *_value when given. */
static enum ctl_exit number(struct ctl *ctl, enum ctl_option_id id, uint64_t min, uint64_t max, uint64_t *_value)
{
	if (ctl_given(ctl, id) && field_number(bytes_of(ctl->option[id]), min, max, _value) != GBA_OK)
		return bad(id, ctl->option[id]);
	return CTL_DONE;
}

static enum ctl_exit word(struct ctl *ctl, enum ctl_option_id id, const char *const *names, unsigned int *_index)
{
	if (ctl_given(ctl, id) && field_word(bytes_of(ctl->option[id]), names, _index) != GBA_OK)
		return bad(id, ctl->option[id]);
	return CTL_DONE;
}

static enum ctl_exit numbers_apply(struct ctl *ctl, struct subscriber *sub)
{
	uint64_t res_len = sub->res_len, iterations = sub->tuak_iterations, ind_bits = sub->ind_bits;
	unsigned int alg = sub->alg, state = sub->state;
	enum ctl_exit status;

	status = word(ctl, OPT_ALGORITHM, subscriber_alg_names, &alg);
	if (status == CTL_DONE)
		status = word(ctl, OPT_STATE, subscriber_state_names, &state);
	if (status == CTL_DONE)
		status = number(ctl, OPT_RES_LEN, 4, AKA_RES_MAX, &res_len);
	if (status == CTL_DONE)
		status = number(ctl, OPT_TUAK_ITERATIONS, 1, 255, &iterations);
	if (status == CTL_DONE)
		status = number(ctl, OPT_IND_BITS, 0, SQN_IND_BITS_MAX, &ind_bits);
	if (status == CTL_DONE && ctl_given(ctl, OPT_AMF) &&
	    field_amf(bytes_of(ctl->option[OPT_AMF]), sub->amf) != GBA_OK)
		status = bad(OPT_AMF, ctl->option[OPT_AMF]);
	sub->alg = (enum aka_alg)alg;
	sub->state = (enum subscriber_state)state;
	sub->res_len = (uint32_t)res_len;
	sub->tuak_iterations = (uint32_t)iterations;
	sub->ind_bits = (unsigned int)ind_bits;
	return status;
}

static enum ctl_exit identities_apply(struct ctl *ctl, struct subscriber *sub)
{
	char *lines = talloc_strdup(ctl->ctx, "");
	size_t i;

	if (ctl_given(ctl, OPT_IMSI))
		sub->imsi = bytes_of(ctl->option[OPT_IMSI]);
	if (ctl->impus == 0)
		return CTL_DONE;
	for (i = 0; i < ctl->impus && strcmp(ctl->impu[0], "none") != 0; i++)
		lines = talloc_asprintf_append(lines, "%s%s", i > 0 ? "\n" : "", ctl->impu[i]);
	sub->impus = lines != NULL && lines[0] != '\0' ? bytes_of(lines) : BYTES_NONE;
	return CTL_DONE;
}

static enum ctl_exit guss_apply(struct ctl *ctl, struct subscriber *sub)
{
	const char *path = ctl->option[OPT_GUSS], *why = "";
	struct bytes xml;
	enum ctl_exit status;
	enum gba_err err;

	if (path != NULL && strcmp(path, "none") == 0) {
		err = subscriber_clear_guss(ctl->ctx, sub, clock_now());
		return err == GBA_OK ? CTL_DONE : ctl_fail_err(err, "--guss");
	}
	if (path == NULL)
		return CTL_DONE;
	status = sub_read_file(ctl, path, GUSS_XML_MAX, &xml);
	if (status != CTL_DONE)
		return status;
	err = subscriber_set_guss(ctl->ctx, sub, xml, clock_now(), &why);
	return err == GBA_OK ? CTL_DONE : ctl_fail(CTL_USAGE, "%s: %s", path, why);
}

static enum ctl_exit uicc_apply(struct ctl *ctl, struct subscriber *sub)
{
	unsigned int uicc = sub->uicc;
	enum ctl_exit status = word(ctl, OPT_UICC, subscriber_uicc_names, &uicc);
	enum gba_err err;

	if (status != CTL_DONE)
		return status;
	err = subscriber_set_uicc(ctl->ctx, sub, (enum guss_uicc)uicc, clock_now());
	if (err == GBA_E_EXISTS)
		return ctl_fail(CTL_USAGE, "--uicc: the GUSS says %s; give a new GUSS",
				subscriber_uicc_names[sub->uicc]);
	return err == GBA_OK ? CTL_DONE : ctl_fail_err(err, "--uicc");
}

static enum ctl_exit options_apply(struct ctl *ctl, struct subscriber *sub)
{
	const char *why = "";
	enum ctl_exit status;

	status = numbers_apply(ctl, sub);
	if (status == CTL_DONE)
		status = identities_apply(ctl, sub);
	if (status == CTL_DONE)
		status = guss_apply(ctl, sub);
	if (status == CTL_DONE)
		status = uicc_apply(ctl, sub);
	if (status == CTL_DONE && subscriber_check(sub, &why) != GBA_OK)
		status = ctl_fail(CTL_USAGE, "%s", why);
	return status;
}

static enum ctl_exit keys_read(struct ctl *ctl, const struct subscriber *sub, struct subscriber_keys *keys)
{
	const char *why = "";
	struct bytes k, op, opc;
	enum ctl_exit status;

	status = sub_key_text(ctl, OPT_K, OPT_K_FILE, &k);
	if (status == CTL_DONE)
		status = sub_key_text(ctl, OPT_OP, OPT_OP_FILE, &op);
	if (status == CTL_DONE)
		status = sub_key_text(ctl, OPT_OPC, OPT_OPC_FILE, &opc);
	if (status != CTL_DONE)
		return status;
	if (op.p != NULL && opc.p != NULL)
		return ctl_fail(CTL_USAGE, "OP and OPc exclude each other");
	if (field_keys(sub, k, op, opc, keys, &why) != GBA_OK)
		return ctl_fail(CTL_USAGE, "%s", why);
	return CTL_DONE;
}

static enum ctl_exit seal_keys(struct ctl *ctl, struct sub_files *files, struct subscriber *sub,
			       struct subscriber_keys *keys)
{
	enum gba_err err = subscriber_seal(ctl->ctx, files->kek, sub, keys);

	secret_wipe(keys, sizeof(*keys));
	if (err == GBA_E_RANGE)
		return ctl_fail(CTL_USAGE, "the algorithm has no such length of K or RES");
	return err == GBA_OK ? CTL_DONE : ctl_fail_err(err, "keys");
}

static enum ctl_exit impi_of_arguments(struct ctl *ctl, char impi[IMPI_MAX + 1])
{
	struct bytes imsi = bytes_of(ctl->option[OPT_IMSI]);
	uint64_t mnc = 2;
	enum ctl_exit status = number(ctl, OPT_MNC_LENGTH, 2, 3, &mnc);

	if (status != CTL_DONE)
		return status;
	if (ctl->n_args == 1)
		return subscriber_impi(bytes_of(ctl->args[0]), impi) == GBA_OK
			       ? CTL_DONE
			       : ctl_fail(CTL_USAGE, "'%s' is not an IMPI (user@realm)", ctl->args[0]);
	if (imsi.p == NULL)
		return ctl_fail(CTL_USAGE, "an IMPI or --imsi is needed");
	return field_impi(imsi, (unsigned int)mnc, ctl->option[OPT_REALM], impi) == GBA_OK
		       ? CTL_DONE
		       : bad(OPT_IMSI, (const char *)imsi.p);
}

/* The SEQ that stands after the change: --sqn, or the one in force at this moment, in the new size of IND. Called with
 * the write lock held: a running hss-stub goes on leasing until then. */
static enum ctl_exit seq_settle(struct ctl *ctl, uint64_t current, unsigned int ind_bits_before, struct subscriber *sub)
{
	uint64_t highest = sqn_make(current, (1U << ind_bits_before) - 1, ind_bits_before), sqn = 0;
	enum ctl_exit status = number(ctl, OPT_SQN, 0, AKA_SQN_MAX, &sqn);

	if (status != CTL_DONE)
		return status;
	sub->seq = sub->ind_bits == ind_bits_before ? current : highest >> sub->ind_bits;
	if (!ctl_given(ctl, OPT_SQN))
		return CTL_DONE;
	if (sqn >> sub->ind_bits < sub->seq && !ctl_given(ctl, OPT_FORCE))
		return ctl_fail(CTL_REFUSED,
				"--sqn is below the one in force (%llu): the card would refuse it, or a number be used "
				"twice; --force if the card was reset too",
				(unsigned long long)sqn_make(sub->seq, 0, sub->ind_bits));
	sub->seq = sqn >> sub->ind_bits;
	return CTL_DONE;
}

static enum ctl_exit update_one(struct ctl *ctl, struct sub_files *files, struct subscriber *sub,
				unsigned int ind_bits_before)
{
	uint64_t current = 0;
	enum ctl_exit status;
	enum gba_err err;

	err = sub_store_seq(files->store, sub->id, &current);
	if (err != GBA_OK)
		return ctl_fail_err(err, ctl->args[0]);
	status = seq_settle(ctl, current, ind_bits_before, sub);
	if (status != CTL_DONE)
		return status;
	err = sub_store_update(files->store, sub, clock_now());
	if (err == GBA_OK && sub->seq != current)
		err = sub_store_set_seq(files->store, sub->id, sub->seq);
	return err == GBA_OK ? CTL_DONE : ctl_fail_err(err, ctl->args[0]);
}

static enum ctl_exit add_one(struct ctl *ctl, struct sub_files *files, struct subscriber *sub)
{
	uint64_t sqn = 0;
	enum ctl_exit status = number(ctl, OPT_SQN, 0, AKA_SQN_MAX, &sqn);
	enum gba_err err;

	if (status != CTL_DONE)
		return status;
	sub->seq = sqn >> sub->ind_bits;
	err = sub_store_add(files->store, sub, clock_now());
	return err == GBA_OK ? CTL_DONE : ctl_fail_err(err, (const char *)sub->impi.p);
}

/* All or nothing; a dry run goes all the way, then takes it back. */
static enum ctl_exit store_one(struct ctl *ctl, struct sub_files *files, struct subscriber *sub,
			       unsigned int ind_bits_before)
{
	enum gba_err err = sub_store_begin(files->store);
	enum ctl_exit status;

	if (err != GBA_OK)
		return ctl_fail_err(err, ctl->db);
	status = sub->id == 0 ? add_one(ctl, files, sub) : update_one(ctl, files, sub, ind_bits_before);
	if (status != CTL_DONE || ctl_given(ctl, OPT_DRY_RUN)) {
		sub_store_rollback(files->store);
		return status;
	}
	err = sub_store_commit(files->store);
	return err == GBA_OK ? CTL_DONE : ctl_fail_err(err, ctl->db);
}

enum ctl_exit cmd_subscriber_add(struct ctl *ctl)
{
	struct subscriber_keys keys = { 0 };
	struct subscriber sub;
	struct sub_files files;
	char impi[IMPI_MAX + 1];
	enum ctl_exit status;

	subscriber_init(&sub);
	status = impi_of_arguments(ctl, impi);
	if (status != CTL_DONE)
		return status;
	sub.impi = bytes_of(impi);
	status = options_apply(ctl, &sub);
	if (status == CTL_DONE)
		status = sub_files_open(ctl, SUB_CREATE, true, &files);
	if (status == CTL_DONE)
		status = keys_read(ctl, &sub, &keys);
	if (status == CTL_DONE)
		status = seal_keys(ctl, &files, &sub, &keys);
	if (status == CTL_DONE)
		status = store_one(ctl, &files, &sub, sub.ind_bits);
	if (status == CTL_DONE)
		sub_write(ctl->out, &sub, NULL);
	return status;
}

/* What is given replaces what is stored; another algorithm has other keys. Either way they are checked and sealed again:
 * parameters may have changed. */
static enum ctl_exit keys_change(struct ctl *ctl, struct sub_files *files, struct subscriber *sub, enum aka_alg alg_before)
{
	struct subscriber_keys keys = { 0 };
	struct subscriber before = *sub;
	enum ctl_exit status;
	enum gba_err err = GBA_OK;

	before.alg = alg_before;
	if (sub->alg == alg_before)
		err = subscriber_unseal(files->kek, &before, &keys);
	if (err != GBA_OK)
		return ctl_fail_err(err, "keys");
	status = keys_read(ctl, sub, &keys);
	if (status == CTL_DONE)
		status = seal_keys(ctl, files, sub, &keys);
	SECRET_WIPE(keys);
	return status;
}

enum ctl_exit cmd_subscriber_set(struct ctl *ctl)
{
	struct subscriber *sub = NULL;
	struct sub_files files;
	enum aka_alg alg_before;
	unsigned int ind_bits_before;
	enum ctl_exit status;

	status = sub_files_open(ctl, SUB_CHANGE, true, &files);
	if (status == CTL_DONE)
		status = sub_find(ctl, &files, ctl->args[0], &sub);
	if (status != CTL_DONE)
		return status;
	alg_before = sub->alg;
	ind_bits_before = sub->ind_bits;
	status = options_apply(ctl, sub);
	if (status == CTL_DONE)
		status = keys_change(ctl, &files, sub, alg_before);
	if (status == CTL_DONE)
		status = store_one(ctl, &files, sub, ind_bits_before);
	if (status == CTL_DONE)
		sub_write(ctl->out, sub, NULL);
	return status;
}
