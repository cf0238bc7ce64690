/* SPDX-License-Identifier: Apache-2.0 */
/* gba-ctl change: changes of operator (Y.3056 10.6), and what a subscriber needs to take part in one. */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/codec.h"
#include "crypto/op_key.h"
#include "hss-stub/change/change.h"
#include "hss-stub/hss.h"
#include "pki/ca.h"
#include "tools/gba-ctl/ctl.h"

#define LIST_MAX      100000
#define CERT_FILE_MAX 16384

struct change_args {
	const char *from, *new_impi, *imsi, *kind, *state, *file;
	uint32_t level;
	bool reveal, remove;
};

static const struct cli_opt request_opts[] = {
	CLI_OPT_TEXT("--from", "REALM", struct change_args, from, "Operator the user leaves, by its Diameter realm (required)"),
	CLI_OPT_TEXT("--new-impi", "IMPI", struct change_args, new_impi, "Private identity here (required)"),
	CLI_OPT_TEXT("--imsi", "DIGITS", struct change_args, imsi, "IMSI here (required, but not of a device with a certificate)"),
	CLI_OPT_TEXT("--kind", "KIND", struct change_args, kind, "symmetric or asymmetric (default symmetric)"),
	CLI_OPT_END,
};

static const struct cli_opt approve_opts[] = {
	CLI_OPT_NUMBER("--level", "N", 0, 3, struct change_args, level, "Verification level the user needs (default 1)"),
	CLI_OPT_END,
};

static const struct cli_opt list_opts[] = {
	CLI_OPT_TEXT("--state", "STATE", struct change_args, state, "Only changes in this state"),
	CLI_OPT_END,
};

static const struct cli_opt key_opts[] = {
	CLI_OPT_TEXT("--file", "FILE", struct change_args, file, "The key file, operator-key of hss.conf (required)"),
	CLI_OPT_END,
};

static const struct cli_opt transfer_opts[] = {
	CLI_OPT_TEXT("--file", "FILE", struct change_args, file, "Take 64 hex digits from FILE, - for standard input; drawn otherwise"),
	CLI_OPT_FLAG("--reveal", struct change_args, reveal, "Print it, for the device's USIM"),
	CLI_OPT_END,
};

static const struct cli_opt certificate_opts[] = {
	CLI_OPT_TEXT("--file", "FILE", struct change_args, file, "Take the certificate (PEM, DER) from FILE; printed as base64 otherwise"),
	CLI_OPT_FLAG("--remove", struct change_args, remove, "It has none any more: its tokens are dropped"),
	CLI_OPT_END,
};

static void change_defaults(void *args)
{
	struct change_args *change = args;

	change->kind = "symmetric";
	change->level = 1;
}

static enum gba_err open_changes(struct cli *cli, bool to_change, struct changes **_changes)
{
	struct ctl *ctl = (struct ctl *)cli;
	const char *error = "";
	struct sub_store *store;
	struct kek *kek;
	enum gba_err err;

	if (strchr(ctl->db, ':') == NULL && access(ctl->db, F_OK) != 0)
		return why_fail(&cli->why, GBA_E_UNREACHABLE, "%s: %s", ctl->db, strerror(errno));
	err = sub_store_open(cli->ctx, ctl->db, &store, &error);
	if (err == GBA_OK && to_change) {
		err = ctl_audit_begin(ctl);
		if (err != GBA_OK)
			return err;
	}
	if (err == GBA_OK)
		err = hss_kek_open(cli->ctx, store, ctl->kek, &kek, &error);
	if (err == GBA_OK)
		err = changes_open(cli->ctx, ctl->db, kek, NULL, _changes, &error);
	return err == GBA_OK ? GBA_OK : why_fail(&cli->why, err, "%s", error);
}

static void write_change(struct writer *out, const struct change *change)
{
	writer_text(out, "id", bytes_of(change->id));
	writer_text(out, "kind", bytes_of(change_kind_names[change->kind]));
	writer_text(out, "state", bytes_of(change_state_names[change->state]));
	writer_text(out, "impi", bytes_of(change->impi));
	writer_text(out, "new_impi", bytes_of(change->new_impi));
	writer_text(out, "operator", bytes_of(change->peer));
	writer_int(out, "counter", (int64_t)change->counter);
	writer_text(out, "who", bytes_of(change->who));
	writer_text(out, "why", bytes_of(change->why));
	writer_time(out, "created", change->created);
	writer_time(out, "changed", change->changed);
	writer_end(out);
}

static enum gba_err show(struct cli *cli, struct changes *changes, const char *id)
{
	struct change *change;
	enum gba_err err = change_get(changes, cli->ctx, id, &change);

	if (err != GBA_OK)
		return why_fail(&cli->why, err, "change %s: %s", id, gba_strerror(err));
	write_change(cli->out, change);
	return GBA_OK;
}

static enum gba_err ask_of(struct cli *cli, const struct change_args *args, struct change_ask *ask)
{
	if (strcmp(args->kind, "symmetric") != 0 && strcmp(args->kind, "asymmetric") != 0)
		return why_fail(&cli->why, GBA_E_SYNTAX, "--kind: symmetric or asymmetric");
	ask->kind = args->kind[0] == 's' ? KEY_UPDATE_SYMMETRIC : KEY_UPDATE_ASYMMETRIC;
	if (args->from == NULL || args->new_impi == NULL || (args->imsi == NULL && ask->kind == KEY_UPDATE_SYMMETRIC))
		return why_fail(&cli->why, GBA_E_SYNTAX, "--from, --new-impi and --imsi are needed");
	ask->impi = bytes_of(cli->operands[0]);
	ask->new_impi = bytes_of(args->new_impi);
	ask->imsi = bytes_of(args->imsi);
	ask->peer = bytes_of(args->from);
	ask->who = "admin";
	return GBA_OK;
}

static enum gba_err cmd_request(struct cli *cli, void *args)
{
	char id[CHANGE_ID_TEXT + 1];
	struct changes *changes;
	struct change_ask ask;
	enum gba_err err;

	err = ask_of(cli, args, &ask);
	if (err == GBA_OK)
		err = open_changes(cli, true, &changes);
	if (err == GBA_OK)
		err = change_request(changes, &ask, clock_now(), id, &cli->why);
	return err == GBA_OK ? show(cli, changes, id) : err;
}

static enum gba_err cmd_approve(struct cli *cli, void *args)
{
	const struct change_args *approve = args;
	struct changes *changes;
	enum gba_err err = open_changes(cli, true, &changes);

	if (err == GBA_OK)
		err = change_approve(changes, cli->operands[0], approve->level, clock_now(), &cli->why);
	return err == GBA_OK ? show(cli, changes, cli->operands[0]) : err;
}

static enum gba_err cmd_cancel(struct cli *cli, void *args)
{
	struct changes *changes;
	enum gba_err err = open_changes(cli, true, &changes);

	(void)args;
	if (err == GBA_OK)
		err = change_cancel(changes, cli->operands[0], clock_now(), &cli->why);
	return err == GBA_OK ? show(cli, changes, cli->operands[0]) : err;
}

static enum gba_err cmd_show(struct cli *cli, void *args)
{
	struct changes *changes;
	enum gba_err err = open_changes(cli, false, &changes);

	(void)args;
	return err == GBA_OK ? show(cli, changes, cli->operands[0]) : err;
}

static enum gba_err cmd_list(struct cli *cli, void *args)
{
	const struct change_args *list_args = args;
	struct changes *changes;
	struct change **list;
	size_t count, i;
	int state = -1;
	enum gba_err err;

	writer_prefer(cli->out, WRITER_TABLE);
	for (i = 0; list_args->state != NULL && change_state_names[i] != NULL; i++) {
		if (strcmp(change_state_names[i], list_args->state) == 0)
			state = (int)i;
	}
	if (list_args->state != NULL && state < 0)
		return why_fail(&cli->why, GBA_E_SYNTAX, "--state: %s is none", list_args->state);
	err = open_changes(cli, false, &changes);
	if (err == GBA_OK)
		err = change_list(changes, cli->ctx, state, LIST_MAX, &list, &count);
	for (i = 0; err == GBA_OK && i < count; i++)
		write_change(cli->out, list[i]);
	return err;
}

static enum gba_err put_base64(struct cli *cli, struct bytes octets)
{
	char *text = talloc_size(cli->ctx, BASE64_LEN(octets.n) + 1);

	if (text == NULL)
		return GBA_E_NOMEM;
	base64_encode(octets, text);
	printf("%s\n", text);
	cli->quiet = true;
	return GBA_OK;
}

/* For the device: gba-ue update. */
static enum gba_err cmd_update(struct cli *cli, void *args)
{
	struct changes *changes;
	struct change *change;
	enum gba_err err = open_changes(cli, false, &changes);

	(void)args;
	if (err == GBA_OK)
		err = change_get(changes, cli->ctx, cli->operands[0], &change);
	if (err == GBA_OK && change->update.p == NULL)
		err = GBA_E_STATE;
	if (err != GBA_OK)
		return why_fail(&cli->why, err, "change %s: %s", cli->operands[0], gba_strerror(err));
	return put_base64(cli, change->update);
}

static enum gba_err cmd_key(struct cli *cli, void *args)
{
	const struct change_args *key_args = args;
	char hex[HEX_LEN(OP_PUBLIC_LEN) + 1];
	uint8_t public[OP_PUBLIC_LEN];
	struct op_key *key;
	enum gba_err err;

	if (key_args->file == NULL)
		return why_fail(&cli->why, GBA_E_SYNTAX, "--file FILE is needed");
	err = op_key_open(cli->ctx, key_args->file, true, &key);
	if (err != GBA_OK)
		return why_fail(&cli->why, err, "%s: %s", key_args->file, gba_strerror(err));
	op_key_public(key, public);
	hex_encode(BYTES(public, sizeof(public)), hex);
	cli_put(cli, "public-key", json_string(hex));
	return GBA_OK;
}

static enum gba_err read_hex(struct cli *cli, const char *path, uint8_t out[TRANSFER_KEY_LEN])
{
	FILE *in = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
	char line[128] = "";
	enum gba_err err;

	if (in == NULL)
		return why_fail(&cli->why, gba_err_from_errno(errno), "%s: %s", path, strerror(errno));
	setvbuf(in, NULL, _IONBF, 0); /* no copy in a buffer of stdio */
	if (fgets(line, sizeof(line), in) == NULL)
		line[0] = '\0';
	if (in != stdin)
		fclose(in);
	line[strcspn(line, "\r\n")] = '\0';
	err = hex_decode(bytes_of(line), out, TRANSFER_KEY_LEN);
	SECRET_WIPE(line);
	return err == GBA_OK ? GBA_OK : why_fail(&cli->why, err, "%s: not 64 hex digits", path);
}

static enum gba_err cmd_transfer_key(struct cli *cli, void *args)
{
	const struct change_args *transfer = args;
	char hex[HEX_LEN(TRANSFER_KEY_LEN) + 1];
	uint8_t key[TRANSFER_KEY_LEN];
	struct changes *changes;
	enum gba_err err = GBA_OK;

	if (transfer->file != NULL)
		err = read_hex(cli, transfer->file, key);
	if (err == GBA_OK)
		err = open_changes(cli, true, &changes);
	if (err == GBA_OK) {
		err = change_set_transfer_key(changes, bytes_of(cli->operands[0]), key, transfer->file == NULL);
		if (err != GBA_OK)
			why_fail(&cli->why, err, "%s: %s", cli->operands[0], gba_strerror(err));
	}
	if (err == GBA_OK) {
		cli_put(cli, "impi", json_string(cli->operands[0]));
		hex_encode(BYTES(key, sizeof(key)), hex);
		if (transfer->reveal)
			cli_put(cli, "transfer-key", json_string(hex));
	}
	SECRET_WIPE(key);
	SECRET_WIPE(hex);
	return err;
}

static enum gba_err store_certificate(struct cli *cli, struct changes *changes, const char *path)
{
	uint8_t *text = talloc_size(cli->ctx, CERT_FILE_MAX);
	FILE *in = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
	struct bytes der;
	enum gba_err err;
	size_t n;

	if (in == NULL || text == NULL)
		return why_fail(&cli->why, GBA_E_NOT_FOUND, "%s: %s", path, strerror(errno));
	n = fread(text, 1, CERT_FILE_MAX, in);
	if (in != stdin)
		fclose(in);
	err = ca_certificate_read(cli->ctx, BYTES(text, n), &der);
	if (err != GBA_OK)
		return why_fail(&cli->why, err, "%s: not a certificate", path);
	return change_set_certificate(changes, bytes_of(cli->operands[0]), der, clock_now());
}

static enum gba_err cmd_certificate(struct cli *cli, void *args)
{
	const struct change_args *certificate = args;
	struct changes *changes;
	struct bytes der = BYTES_NONE;
	bool to_change = certificate->file != NULL || certificate->remove;
	enum gba_err err = open_changes(cli, to_change, &changes);

	if (err == GBA_OK && to_change) {
		err = certificate->remove ? change_set_certificate(changes, bytes_of(cli->operands[0]), BYTES_NONE, clock_now())
					  : store_certificate(cli, changes, certificate->file);
	} else if (err == GBA_OK) {
		err = change_certificate(changes, cli->ctx, bytes_of(cli->operands[0]), &der);
		if (err == GBA_OK && der.p == NULL)
			err = GBA_E_NOT_FOUND;
		if (err == GBA_OK)
			return put_base64(cli, der);
	}
	if (err != GBA_OK && cli->why.text[0] == '\0')
		why_fail(&cli->why, err, "%s: %s", cli->operands[0], gba_strerror(err));
	return err;
}

#define ROW(words, operands, n, opts, run, help) \
	{ words, operands, n, n, opts, sizeof(struct change_args), change_defaults, run, help }

const struct cli_cmd ctl_change_commands[] = {
	ROW("change request", "IMPI", 1, request_opts, cmd_request, "A user of another operator, known there by IMPI, applies"),
	ROW("change approve", "ID", 1, approve_opts, cmd_approve, "Go on: the user is verified and the device authenticated"),
	ROW("change cancel", "ID", 1, NULL, cmd_cancel, "Give a change up; possible until the device's first token here"),
	ROW("change list", "", 0, list_opts, cmd_list, "List changes, here and of those who leave"),
	ROW("change show", "ID", 1, NULL, cmd_show, "Show a change"),
	ROW("change update", "ID", 1, NULL, cmd_update, "Print the key update for the device (gba-ue update)"),
	ROW("change key", "", 0, key_opts, cmd_key, "Print our public key, for other operators; makes the key file"),
	ROW("change transfer-key", "IMPI", 1, transfer_opts, cmd_transfer_key, "Give a subscriber the key to leave some day"),
	ROW("change certificate", "IMPI", 1, certificate_opts, cmd_certificate, "A device's certificate, by which it bootstraps"),
	CLI_CMD_END,
};
