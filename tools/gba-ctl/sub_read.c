/* SPDX-License-Identifier: Apache-2.0 */
/* subscriber show, list, export, remove; and the table of all subscriber commands. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "tools/gba-ctl/fields.h"
#include "tools/gba-ctl/sub_common.h"

#define PAGE 500

static enum ctl_exit cmd_show(struct ctl *ctl)
{
	struct subscriber *sub = NULL;
	struct sub_files files;
	enum ctl_exit status;
	enum gba_err err;

	status = sub_files_open(ctl, SUB_READ, ctl_given(ctl, OPT_REVEAL), &files);
	if (status == CTL_DONE)
		status = sub_find(ctl, &files, ctl->args[0], &sub);
	if (status != CTL_DONE)
		return status;
	err = sub_write(ctl->out, sub, files.kek);
	return err == GBA_OK ? CTL_DONE : ctl_fail_err(err, ctl->args[0]);
}

struct walk {
	struct ctl *ctl;
	struct sub_files files;
	unsigned int state; /* subscriber_state; 2: any */
	uint64_t limit, done;
	bool whole;
};

static enum gba_err walk_one(struct walk *walk, const struct subscriber *sub)
{
	if (walk->state < 2 && (walk->state == SUBSCRIBER_ACTIVE) != (sub->state == SUBSCRIBER_ACTIVE))
		return GBA_OK;
	walk->done++;
	if (walk->whole)
		return sub_write(walk->ctl->out, sub, walk->files.kek);
	sub_write_line(walk->ctl->out, sub);
	return GBA_OK;
}

/* Page by page, so that a million subscribers need no memory. */
static enum ctl_exit walk_all(struct walk *walk)
{
	char after[IMPI_MAX + 1] = "";
	struct subscriber **page;
	enum gba_err err = GBA_OK;
	size_t n = PAGE, i;

	if (ctl_given(walk->ctl, OPT_AFTER))
		snprintf(after, sizeof(after), "%s", walk->ctl->option[OPT_AFTER]);
	while (err == GBA_OK && n == PAGE && walk->done < walk->limit) {
		err = sub_store_page(walk->files.store, walk->ctl->ctx, bytes_of(after), PAGE, &page, &n);
		if (err != GBA_OK)
			break;
		for (i = 0; err == GBA_OK && i < n && walk->done < walk->limit; i++)
			err = walk_one(walk, page[i]);
		if (n > 0)
			snprintf(after, sizeof(after), "%.*s", BYTES_FMT(page[n - 1]->impi));
		talloc_free(page);
	}
	return err == GBA_OK ? CTL_DONE : ctl_fail_err(err, walk->ctl->db);
}

static enum ctl_exit walk_options(struct walk *walk)
{
	const char *limit = walk->ctl->option[OPT_LIMIT], *state = walk->ctl->option[OPT_STATE];

	walk->state = 2;
	walk->limit = UINT64_MAX;
	if (limit != NULL && field_number(bytes_of(limit), 1, UINT64_MAX, &walk->limit) != GBA_OK)
		return ctl_fail(CTL_USAGE, "--limit: '%s' is not a number above 0", limit);
	if (state != NULL && field_word(bytes_of(state), subscriber_state_names, &walk->state) != GBA_OK)
		return ctl_fail(CTL_USAGE, "--state: active or barred");
	return CTL_DONE;
}

static enum ctl_exit cmd_list(struct ctl *ctl)
{
	struct walk walk = { .ctl = ctl };
	enum ctl_exit status = walk_options(&walk);

	writer_prefer(ctl->out, WRITER_TABLE);
	if (status == CTL_DONE)
		status = sub_files_open(ctl, SUB_READ, false, &walk.files);
	return status == CTL_DONE ? walk_all(&walk) : status;
}

/* Keys in a file are for its owner alone. */
static enum ctl_exit output_open(struct ctl *ctl)
{
	const char *path = ctl->option[OPT_OUTPUT];
	int fd;

	if (path == NULL)
		return CTL_DONE;
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 || dup2(fd, STDOUT_FILENO) < 0)
		return ctl_fail(errno == EEXIST ? CTL_REFUSED : CTL_UNREACHABLE, "%s: %s", path, strerror(errno));
	close(fd);
	return CTL_DONE;
}

static enum ctl_exit cmd_export(struct ctl *ctl)
{
	struct walk walk = { .ctl = ctl, .whole = true };
	enum ctl_exit status = walk_options(&walk);

	if (!ctl_given(ctl, OPT_JSON) && !ctl_given(ctl, OPT_CSV))
		return ctl_fail(CTL_USAGE, "--json or --csv is needed");
	if (status == CTL_DONE)
		status = sub_files_open(ctl, SUB_READ, ctl_given(ctl, OPT_REVEAL), &walk.files);
	if (status == CTL_DONE)
		status = output_open(ctl);
	return status == CTL_DONE ? walk_all(&walk) : status;
}

static enum ctl_exit confirm(struct ctl *ctl, const struct subscriber *sub)
{
	char answer[8] = "";

	if (ctl_given(ctl, OPT_YES))
		return CTL_DONE;
	if (!isatty(STDIN_FILENO))
		return ctl_fail(CTL_REFUSED, "removing %.*s needs --yes", BYTES_FMT(sub->impi));
	fprintf(stderr, "Remove %.*s with its keys? [y/N] ", BYTES_FMT(sub->impi));
	if (fgets(answer, sizeof(answer), stdin) == NULL || (answer[0] != 'y' && answer[0] != 'Y'))
		return ctl_fail(CTL_REFUSED, "nothing removed");
	return CTL_DONE;
}

static enum ctl_exit cmd_remove(struct ctl *ctl)
{
	struct subscriber *sub = NULL;
	struct sub_files files;
	enum ctl_exit status;
	enum gba_err err;

	status = sub_files_open(ctl, SUB_CHANGE, false, &files);
	if (status == CTL_DONE)
		status = sub_find(ctl, &files, ctl->args[0], &sub);
	if (status == CTL_DONE && !ctl_given(ctl, OPT_DRY_RUN))
		status = confirm(ctl, sub);
	if (status != CTL_DONE)
		return status;
	writer_text(ctl->out, "impi", sub->impi);
	writer_text(ctl->out, "result", bytes_of(ctl_given(ctl, OPT_DRY_RUN) ? "would be removed" : "removed"));
	if (ctl_given(ctl, OPT_DRY_RUN)) {
		writer_end(ctl->out);
		return CTL_DONE;
	}
	err = sub_store_begin(files.store);
	if (err == GBA_OK)
		err = sub_store_remove(files.store, sub->id);
	if (err == GBA_OK)
		err = sub_store_commit(files.store);
	else
		sub_store_rollback(files.store);
	if (err != GBA_OK)
		return ctl_fail_err(err, ctl->args[0]);
	writer_end(ctl->out);
	return CTL_DONE;
}

#define KEY_OPTIONS                                                                                                    \
	(OPT_BIT(K) | OPT_BIT(K_FILE) | OPT_BIT(OP) | OPT_BIT(OP_FILE) | OPT_BIT(OPC) | OPT_BIT(OPC_FILE))
#define FIELD_OPTIONS                                                                                                  \
	(KEY_OPTIONS | OPT_BIT(IMSI) | OPT_BIT(IMPU) | OPT_BIT(ALGORITHM) | OPT_BIT(RES_LEN) | OPT_BIT(TUAK_ITERATIONS) |    \
	 OPT_BIT(AMF) | OPT_BIT(SQN) | OPT_BIT(IND_BITS) | OPT_BIT(GUSS) | OPT_BIT(UICC) | OPT_BIT(STATE) | OPT_BIT(DRY_RUN))
#define WALK_OPTIONS (OPT_BIT(AFTER) | OPT_BIT(LIMIT) | OPT_BIT(STATE))

const struct ctl_command ctl_subscriber_commands[] = {
	/* words             arguments     min max options */
	{ "subscriber add", "[IMPI]", 0, 1, FIELD_OPTIONS | OPT_BIT(MNC_LENGTH) | OPT_BIT(REALM), cmd_subscriber_add,
	  "Add a subscriber" },
	{ "subscriber show", "IMPI|IMSI", 1, 1, OPT_BIT(REVEAL), cmd_show, "Show a subscriber" },
	{ "subscriber list", "", 0, 0, WALK_OPTIONS, cmd_list, "List subscribers, never keys" },
	{ "subscriber set", "IMPI|IMSI", 1, 1, FIELD_OPTIONS | OPT_BIT(FORCE), cmd_subscriber_set,
	  "Change a subscriber" },
	{ "subscriber remove", "IMPI|IMSI", 1, 1, OPT_BIT(DRY_RUN) | OPT_BIT(YES), cmd_remove,
	  "Remove a subscriber and its keys" },
	{ "subscriber import", "FILE", 1, 1,
	  OPT_BIT(FROM) | OPT_BIT(MARGIN) | OPT_BIT(DRY_RUN) | OPT_BIT(MNC_LENGTH) | OPT_BIT(REALM) | OPT_BIT(OP) |
		  OPT_BIT(OP_FILE) | OPT_BIT(AMF) | OPT_BIT(IND_BITS),
	  cmd_subscriber_import, "Take subscribers over from another system" },
	{ "subscriber export", "", 0, 0, WALK_OPTIONS | OPT_BIT(REVEAL) | OPT_BIT(OUTPUT), cmd_export,
	  "Write all subscribers as JSON or CSV" },
	{ NULL, NULL, 0, 0, 0, NULL, NULL }
};
