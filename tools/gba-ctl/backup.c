/* SPDX-License-Identifier: Apache-2.0 */
/* gba-ctl backup, restore: a copy of the database, keys sealed as they are, while nodes run; and back again. */
#include <unistd.h>

#include "cli/progress.h"
#include "core/clock.h"
#include "hss-stub/hss.h"
#include "hss-stub/sub_store.h"
#include "store/db.h"
#include "store/db_copy.h"
#include "tools/gba-ctl/ctl.h"

#define PAGE	       500
#define MARGIN_DEFAULT 1000000 /* SEQs; far below the 2^28 a USIM accepts at once (TS 33.102 C.2.1) */
#define MARGIN_MAX     100000000

struct restore_args {
	uint32_t margin;
	bool yes;
};

static void restore_defaults(void *args)
{
	((struct restore_args *)args)->margin = MARGIN_DEFAULT;
}

static const struct cli_opt restore_opts[] = {
	CLI_OPT_NUMBER("--margin", "N", 1, MARGIN_MAX, struct restore_args, margin,
		       "SEQ steps to add to every SQN, for those used since the backup (default 1000000)"),
	CLI_OPT_LETTER('y', "--yes", struct restore_args, yes, "Replace the database that is there"),
	CLI_OPT_END,
};

static enum gba_err files_only(struct ctl *ctl, const char *tool)
{
	if (!db_is_server(ctl->db))
		return GBA_OK;
	return why_fail(&ctl->cli.why, GBA_E_UNSUPPORTED, "the database is on a PostgreSQL server: use %s", tool);
}

static enum gba_err cmd_backup(struct cli *cli, void *args)
{
	struct ctl *ctl = (struct ctl *)cli;
	const char *to = cli->operands[0], *error = "";
	enum gba_err err = files_only(ctl, "pg_dump; keys stay sealed in it");

	(void)args;
	if (err == GBA_OK && access(ctl->db, F_OK) != 0)
		return why_fail(&cli->why, GBA_E_UNREACHABLE, "%s: no such database", ctl->db);
	if (err == GBA_OK)
		err = ctl_audit_begin(ctl);
	if (err != GBA_OK)
		return err;
	err = db_copy(cli->ctx, ctl->db, to, &error);
	if (err != GBA_OK)
		return why_fail(&cli->why, err, "%s", error);
	cli_put(cli, "backup", json_string(to));
	cli_put(cli, "key_file", json_string(ctl->kek));
	cli_put(cli, "note", json_string("without the key file it is of no use, beside it of use to anybody: keep them apart"));
	return GBA_OK;
}

/* Every key must open before the old database goes. */
static enum gba_err check_keys(struct ctl *ctl, struct sub_store *store, struct kek *kek, uint64_t *_seen)
{
	char after[IMPI_MAX + 1] = "";
	struct subscriber_keys keys;
	struct subscriber **page;
	struct progress progress;
	enum gba_err err = GBA_OK;
	int64_t total = 0;
	size_t n = PAGE, i;

	(void)sub_store_count(store, &total);
	progress_start(&progress, (uint64_t)total);
	while (err == GBA_OK && n == PAGE) {
		TALLOC_CTX *ctx = talloc_new(ctl->cli.ctx);

		err = sub_store_page(store, ctx, bytes_of(after), PAGE, &page, &n);
		for (i = 0; err == GBA_OK && i < n; i++) {
			err = subscriber_unseal(kek, page[i], &keys);
			SECRET_WIPE(keys);
			snprintf(after, sizeof(after), "%.*s", BYTES_FMT(page[i]->impi));
		}
		*_seen += n;
		progress_show(&progress, *_seen, *_seen);
		talloc_free(ctx);
	}
	progress_end(&progress);
	if (err == GBA_OK)
		return GBA_OK;
	return why_fail(&ctl->cli.why, err, "%s: %s: is %s its key file?", after, gba_strerror(err), ctl->kek);
}

/* On the copy: readable by us, whole, its keys ours, no SQN that may have been used. */
static enum gba_err prepare(struct ctl *ctl, const char *path, uint32_t margin, uint64_t *_seen)
{
	const char *error = "";
	struct sub_store *store;
	struct kek *kek = NULL;
	const char *why;
	enum gba_err err;

	err = db_copy_check(ctl->cli.ctx, path, &error);
	if (err == GBA_OK)
		err = sub_store_open(ctl->cli.ctx, path, &store, &error);
	if (err != GBA_OK)
		return why_fail(&ctl->cli.why, err, "%s", error);
	err = kek_open_why(ctl->cli.ctx, ctl->kek, false, &kek, &why);
	if (err != GBA_OK)
		why_fail(&ctl->cli.why, err, "%s: %s", ctl->kek, why);
	else
		err = check_keys(ctl, store, kek, _seen);
	if (err == GBA_OK)
		err = ctl_fail_err(ctl, sub_store_lift(store, margin), "SQNs");
	talloc_free(store);
	return err;
}

static enum gba_err cmd_restore(struct cli *cli, void *arg)
{
	const struct restore_args *args = arg;
	struct ctl *ctl = (struct ctl *)cli;
	const char *error = "", *copy = talloc_asprintf(cli->ctx, "%s.restoring", ctl->db);
	enum gba_err err = files_only(ctl, "pg_restore, then gba-ctl subscriber lift");
	uint64_t seen = 0;

	if (err != GBA_OK)
		return err;
	if (access(cli->operands[0], R_OK) != 0)
		return why_fail(&cli->why, GBA_E_NOT_FOUND, "%s: no such backup", cli->operands[0]);
	if (!args->yes && access(ctl->db, F_OK) == 0)
		return why_fail(&cli->why, GBA_E_DENIED, "%s would be replaced: confirm with --yes", ctl->db);
	err = ctl_audit_begin(ctl);
	if (err != GBA_OK)
		return err;
	(void)unlink(copy); /* of a restore that was interrupted */
	err = db_copy(cli->ctx, cli->operands[0], copy, &error);
	if (err != GBA_OK)
		return why_fail(&cli->why, err, "%s", error);
	err = prepare(ctl, copy, args->margin, &seen);
	if (err == GBA_OK) {
		err = db_copy_place(cli->ctx, copy, ctl->db, &error);
		if (err != GBA_OK)
			why_fail(&cli->why, err, "%s", error);
	}
	(void)unlink(copy);
	if (err == GBA_OK)
		cli_put(cli, "restored", json_integer((json_int_t)seen));
	return err;
}

static enum gba_err cmd_lift(struct cli *cli, void *arg)
{
	const struct restore_args *args = arg;
	struct ctl *ctl = (struct ctl *)cli;
	struct sub_store *store;
	const char *error = "";
	enum gba_err err;

	if (!args->yes)
		return why_fail(&cli->why, GBA_E_DENIED, "every SQN would go up by %u SEQs: confirm with --yes", args->margin);
	if (!db_is_server(ctl->db) && access(ctl->db, F_OK) != 0)
		return why_fail(&cli->why, GBA_E_UNREACHABLE, "%s: no such database", ctl->db);
	err = ctl_audit_begin(ctl);
	if (err != GBA_OK)
		return err;
	err = sub_store_open(cli->ctx, ctl->db, &store, &error);
	if (err != GBA_OK)
		return why_fail(&cli->why, err, "%s", error);
	return ctl_fail_err(ctl, sub_store_lift(store, args->margin), "SQNs");
}

const struct cli_cmd ctl_backup_commands[] = {
	{ "backup", "FILE", 1, 1, NULL, 0, NULL, cmd_backup, "Copy the database, keys sealed as they are, while nodes run" },
	{ "restore", "FILE", 1, 1, restore_opts, sizeof(struct restore_args), restore_defaults, cmd_restore,
	  "Put a backup in place of the database (nodes stopped), every SQN lifted" },
	{ "subscriber lift", "", 0, 0, restore_opts, sizeof(struct restore_args), restore_defaults, cmd_lift,
	  "Lift every SQN, after a database came back by other tools" },
	CLI_CMD_END,
};
