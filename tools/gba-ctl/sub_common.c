/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/gba-ctl/sub_common.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/db.h"

#define KEY_LINE_MAX 256 /* [characters] */

enum gba_err sub_files_open(struct ctl *ctl, enum sub_open how, bool with_keys, struct sub_files *_files)
{
	const char *error = "";
	enum gba_err err;

	memset(_files, 0, sizeof(*_files));
	if (how != SUB_CREATE && !db_is_server(ctl->db) && access(ctl->db, F_OK) != 0)
		return why_fail(&ctl->cli.why, GBA_E_UNREACHABLE, "%s: %s", ctl->db, strerror(errno));
	err = sub_store_open(ctl->cli.ctx, ctl->db, &_files->store, &error);
	if (err == GBA_OK && how != SUB_READ) {
		_files->mapping = mapping_attach(ctl->cli.ctx, _files->store);
		err = _files->mapping != NULL ? GBA_OK : GBA_E_NOMEM;
	}
	if (err == GBA_OK && !ctl->args->dry_run && (how != SUB_READ || with_keys)) {
		err = ctl_audit_begin(ctl);
		if (err != GBA_OK)
			return err;
	}
	if (err == GBA_OK && with_keys) {
		err = hss_kek_open(ctl->cli.ctx, _files->store, ctl->kek, &_files->kek, &error);
		if (err == GBA_E_UNREACHABLE) /* a token, which has said what is missing */
			return why_fail(&ctl->cli.why, err, "%s", error);
	}
	if (err == GBA_OK)
		return GBA_OK;
	if (err == GBA_E_NOT_FOUND || err == GBA_E_UNSUPPORTED || err == GBA_E_INTERNAL || err == GBA_E_IO ||
	    (err == GBA_E_CONF && _files->store == NULL))
		return why_fail(&ctl->cli.why, GBA_E_UNREACHABLE, "%s", error); /* no file, or none of ours */
	return ctl_fail_err(ctl, err, error);
}

enum gba_err sub_find(struct ctl *ctl, struct sub_files *files, const char *text, struct subscriber **_sub)
{
	enum gba_err err;

	if (strspn(text, "0123456789") == strlen(text))
		err = sub_store_find_imsi(files->store, ctl->cli.ctx, bytes_of(text), _sub);
	else
		err = sub_store_find(files->store, ctl->cli.ctx, bytes_of(text), _sub);
	return ctl_fail_err(ctl, err, text);
}

static enum gba_err write_keys(struct writer *out, const struct subscriber *sub, struct kek *kek)
{
	struct subscriber_keys keys;
	size_t op_len = subscriber_op_len(sub->alg);
	enum gba_err err;

	err = subscriber_unseal(kek, sub, &keys);
	if (err != GBA_OK)
		return err;
	writer_hex(out, "k", BYTES(keys.k, keys.k_len));
	writer_hex(out, "opc", BYTES(keys.opc, op_len));
	if (keys.op_given)
		writer_hex(out, "op", BYTES(keys.op, op_len));
	else
		writer_text(out, "op", BYTES_NONE);
	SECRET_WIPE(keys);
	return GBA_OK;
}

enum gba_err sub_write(struct writer *out, const struct subscriber *sub, struct kek *kek)
{
	enum gba_err err;

	writer_text(out, "impi", sub->impi);
	writer_text(out, "imsi", sub->imsi);
	writer_list(out, "public_identities", sub->impus);
	writer_text(out, "algorithm", bytes_of(subscriber_alg_names[sub->alg]));
	writer_int(out, "res_len", sub->res_len);
	writer_int(out, "tuak_iterations", sub->tuak_iterations);
	writer_text(out, "provisioned", bytes_of(sub->op_given ? "op" : "opc"));
	writer_hex(out, "amf", BYTES(sub->amf, AKA_AMF_LEN));
	writer_int(out, "sqn", (int64_t)sqn_make(sub->seq, 0, sub->ind_bits));
	writer_int(out, "ind_bits", sub->ind_bits);
	writer_text(out, "uicc", bytes_of(subscriber_uicc_names[sub->uicc]));
	writer_text(out, "state", bytes_of(subscriber_state_names[sub->state == SUBSCRIBER_ACTIVE ? 0 : 1]));
	writer_text(out, "guss", sub->guss);
	writer_time(out, "guss_time", sub->guss_time);
	writer_time(out, "created", sub->created);
	writer_time(out, "changed", sub->changed);
	err = kek != NULL ? write_keys(out, sub, kek) : GBA_OK;
	writer_end(out);
	return err;
}

void sub_write_line(struct writer *out, const struct subscriber *sub)
{
	writer_text(out, "impi", sub->impi);
	writer_text(out, "imsi", sub->imsi);
	writer_text(out, "algorithm", bytes_of(subscriber_alg_names[sub->alg]));
	writer_text(out, "uicc", bytes_of(subscriber_uicc_names[sub->uicc]));
	writer_text(out, "state", bytes_of(subscriber_state_names[sub->state == SUBSCRIBER_ACTIVE ? 0 : 1]));
	writer_int(out, "sqn", (int64_t)sqn_make(sub->seq, 0, sub->ind_bits));
	writer_end(out);
}

enum gba_err sub_read_file(struct ctl *ctl, const char *path, size_t max, struct bytes *_text)
{
	FILE *in = strcmp(path, "-") == 0 ? stdin : fopen(path, "rb");
	uint8_t *text = talloc_size(ctl->cli.ctx, max + 1);
	size_t n;
	bool bad;

	if (in == NULL || text == NULL)
		return why_fail(&ctl->cli.why, GBA_E_UNREACHABLE, "%s: %s", path, strerror(in == NULL ? errno : ENOMEM));
	n = fread(text, 1, max + 1, in);
	bad = ferror(in) != 0;
	if (in != stdin)
		fclose(in);
	if (bad)
		return why_fail(&ctl->cli.why, GBA_E_UNREACHABLE, "%s: cannot be read", path);
	if (n > max)
		return why_fail(&ctl->cli.why, GBA_E_SYNTAX, "%s: longer than %zu octets", path, max);
	*_text = BYTES(text, n);
	return GBA_OK;
}

static char *next_line(struct ctl *ctl, const char *path)
{
	FILE *in = strcmp(path, "-") == 0 ? stdin : fopen(path, "rb");
	char *line = talloc_zero_size(ctl->cli.ctx, KEY_LINE_MAX);

	if (line != NULL)
		secret_guard_chunk(line);
	if (in == NULL || line == NULL || fgets(line, KEY_LINE_MAX, in) == NULL)
		line = NULL;
	if (in != NULL && in != stdin)
		fclose(in);
	return line;
}

enum gba_err sub_key_text(struct ctl *ctl, const char *name, const char *plain, const char *file, struct bytes *_text)
{
	const char *text = plain;

	*_text = BYTES_NONE;
	if (plain != NULL && file != NULL)
		return why_fail(&ctl->cli.why, GBA_E_SYNTAX, "%s and %s-file exclude each other", name, name);
	if (file != NULL) {
		text = next_line(ctl, file);
		if (text == NULL)
			return why_fail(&ctl->cli.why, GBA_E_UNREACHABLE, "%s: no key can be read", file);
	}
	if (text != NULL)
		*_text = bytes_of(text);
	return GBA_OK;
}
