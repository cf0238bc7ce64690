/* SPDX-License-Identifier: Apache-2.0 */
/* subscriber show, list, export, remove; and the table of all subscriber commands. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "core/clock.h"
#include "tools/gba-ctl/fields.h"
#include "tools/gba-ctl/sub_common.h"

#define PAGE 500

enum gba_err cmd_subscriber_show(struct cli *cli, void *args)
{
	struct ctl *ctl = sub_ctl(cli, args);
	struct subscriber *sub = NULL;
	struct sub_files files;
	enum gba_err err;

	err = sub_files_open(ctl, SUB_READ, ctl->args->reveal, &files);
	if (err == GBA_OK)
		err = sub_find(ctl, &files, ctl->cli.operands[0], &sub);
	if (err != GBA_OK)
		return err;
	err = sub_write(ctl->cli.out, sub, files.kek);
	return ctl_fail_err(ctl, err, ctl->cli.operands[0]);
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
		return sub_write(walk->ctl->cli.out, sub, walk->files.kek);
	sub_write_line(walk->ctl->cli.out, sub);
	return GBA_OK;
}

/* Page by page, so that a million subscribers need no memory. */
static enum gba_err walk_all(struct walk *walk)
{
	char after[IMPI_MAX + 1] = "";
	struct subscriber **page;
	enum gba_err err = GBA_OK;
	size_t n = PAGE, i;

	if (walk->ctl->args->after != NULL)
		snprintf(after, sizeof(after), "%s", walk->ctl->args->after);
	while (err == GBA_OK && n == PAGE && walk->done < walk->limit) {
		err = sub_store_page(walk->files.store, walk->ctl->cli.ctx, bytes_of(after), PAGE, &page, &n);
		if (err != GBA_OK)
			break;
		for (i = 0; err == GBA_OK && i < n && walk->done < walk->limit; i++)
			err = walk_one(walk, page[i]);
		if (n > 0)
			snprintf(after, sizeof(after), "%.*s", BYTES_FMT(page[n - 1]->impi));
		talloc_free(page);
	}
	return ctl_fail_err(walk->ctl, err, walk->ctl->db);
}

static enum gba_err walk_options(struct walk *walk)
{
	const char *limit = walk->ctl->args->limit, *state = walk->ctl->args->state;

	walk->state = 2;
	walk->limit = UINT64_MAX;
	if (limit != NULL && field_number(bytes_of(limit), 1, UINT64_MAX, &walk->limit) != GBA_OK)
		return why_fail(&walk->ctl->cli.why, GBA_E_SYNTAX, "--limit: '%s' is not a number above 0", limit);
	if (state != NULL && field_word(bytes_of(state), subscriber_state_names, &walk->state) != GBA_OK)
		return why_fail(&walk->ctl->cli.why, GBA_E_SYNTAX, "--state: active or barred");
	return GBA_OK;
}

enum gba_err cmd_subscriber_list(struct cli *cli, void *args)
{
	struct ctl *ctl = sub_ctl(cli, args);
	struct walk walk = { .ctl = ctl };
	enum gba_err err = walk_options(&walk);

	writer_prefer(ctl->cli.out, WRITER_TABLE);
	if (err == GBA_OK)
		err = sub_files_open(ctl, SUB_READ, false, &walk.files);
	return err == GBA_OK ? walk_all(&walk) : err;
}

/* Keys in a file are for its owner alone. */
static enum gba_err output_open(struct ctl *ctl)
{
	const char *path = ctl->args->output;
	int fd;

	if (path == NULL)
		return GBA_OK;
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 || dup2(fd, STDOUT_FILENO) < 0)
		return why_fail(&ctl->cli.why, errno == EEXIST ? GBA_E_DENIED : GBA_E_UNREACHABLE, "%s: %s", path, strerror(errno));
	close(fd);
	return GBA_OK;
}

enum gba_err cmd_subscriber_export(struct cli *cli, void *args)
{
	struct ctl *ctl = sub_ctl(cli, args);
	struct walk walk = { .ctl = ctl, .whole = true };
	enum gba_err err = walk_options(&walk);

	if (!ctl->cli.json && !ctl->cli.csv)
		return why_fail(&ctl->cli.why, GBA_E_SYNTAX, "--json or --csv is needed");
	if (err == GBA_OK)
		err = sub_files_open(ctl, SUB_READ, ctl->args->reveal, &walk.files);
	if (err == GBA_OK)
		err = output_open(ctl);
	return err == GBA_OK ? walk_all(&walk) : err;
}

static enum gba_err confirm(struct ctl *ctl, const struct subscriber *sub)
{
	char answer[8] = "";

	if (ctl->args->yes)
		return GBA_OK;
	if (!isatty(STDIN_FILENO))
		return why_fail(&ctl->cli.why, GBA_E_DENIED, "removing %.*s needs --yes", BYTES_FMT(sub->impi));
	fprintf(stderr, "Remove %.*s with its keys? [y/N] ", BYTES_FMT(sub->impi));
	if (fgets(answer, sizeof(answer), stdin) == NULL || (answer[0] != 'y' && answer[0] != 'Y'))
		return why_fail(&ctl->cli.why, GBA_E_DENIED, "nothing removed");
	return GBA_OK;
}

enum gba_err cmd_subscriber_remove(struct cli *cli, void *args)
{
	struct ctl *ctl = sub_ctl(cli, args);
	struct subscriber *sub = NULL;
	struct sub_files files;
	enum gba_err err;

	err = sub_files_open(ctl, SUB_CHANGE, false, &files);
	if (err == GBA_OK)
		err = sub_find(ctl, &files, ctl->cli.operands[0], &sub);
	if (err == GBA_OK && !ctl->args->dry_run)
		err = confirm(ctl, sub);
	if (err != GBA_OK)
		return err;
	writer_text(ctl->cli.out, "impi", sub->impi);
	writer_text(ctl->cli.out, "result", bytes_of(ctl->args->dry_run ? "would be removed" : "removed"));
	if (ctl->args->dry_run) {
		writer_end(ctl->cli.out);
		return GBA_OK;
	}
	err = sub_store_begin(files.store);
	if (err == GBA_OK) {
		err = sub_store_remove(files.store, sub->id);
		if (err == GBA_OK)
			err = grant_subscriber_changed(files.mapping, sub, NULL, clock_now());
		err = sub_store_end(files.store, err);
	}
	if (err != GBA_OK)
		return ctl_fail_err(ctl, err, ctl->cli.operands[0]);
	writer_end(ctl->cli.out);
	return GBA_OK;
}
