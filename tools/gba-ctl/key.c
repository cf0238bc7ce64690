/* SPDX-License-Identifier: Apache-2.0 */
/* gba-ctl key: the key-encryption key, in a file or enciphered by a PKCS#11 token, and its rotation while nodes run. */
#include <unistd.h>

#include "cli/progress.h"
#include "hss-stub/hss.h"
#include "hss-stub/change/change.h"
#include "hss-stub/mapping/mapping.h"
#include "hss-stub/sub_store.h"
#include "store/db.h"
#include "tools/gba-ctl/ctl.h"

#define PAGE	  500
#define PASSES	  5 /* a row changed by others while we seal is met again in the next */
#define SETTLE_MS (KEK_FOLLOW_MS + 500)

struct key_args {
	const char *pkcs11, *file;
	bool yes;
};

static const struct cli_opt rotate_opts[] = {
	CLI_OPT_TEXT("--pkcs11", "URI", struct key_args, pkcs11,
		     "Encipher the new key by this AES key of a token: pkcs11:token=...;object=...?pin-source=FILE"),
	CLI_OPT_TEXT("--file", "FILE", struct key_args, file, "Only put a new key into this key file (of a bsf): reseal nothing"),
	CLI_OPT_END,
};
static const struct cli_opt retire_opts[] = {
	CLI_OPT_TEXT("--file", "FILE", struct key_args, file, "The key file (of a bsf) whose older keys go"),
	CLI_OPT_LETTER('y', "--yes", struct key_args, yes, "What they sealed has expired: it cannot be opened afterwards"),
	CLI_OPT_END,
};

struct resealing {
	struct ctl *ctl;
	struct sub_store *store;
	struct records *mapping;
	struct changes *changes;
	struct kek *kek;
	struct progress progress;
	uint64_t seen, sealed, left; /* rows; left: changed by others meanwhile */
};

static enum gba_err reseal_one(struct resealing *r, TALLOC_CTX *ctx, struct subscriber *sub)
{
	struct bytes old = sub->sealed;
	bool changed = false;
	enum gba_err err;

	err = subscriber_reseal(ctx, r->kek, sub, &changed);
	if (err != GBA_OK)
		return why_fail(&r->ctl->cli.why, err, "%.*s: %s", BYTES_FMT(sub->impi), gba_strerror(err));
	if (!changed)
		return GBA_OK;
	err = sub_store_reseal(r->store, sub->id, old, sub->sealed);
	if (err == GBA_E_BUSY) {
		r->left++;
		return GBA_OK;
	}
	r->sealed++;
	return err;
}

/* A page is a transaction: interrupted, what is done stays done. @param after  moves on; IMPI_MAX + 1 octets */
static enum gba_err reseal_page(struct resealing *r, char *after, size_t *_n)
{
	TALLOC_CTX *ctx = talloc_new(r->ctl->cli.ctx);
	struct subscriber **page;
	enum gba_err err;
	size_t i;

	*_n = 0;
	err = sub_store_begin(r->store);
	if (err == GBA_OK)
		err = sub_store_page(r->store, ctx, bytes_of(after), PAGE, &page, _n);
	for (i = 0; err == GBA_OK && i < *_n; i++)
		err = reseal_one(r, ctx, page[i]);
	if (err == GBA_OK && *_n > 0)
		snprintf(after, IMPI_MAX + 1, "%.*s", BYTES_FMT(page[*_n - 1]->impi));
	err = sub_store_end(r->store, err);
	r->seen += *_n;
	talloc_free(ctx);
	return err;
}

static enum gba_err reseal_pass(struct resealing *r)
{
	char after[IMPI_MAX + 1] = "";
	enum gba_err err = GBA_OK;
	int64_t total = 0;
	size_t n = PAGE;

	r->seen = r->left = 0;
	(void)sub_store_count(r->store, &total);
	progress_start(&r->progress, (uint64_t)total);
	while (err == GBA_OK && n == PAGE) {
		err = reseal_page(r, after, &n);
		progress_show(&r->progress, r->seen, r->seen);
	}
	progress_end(&r->progress);
	return err;
}

/* Of the mapping and registration function: few beside the subscribers. */
static enum gba_err reseal_records(struct resealing *r)
{
	uint64_t sealed = 0, left = 0;
	enum gba_err err = records_reseal(r->mapping, &sealed, &left);

	r->sealed += sealed;
	r->left += left;
	if (err == GBA_OK)
		err = change_reseal(r->changes, &sealed, &left);
	if (err == GBA_OK) {
		r->sealed += sealed;
		r->left += left;
	}
	return ctl_fail_err(r->ctl, err, "records");
}

/* Until a whole pass finds nothing under an older key: then nobody needs one. */
static enum gba_err reseal_all(struct resealing *r)
{
	uint64_t before = 1;
	enum gba_err err = GBA_OK;
	int pass;

	for (pass = 0; err == GBA_OK && pass < PASSES && before > 0; pass++) {
		before = r->sealed;
		err = reseal_pass(r);
		if (err == GBA_OK)
			err = reseal_records(r);
		before = r->sealed - before + r->left;
	}
	if (err == GBA_OK && before > 0)
		return why_fail(&r->ctl->cli.why, GBA_E_BUSY, "records change too fast; run gba-ctl key reseal");
	return err;
}

static enum gba_err open_all(struct resealing *r)
{
	const char *error = "";
	enum gba_err err;

	if (!db_is_server(r->ctl->db) && access(r->ctl->db, F_OK) != 0)
		return why_fail(&r->ctl->cli.why, GBA_E_UNREACHABLE, "%s: no such database", r->ctl->db);
	err = sub_store_open(r->ctl->cli.ctx, r->ctl->db, &r->store, &error);
	if (err == GBA_OK) /* with no key that opens what is there, no new one is made */
		err = hss_kek_open(r->ctl->cli.ctx, r->store, r->ctl->kek, &r->kek, &error);
	return err == GBA_OK ? GBA_OK : why_fail(&r->ctl->cli.why, err, "%s", error);
}

static enum gba_err reseal_and_retire(struct resealing *r)
{
	const char *error = "";
	size_t dropped = 0;
	enum gba_err err;

	usleep(SETTLE_MS * 1000); /* until then a running node may still seal with the old key */
	err = hss_kek_open(r->ctl->cli.ctx, r->store, r->ctl->kek, &r->kek, &error); /* as the file is now */
	if (err == GBA_OK)
		err = mapping_open(r->ctl->cli.ctx, r->ctl->db, r->kek, &r->mapping, &error);
	if (err == GBA_OK)
		err = changes_open(r->ctl->cli.ctx, r->ctl->db, r->kek, NULL, &r->changes, &error);
	if (err != GBA_OK)
		return why_fail(&r->ctl->cli.why, err, "%s", error);
	err = reseal_all(r);
	if (err == GBA_OK)
		err = ctl_fail_err(r->ctl, kek_retire(r->ctl->kek, &dropped), r->ctl->kek);
	if (err != GBA_OK)
		return err;
	cli_put(&r->ctl->cli, "resealed", json_integer((json_int_t)r->sealed));
	cli_put(&r->ctl->cli, "retired", json_integer((json_int_t)dropped));
	return GBA_OK;
}

static enum gba_err rotate(struct ctl *ctl, const char *path, const char *uri)
{
	const char *why = path;
	enum gba_err err = kek_rotate(ctl->cli.ctx, path, uri, &why);

	if (err == GBA_E_BUSY)
		return why_fail(&ctl->cli.why, err, "%s: too many keys: run gba-ctl key reseal first", path);
	return err == GBA_OK ? GBA_OK : why_fail(&ctl->cli.why, err, "%s: %s", why, gba_strerror(err));
}

static enum gba_err cmd_key_rotate(struct cli *cli, void *arg)
{
	const struct key_args *args = arg;
	struct ctl *ctl = (struct ctl *)cli;
	struct resealing r = { .ctl = ctl };
	enum gba_err err = GBA_OK;

	if (args->file == NULL)
		err = open_all(&r);
	if (err == GBA_OK)
		err = ctl_audit_begin(ctl);
	if (err == GBA_OK)
		err = rotate(ctl, args->file != NULL ? args->file : ctl->kek, args->pkcs11);
	if (err != GBA_OK || args->file != NULL)
		return err;
	return reseal_and_retire(&r);
}

static enum gba_err cmd_key_reseal(struct cli *cli, void *args)
{
	struct resealing r = { .ctl = (struct ctl *)cli };
	enum gba_err err = open_all(&r);

	(void)args;
	if (err == GBA_OK)
		err = ctl_audit_begin(r.ctl);
	return err == GBA_OK ? reseal_and_retire(&r) : err;
}

static enum gba_err cmd_key_retire(struct cli *cli, void *arg)
{
	const struct key_args *args = arg;
	struct ctl *ctl = (struct ctl *)cli;
	size_t dropped = 0;
	enum gba_err err;

	if (args->file == NULL)
		return why_fail(&cli->why, GBA_E_SYNTAX, "--file is needed; for the database run gba-ctl key reseal");
	if (!args->yes)
		return why_fail(&cli->why, GBA_E_DENIED, "what older keys sealed cannot be opened afterwards: confirm with --yes");
	err = ctl_audit_begin(ctl);
	if (err == GBA_OK)
		err = ctl_fail_err(ctl, kek_retire(args->file, &dropped), args->file);
	if (err == GBA_OK)
		cli_put(cli, "retired", json_integer((json_int_t)dropped));
	return err;
}

static enum gba_err cmd_key_status(struct cli *cli, void *args)
{
	struct ctl *ctl = (struct ctl *)cli;
	const char *path = cli->operands[0] != NULL ? cli->operands[0] : ctl->kek;
	struct kek *kek = NULL;
	const char *why;
	enum gba_err err = kek_open_why(cli->ctx, path, false, &kek, &why);

	(void)args;
	if (err != GBA_OK)
		return why_fail(&cli->why, err, "%s: %s", path, why);
	cli_put(cli, "file", json_string(path));
	cli_put(cli, "keys", json_integer((json_int_t)kek_count(kek)));
	return GBA_OK;
}

const struct cli_cmd ctl_key_commands[] = {
	{ "key status", "[FILE]", 0, 1, NULL, 0, NULL, cmd_key_status, "Can the key file be read, and how many keys has it" },
	{ "key rotate", "", 0, 0, rotate_opts, sizeof(struct key_args), NULL, cmd_key_rotate,
	  "Make a new key, seal everything with it while nodes run, forget the old one" },
	{ "key reseal", "", 0, 0, NULL, 0, NULL, cmd_key_reseal, "Finish a rotation that was interrupted" },
	{ "key retire", "", 0, 0, retire_opts, sizeof(struct key_args), NULL, cmd_key_retire,
	  "Take the older keys out of a bsf's key file once what they sealed has expired" },
	CLI_CMD_END,
};
