/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "cli/cli_priv.h"
#include "core/clock.h"
#include "core/secret.h"

/* Error row to exit status; what is not listed is a plain negative answer. */
static const struct {
	enum gba_err err;
	enum cli_exit exit;
} exits[] = {
	{ GBA_OK, CLI_DONE },
	{ GBA_E_SYNTAX, CLI_USAGE },
	{ GBA_E_RANGE, CLI_USAGE },
	{ GBA_E_CONF, CLI_USAGE },
	{ GBA_E_IMPI_SYNTAX, CLI_USAGE },
	{ GBA_E_NAF_ID_SYNTAX, CLI_USAGE },
	{ GBA_E_NOT_FOUND, CLI_NOT_FOUND },
	{ GBA_E_BTID_UNKNOWN, CLI_NOT_FOUND },
	{ GBA_E_IMPI_UNKNOWN, CLI_NOT_FOUND },
	{ GBA_E_DENIED, CLI_REFUSED },
	{ GBA_E_NOT_AUTHORIZED, CLI_REFUSED },
	{ GBA_E_AUTH_SCHEME, CLI_REFUSED },
	{ GBA_E_KYC, CLI_REFUSED },
	{ GBA_E_UNREACHABLE, CLI_UNREACHABLE }, { GBA_E_IO, CLI_UNREACHABLE },
	{ GBA_E_TIMEOUT, CLI_UNREACHABLE },
	{ GBA_E_AKA_MAC, CLI_UNPROVED },
	{ GBA_E_DIGEST_MISMATCH, CLI_UNPROVED },
	{ GBA_E_REALM, CLI_UNPROVED },
	{ GBA_E_SIGNATURE, CLI_UNPROVED },
	{ GBA_E_CERTIFICATE, CLI_UNPROVED },
	{ GBA_E_REPLAY, CLI_UNPROVED },
	{ GBA_E_CORRUPT, CLI_UNPROVED },
	{ GBA_E_BUSY, CLI_LATER },
	{ GBA_E_NOSPACE, CLI_LATER },
	{ GBA_E_UNCERTAIN, CLI_LATER },
	{ GBA_E_NOMEM, CLI_LATER },
};

static int exit_of(enum gba_err err)
{
	size_t i;

	for (i = 0; i < sizeof(exits) / sizeof(exits[0]); i++) {
		if (exits[i].err == err)
			return exits[i].exit;
	}
	return CLI_NEGATIVE;
}

void cli_put(struct cli *cli, const char *key, json_t *value)
{
	if (cli->result == NULL)
		cli->result = json_object();
	json_object_set_new(cli->result, key, value);
}

json_t *cli_time(time_t when)
{
	char text[TIME_TEXT_LEN + 1];

	time_format(when, text);
	return json_string(text);
}

static void print_scalar(const json_t *value)
{
	if (json_is_string(value))
		fputs(json_string_value(value), stdout);
	else if (json_is_integer(value))
		printf("%lld", (long long)json_integer_value(value));
	else if (json_is_boolean(value))
		fputs(json_is_true(value) ? "yes" : "no", stdout);
}

/* One row of a list: "key=value key=value". */
static void print_row(const json_t *row)
{
	const char *key, *gap = "";
	json_t *value;

	json_object_foreach ((json_t *)row, key, value) {
		printf("%s%s=", gap, key);
		print_scalar(value);
		gap = " ";
	}
	putchar('\n');
}

static void print_rows(const json_t *rows)
{
	json_t *row;
	size_t i;

	json_array_foreach ((json_t *)rows, i, row)
		print_row(row);
}

/* "key: value" lines; a list below a key as rows. */
static void print_object(const json_t *object)
{
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)object, key, value) {
		if (json_is_array(value)) {
			printf("%s:\n", key);
			print_rows(value);
			continue;
		}
		printf("%s: ", key);
		print_scalar(value);
		putchar('\n');
	}
}

static void print_result(const struct cli *cli)
{
	if (cli->json) {
		json_dumpf(cli->result, stdout, JSON_COMPACT | JSON_PRESERVE_ORDER);
		putchar('\n');
	} else if (json_is_array(cli->result)) {
		print_rows(cli->result);
	} else {
		print_object(cli->result);
	}
}

static void print_error(struct cli *cli, enum gba_err err)
{
	if (cli->why.text[0] == '\0')
		why_fail(&cli->why, err, "%s", gba_strerror(err));
	fprintf(stderr, "%s: %s\n", cli->program->name, cli->why.text);
	if (!cli->program->error_document)
		return;
	if (json_is_array(cli->result)) {
		json_decref(cli->result);
		cli->result = NULL;
	}
	cli_put(cli, "error", json_string(gba_err_name(err)));
	cli_put(cli, "message", json_string(cli->why.text));
}

int cli_finish(struct cli *cli, enum gba_err err)
{
	bool written;

	if (err != GBA_OK)
		print_error(cli, err);
	if (cli->result != NULL && !cli->quiet && (err == GBA_OK || cli->json))
		print_result(cli);
	json_decref(cli->result);
	cli->result = NULL;
	written = (cli->out == NULL || writer_flush(cli->out)) && fflush(stdout) == 0 && !ferror(stdout);
	if (!written && err == GBA_OK) {
		fprintf(stderr, "%s: the answer could not be written\n", cli->program->name);
		return CLI_LATER;
	}
	return cli->exit >= 0 ? cli->exit : exit_of(err);
}

static enum gba_err run(struct cli *cli, const struct cli_cmd *cmd, void *args)
{
	enum gba_err err;

	if (cli->json && cli->csv)
		return why_fail(&cli->why, GBA_E_SYNTAX, "--json and --csv exclude each other");
	cli->out = writer_new(cli->ctx, cli->json ? WRITER_JSON : cli->csv ? WRITER_CSV : WRITER_TEXT, stdout);
	if (cli->out == NULL)
		return GBA_E_NOMEM;
	err = cli->program->prepare != NULL ? cli->program->prepare(cli, cmd) : GBA_OK;
	if (err != GBA_OK)
		return err;
	err = cmd->run(cli, args);
	return cli->program->finished != NULL ? cli->program->finished(cli, cmd, err) : err;
}

int cli_main(struct cli *cli, int argc, char **argv)
{
	const struct cli_cmd *cmd;
	enum gba_err err;
	void *args;
	int status;

	secret_init();
	cli->exit = -1;
	cli->ctx = talloc_named_const(NULL, 0, cli->program->name);
	if (cli->ctx == NULL)
		return CLI_LATER;
	err = cli_parse(cli, argc, argv, &cmd, &args);
	if (err == GBA_OK && cmd != NULL)
		err = run(cli, cmd, args);
	status = cli_finish(cli, err);
	talloc_free(cli->ctx);
	return status;
}
