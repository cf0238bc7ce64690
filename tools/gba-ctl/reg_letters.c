/* SPDX-License-Identifier: Apache-2.0 */
/* gba-ctl registry dead-letter ...: what could not be delivered to a subscriber. The daemon may run. */
#include <stdlib.h>

#include "registry-fn/tell/tell.h"
#include "tools/gba-ctl/rec.h"

static bool id_read(const char *text, int64_t *_id)
{
	char *end = NULL;

	*_id = strtoll(text, &end, 10);
	return text[0] >= '1' && text[0] <= '9' && *end == '\0' && strlen(text) <= 18;
}

/* The subscription of the first operand, and the registry's records. */
static enum gba_err letters_open(struct cli *cli, bool change, struct records **_r, struct tell_sub **_sub)
{
	int64_t id = 0;
	enum gba_err err;

	if (!id_read(cli->operands[0], &id))
		return why_fail(&cli->why, GBA_E_SYNTAX, "SUBSCRIPTION: its id");
	err = rec_registry_open((struct ctl *)cli, change, _r);
	if (err != GBA_OK)
		return err;
	err = tell_sub_load(*_r, cli->ctx, id, _sub);
	return err == GBA_OK ? GBA_OK : why_fail(&cli->why, err, "subscription %lld", (long long)id);
}

static void letter_write(struct writer *out, const struct tell_letter *letter)
{
	writer_int(out, "id", letter->id);
	writer_text(out, "what", bytes_of(letter->ends != 0 ? "digest" : "event"));
	writer_int(out, "event", letter->seq);
	writer_time(out, "at", letter->at);
	writer_text(out, "again", bytes_of(letter->again ? "yes" : "no"));
	writer_text(out, "why", bytes_of(letter->why));
	writer_end(out);
}

static enum gba_err cmd_list(struct cli *cli, void *args)
{
	struct tell_letter *letters = NULL;
	struct tell_sub *sub = NULL;
	struct records *r = NULL;
	int64_t after = 0;
	size_t i, n = 0;
	enum gba_err err;

	(void)args;
	writer_prefer(cli->out, WRITER_TABLE);
	err = letters_open(cli, false, &r, &sub);
	do {
		if (err == GBA_OK)
			err = tell_letters(r, cli->ctx, sub->rec->id, after, &letters, &n);
		for (i = 0; err == GBA_OK && i < n; i++)
			letter_write(cli->out, &letters[i]);
		after = err == GBA_OK && n > 0 ? letters[n - 1].id : 0;
	} while (err == GBA_OK && n == TELL_WINDOW);
	return err;
}

typedef enum gba_err (*letters_act)(struct records *r, int64_t subscription, int64_t letter, int *_n);

static enum gba_err act_on(struct cli *cli, struct records *r, const struct tell_sub *sub, letters_act act, int *_n)
{
	enum gba_err err = GBA_OK;
	int64_t letter = 0;
	size_t i;
	int n;

	for (i = 1; cli->operands[i] != NULL && err == GBA_OK; i++) {
		if (strcmp(cli->operands[i], "all") == 0)
			letter = 0;
		else if (!id_read(cli->operands[i], &letter))
			return why_fail(&cli->why, GBA_E_SYNTAX, "LETTER: its id, or all");
		n = 0;
		err = act(r, sub->rec->id, letter, &n);
		*_n += n;
	}
	return err;
}

static enum gba_err change(struct cli *cli, letters_act act)
{
	struct tell_sub *sub = NULL;
	struct records *r = NULL;
	enum gba_err err = letters_open(cli, true, &r, &sub);
	int n = 0;

	if (err == GBA_OK)
		err = records_begin(r);
	if (err != GBA_OK)
		return err;
	err = act_on(cli, r, sub, act, &n);
	if (err == GBA_OK)
		err = records_commit(r);
	else
		records_rollback(r);
	if (err == GBA_OK) {
		writer_int(cli->out, "letters", n);
		writer_end(cli->out);
	}
	return err;
}

static enum gba_err cmd_redeliver(struct cli *cli, void *args)
{
	(void)args;
	return change(cli, tell_letters_retry);
}

static enum gba_err cmd_discard(struct cli *cli, void *args)
{
	(void)args;
	return change(cli, tell_letters_discard);
}

const struct cli_cmd ctl_registry_letter_commands[] = {
	{ "registry dead-letter list", "SUBSCRIPTION", 1, 1, NULL, 0, NULL, cmd_list,
	  "Show what could not be delivered to a subscriber, and why" },
	{ "registry dead-letter redeliver", "SUBSCRIPTION LETTER|all", 2, CLI_OPERANDS_MAX, NULL, 0, NULL, cmd_redeliver,
	  "Have dead letters sent once more" },
	{ "registry dead-letter discard", "SUBSCRIPTION LETTER|all", 2, CLI_OPERANDS_MAX, NULL, 0, NULL, cmd_discard,
	  "Throw dead letters away: a subscription that waited for room goes on" },
	CLI_CMD_END,
};
