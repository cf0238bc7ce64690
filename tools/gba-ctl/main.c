/* SPDX-License-Identifier: Apache-2.0 */
#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/secret.h"
#include "hss-stub/hss.h"
#include "tools/gba-ctl/ctl.h"

#define HSS_CONF GBA_SYSCONFDIR "/hss.conf"

const struct ctl_option ctl_options[OPT_COUNT] = {
	[OPT_CONFIG] = { "config", 'c', "FILE", "Take the paths from this hss.conf (default " HSS_CONF " if it exists)" },
	[OPT_DB] = { "db", 0, "FILE", "Database of subscribers (default " HSS_DATABASE ")" },
	[OPT_KEK] = { "kek", 0, "FILE", "Key that seals keys (default " HSS_KEK_FILE ")" },
	[OPT_JSON] = { "json", 'j', NULL, "Answer as JSON, one object per line" },
	[OPT_CSV] = { "csv", 0, NULL, "Answer as CSV" },
	[OPT_HELP] = { "help", 'h', NULL, "Print help; after a command: help on it" },
	[OPT_VERSION] = { "version", 0, NULL, "Print the version" },
	[OPT_IMSI] = { "imsi", 0, "DIGITS", "IMSI; without an IMPI argument the IMPI is made from it" },
	[OPT_MNC_LENGTH] = { "mnc-length", 0, "N", "Digits of the MNC in an IMSI, 2 or 3 (default 2)" },
	[OPT_REALM] = { "realm", 0, "REALM", "Realm of IMPIs made from IMSIs instead of that of TS 23.003" },
	[OPT_IMPU] = { "impu", 0, "URI", "Public identity; may be repeated; 'none' removes all" },
	[OPT_K] = { "k", 0, "HEX", "K (others may see it in process lists: use --k-file)" },
	[OPT_K_FILE] = { "k-file", 0, "FILE", "Read K as hex from FILE, - for standard input" },
	[OPT_OP] = { "op", 0, "HEX", "OP, or TOP of TUAK; import: for rows that have none" },
	[OPT_OP_FILE] = { "op-file", 0, "FILE", "Read OP or TOP as hex from FILE, - for standard input" },
	[OPT_OPC] = { "opc", 0, "HEX", "OPc, or TOPc of TUAK" },
	[OPT_OPC_FILE] = { "opc-file", 0, "FILE", "Read OPc or TOPc as hex from FILE, - for standard input" },
	[OPT_ALGORITHM] = { "algorithm", 0, "NAME", "milenage or tuak (default milenage)" },
	[OPT_RES_LEN] = { "res-len", 0, "OCTETS", "Length of RES: MILENAGE 4..8, TUAK 4, 8, 16, 32 (default 8)" },
	[OPT_TUAK_ITERATIONS] = { "tuak-iterations", 0, "N", "Keccak iterations of TUAK, 1..255 (default 1)" },
	[OPT_AMF] = { "amf", 0, "HEX", "AMF, four digits (default 0000)" },
	[OPT_SQN] = { "sqn", 0, "N", "Last SQN used (SEQ and IND), decimal or 0x hex (default 0)" },
	[OPT_IND_BITS] = { "ind-bits", 0, "N", "Bits of IND in SQN, 0..8 (default 5)" },
	[OPT_GUSS] = { "guss", 0, "FILE", "GUSS document (TS 29.109 Annex A), - for standard input; 'none' empties it" },
	[OPT_UICC] = { "uicc", 0, "TYPE", "GBA or GBA_U, for a subscriber without GUSS (default GBA)" },
	[OPT_STATE] = { "state", 0, "STATE", "active or barred" },
	[OPT_FORCE] = { "force", 0, NULL, "Allow --sqn below the one in force" },
	[OPT_AFTER] = { "after", 0, "IMPI", "Start behind this IMPI" },
	[OPT_LIMIT] = { "limit", 0, "N", "Stop after N subscribers" },
	[OPT_REVEAL] = { "reveal", 0, NULL, "Include keys; only for the owner of the key file" },
	[OPT_DRY_RUN] = { "dry-run", 'n', NULL, "Say what would change, change nothing" },
	[OPT_YES] = { "yes", 'y', NULL, "Do not ask for confirmation" },
	[OPT_FROM] = { "from", 0, "KIND", "csv, open5gs, pyhss, osmo-hlr or json (our own export)" },
	[OPT_MARGIN] = { "margin", 0, "N", "SEQ steps added to imported sequence numbers (default 1000)" },
	[OPT_OUTPUT] = { "output", 'o', "FILE", "Write to FILE (0600) instead of standard output" },
};

static const struct ctl_command other_commands[] = {
	{ "completion", "", 0, 0, 0, cmd_completion, "Print completion for bash: source <(gba-ctl completion)" },
	{ NULL, NULL, 0, 0, 0, NULL, NULL }
};
const struct ctl_command *const ctl_commands[] = { ctl_subscriber_commands, other_commands, NULL };

enum ctl_exit ctl_fail(enum ctl_exit status, const char *fmt, ...)
{
	va_list args;

	fputs("gba-ctl: ", stderr);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
	return status;
}

enum ctl_exit ctl_fail_err(enum gba_err err, const char *what)
{
	enum ctl_exit status;

	switch (err) {
	case GBA_OK: return CTL_DONE;
	case GBA_E_IMPI_UNKNOWN: status = CTL_NOT_FOUND; break;
	case GBA_E_EXISTS: status = CTL_NEGATIVE; break;
	case GBA_E_DENIED: status = CTL_REFUSED; break;
	case GBA_E_CORRUPT: status = CTL_DAMAGED; break;
	case GBA_E_BUSY:
	case GBA_E_NOSPACE:
	case GBA_E_NOMEM: status = CTL_TRY_LATER; break;
	case GBA_E_SYNTAX:
	case GBA_E_RANGE:
	case GBA_E_TOO_LONG:
	case GBA_E_XML:
	case GBA_E_IMPI_SYNTAX:
	case GBA_E_CONF: status = CTL_USAGE; break;
	default: status = CTL_UNREACHABLE;
	}
	return ctl_fail(status, "%s: %s", what, gba_strerror(err));
}

static void print_option(const struct ctl_option *o)
{
	char left[40];
	int n = 0;

	if (o->letter != 0)
		n = snprintf(left, sizeof(left), "-%c, ", o->letter);
	snprintf(left + n, sizeof(left) - (size_t)n, "%s--%s%s%s", n == 0 ? "    " : "", o->name, o->value != NULL ? " " : "",
		 o->value != NULL ? o->value : "");
	printf("  %-28s %s\n", left, o->help);
}

static enum ctl_exit help(const struct ctl_command *command)
{
	const struct ctl_command *const *table;
	const struct ctl_command *c;
	uint64_t mask = CTL_COMMON_OPTIONS;
	int id;

	if (command != NULL) {
		printf("Usage: gba-ctl %s [OPTION...]%s%s\n%s.\n\n", command->words, command->arguments[0] != '\0' ? " " : "",
		       command->arguments, command->help);
		mask |= command->options;
	} else {
		puts("Usage: gba-ctl NOUN VERB [OPTION...] [ARGUMENT...]\nThe operator's tool of gba-suite.\n");
		for (table = ctl_commands; *table != NULL; table++) {
			for (c = *table; c->words != NULL; c++)
				printf("  %-20s %-14s %s\n", c->words, c->arguments, c->help);
		}
		puts("");
	}
	for (id = 0; id < OPT_COUNT; id++) {
		if (mask & (UINT64_C(1) << id))
			print_option(&ctl_options[id]);
	}
	puts("\nExit status: 0 done, 1 negative answer, 2 wrong use, 3 not found, 4 refused, 5 unreachable,\n"
	     "6 stored data does not verify, 75 try later.");
	return CTL_DONE;
}

static bool words_match(const char *words, char **argv, int argc, int *_used)
{
	size_t n;
	int i;

	for (i = 0; *words != '\0'; i++) {
		n = strcspn(words, " ");
		if (i >= argc || strlen(argv[i]) != n || strncmp(words, argv[i], n) != 0)
			return false;
		words += n + (words[n] == ' ');
	}
	*_used = i;
	return true;
}

static const struct ctl_command *command_find(char **argv, int argc, int *_used)
{
	const struct ctl_command *const *table;
	const struct ctl_command *c;

	for (table = ctl_commands; *table != NULL; table++) {
		for (c = *table; c->words != NULL; c++) {
			if (words_match(c->words, argv, argc, _used))
				return c;
		}
	}
	return NULL;
}

static bool option_take(struct ctl *ctl, int id, const char *value)
{
	ctl->option[id] = value != NULL ? value : "";
	if (id != OPT_IMPU)
		return true;
	if (ctl->impus == CTL_IMPUS_MAX)
		return false;
	ctl->impu[ctl->impus++] = value;
	return true;
}

/* getopt's tables from ours. */
static bool options_read(struct ctl *ctl, int argc, char **argv)
{
	struct option longs[OPT_COUNT + 1] = { 0 };
	char shorts[2 * OPT_COUNT + 1];
	int got, id, n = 0;

	for (id = 0; id < OPT_COUNT; id++) {
		const struct ctl_option *o = &ctl_options[id];

		longs[id] = (struct option){ o->name, o->value != NULL ? required_argument : no_argument, NULL, 256 + id };
		if (o->letter != 0)
			n += sprintf(shorts + n, "%c%s", o->letter, o->value != NULL ? ":" : "");
	}
	shorts[n] = '\0';
	while ((got = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
		for (id = 0; got < 256 && id < OPT_COUNT && ctl_options[id].letter != got; id++)
			;
		if (got >= 256)
			id = got - 256;
		if (id == OPT_COUNT || !option_take(ctl, id, optarg))
			return false;
	}
	return true;
}

static enum ctl_exit options_check(const struct ctl *ctl, const struct ctl_command *command)
{
	int id;

	for (id = 0; id < OPT_COUNT; id++) {
		if (ctl_given(ctl, (enum ctl_option_id)id) && !((CTL_COMMON_OPTIONS | command->options) & (UINT64_C(1) << id)))
			return ctl_fail(CTL_USAGE, "%s takes no --%s", command->words, ctl_options[id].name);
	}
	if (ctl_given(ctl, OPT_JSON) && ctl_given(ctl, OPT_CSV))
		return ctl_fail(CTL_USAGE, "--json and --csv exclude each other");
	if (ctl->n_args < command->min || ctl->n_args > command->max)
		return ctl_fail(CTL_USAGE, "usage: gba-ctl %s [OPTION...] %s", command->words, command->arguments);
	return CTL_DONE;
}

static enum ctl_exit paths_find(struct ctl *ctl)
{
	struct hss_conf *conf = talloc_zero(ctl->ctx, struct hss_conf);
	const char *path = ctl->option[OPT_CONFIG];
	struct conf_error error = { "out of memory" };

	ctl->db = HSS_DATABASE;
	ctl->kek = HSS_KEK_FILE;
	if (path == NULL && access(HSS_CONF, R_OK) == 0 && !(ctl_given(ctl, OPT_DB) && ctl_given(ctl, OPT_KEK)))
		path = HSS_CONF;
	if (path != NULL) {
		if (conf == NULL || conf_load(ctl->ctx, "hss", path, hss_conf_items, conf, &error) != GBA_OK)
			return ctl_fail(CTL_USAGE, "%s", error.text);
		ctl->db = conf->database;
		ctl->kek = conf->kek_file;
	}
	if (ctl_given(ctl, OPT_DB))
		ctl->db = ctl->option[OPT_DB];
	if (ctl_given(ctl, OPT_KEK))
		ctl->kek = ctl->option[OPT_KEK];
	return CTL_DONE;
}

static enum ctl_exit command_run(struct ctl *ctl, const struct ctl_command *command)
{
	enum writer_format format = ctl_given(ctl, OPT_JSON) ? WRITER_JSON : ctl_given(ctl, OPT_CSV) ? WRITER_CSV : WRITER_TEXT;
	enum ctl_exit status;

	status = options_check(ctl, command);
	if (status == CTL_DONE)
		status = paths_find(ctl);
	if (status != CTL_DONE)
		return status;
	ctl->out = writer_new(ctl->ctx, format, stdout);
	if (ctl->out == NULL)
		return ctl_fail_err(GBA_E_NOMEM, command->words);
	status = command->run(ctl);
	if (!writer_flush(ctl->out))
		return ctl_fail(CTL_TRY_LATER, "the answer could not be written");
	return status;
}

/* What shows in a process list is at least not there for the whole run. */
static void arguments_hide(struct ctl *ctl)
{
	static const enum ctl_option_id keys[] = { OPT_K, OPT_OP, OPT_OPC };
	size_t i;

	for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		const char *given = ctl->option[keys[i]];

		if (given == NULL)
			continue;
		ctl->option[keys[i]] = talloc_strdup(ctl->ctx, given);
		if (ctl->option[keys[i]] != NULL)
			secret_guard_chunk((void *)(uintptr_t)ctl->option[keys[i]]);
		memset((char *)(uintptr_t)given, 'x', strlen(given));
		fprintf(stderr, "gba-ctl: warning: --%s is visible to others in process lists; use --%s-file\n",
			ctl_options[keys[i]].name, ctl_options[keys[i]].name);
	}
}

int main(int argc, char **argv)
{
	struct ctl ctl = { .ctx = talloc_named_const(NULL, 0, "gba-ctl") };
	const struct ctl_command *command;
	enum ctl_exit status;
	int used = 0;

	secret_init();
	if (ctl.ctx == NULL || !options_read(&ctl, argc, argv)) {
		fputs("Try 'gba-ctl --help'.\n", stderr);
		talloc_free(ctl.ctx);
		return CTL_USAGE;
	}
	arguments_hide(&ctl);
	command = command_find(argv + optind, argc - optind, &used);
	ctl.args = argv + optind + used;
	ctl.n_args = argc - optind - used;
	if (ctl_given(&ctl, OPT_VERSION))
		status = puts("gba-ctl " PACKAGE_VERSION) < 0 ? CTL_TRY_LATER : CTL_DONE;
	else if (ctl_given(&ctl, OPT_HELP))
		status = help(command);
	else if (command == NULL)
		status = ctl_fail(CTL_USAGE, optind < argc ? "no such command; try --help" : "which command? try --help");
	else
		status = command_run(&ctl, command);
	talloc_free(ctl.ctx);
	return (int)status;
}
