/* SPDX-License-Identifier: Apache-2.0 */
/* The rows of gba-ctl subscriber. */
#include "tools/gba-ctl/sub_common.h"

#define ROW_IMSI CLI_OPT_TEXT("--imsi", "DIGITS", struct sub_args, imsi, "IMSI; without an IMPI argument the IMPI is made from it")
#define ROW_MNC_LENGTH \
	CLI_OPT_TEXT("--mnc-length", "N", struct sub_args, mnc_length, "Digits of the MNC in an IMSI, 2 or 3 (default 2)")
#define ROW_REALM \
	CLI_OPT_TEXT("--realm", "REALM", struct sub_args, realm, "Realm of IMPIs made from IMSIs instead of that of TS 23.003")
#define ROW_OP CLI_OPT_KEY("--op", "HEX", struct sub_args, op, "OP, or TOP of TUAK; import: for rows that have none")
#define ROW_OP_FILE \
	CLI_OPT_TEXT("--op-file", "FILE", struct sub_args, op_file, "Read OP or TOP as hex from FILE, - for standard input")
#define ROW_AMF CLI_OPT_TEXT("--amf", "HEX", struct sub_args, amf, "AMF, four digits (default 0000)")
#define ROW_IND_BITS CLI_OPT_TEXT("--ind-bits", "N", struct sub_args, ind_bits, "Bits of IND in SQN, 0..8 (default 5)")
#define ROW_STATE CLI_OPT_TEXT("--state", "STATE", struct sub_args, state, "active or barred")
#define ROW_DRY_RUN CLI_OPT_LETTER('n', "--dry-run", struct sub_args, dry_run, "Say what would change, change nothing")
#define ROW_REVEAL CLI_OPT_FLAG("--reveal", struct sub_args, reveal, "Include keys; only for the owner of the key file")

/* What a subscriber has. */
#define FIELD_ROWS \
	ROW_IMSI, \
	CLI_OPT_LIST("--impu", "URI", struct sub_args, impu, "Public identity; may be repeated; 'none' removes all"), \
	CLI_OPT_KEY("--k", "HEX", struct sub_args, k, "K (others may see it in process lists: use --k-file)"), \
	CLI_OPT_TEXT("--k-file", "FILE", struct sub_args, k_file, "Read K as hex from FILE, - for standard input"), \
	ROW_OP, ROW_OP_FILE, \
	CLI_OPT_KEY("--opc", "HEX", struct sub_args, opc, "OPc, or TOPc of TUAK"), \
	CLI_OPT_TEXT("--opc-file", "FILE", struct sub_args, opc_file, "Read OPc or TOPc as hex from FILE, - for standard input"), \
	CLI_OPT_TEXT("--algorithm", "NAME", struct sub_args, algorithm, "milenage or tuak (default milenage)"), \
	CLI_OPT_TEXT("--res-len", "OCTETS", struct sub_args, res_len, "Length of RES: MILENAGE 4..8, TUAK 4, 8, 16, 32 (default 8)"), \
	CLI_OPT_TEXT("--tuak-iterations", "N", struct sub_args, tuak_iterations, "Keccak iterations of TUAK, 1..255 (default 1)"), \
	ROW_AMF, \
	CLI_OPT_TEXT("--sqn", "N", struct sub_args, sqn, "Last SQN used (SEQ and IND), decimal or 0x hex (default 0)"), \
	ROW_IND_BITS, \
	CLI_OPT_TEXT("--guss", "FILE", struct sub_args, guss, \
		     "GUSS document (TS 29.109 Annex A), - for standard input; 'none' empties it"), \
	CLI_OPT_TEXT("--uicc", "TYPE", struct sub_args, uicc, "GBA or GBA_U, for a subscriber without GUSS (default GBA)"), \
	ROW_STATE, ROW_DRY_RUN

/* Which subscribers. */
#define WALK_ROWS \
	CLI_OPT_TEXT("--after", "IMPI", struct sub_args, after, "Start behind this IMPI"), \
	CLI_OPT_TEXT("--limit", "N", struct sub_args, limit, "Stop after N subscribers"), ROW_STATE

const struct cli_opt sub_add_opts[] = {
	FIELD_ROWS, ROW_MNC_LENGTH, ROW_REALM,
	CLI_OPT_FLAG("--no-aka", struct sub_args, no_aka, "No USIM, only a certificate: keys are drawn that nobody else ever has"),
	CLI_OPT_END
};
static const struct cli_opt show_opts[] = { ROW_REVEAL, CLI_OPT_END };
static const struct cli_opt list_opts[] = { WALK_ROWS, CLI_OPT_END };
static const struct cli_opt set_opts[] = {
	FIELD_ROWS,
	CLI_OPT_FLAG("--force", struct sub_args, force, "Allow --sqn below the one in force"),
	CLI_OPT_END,
};
static const struct cli_opt remove_opts[] = {
	ROW_DRY_RUN,
	CLI_OPT_LETTER('y', "--yes", struct sub_args, yes, "Do not ask for confirmation"),
	CLI_OPT_END,
};
static const struct cli_opt import_opts[] = {
	CLI_OPT_TEXT("--from", "KIND", struct sub_args, from, "csv, open5gs, pyhss, osmo-hlr or json (our own export)"),
	CLI_OPT_TEXT("--margin", "N", struct sub_args, margin, "SEQ steps added to imported sequence numbers (default 1000)"),
	ROW_DRY_RUN, ROW_MNC_LENGTH, ROW_REALM, ROW_OP, ROW_OP_FILE, ROW_AMF, ROW_IND_BITS,
	CLI_OPT_END,
};
static const struct cli_opt export_opts[] = {
	WALK_ROWS,
	ROW_REVEAL,
	CLI_OPT_LETTER_TEXT('o', "--output", "FILE", struct sub_args, output, "Write to FILE (0600) instead of standard output"),
	CLI_OPT_END,
};

#define SUB_CMD(words, operands, min, max, opts, run, help) \
	{ words, operands, min, max, opts, sizeof(struct sub_args), NULL, run, help }

const struct cli_cmd ctl_subscriber_commands[] = {
	SUB_CMD("subscriber add", "[IMPI]", 0, 1, sub_add_opts, cmd_subscriber_add, "Add a subscriber"),
	SUB_CMD("subscriber show", "IMPI|IMSI", 1, 1, show_opts, cmd_subscriber_show, "Show a subscriber"),
	SUB_CMD("subscriber list", "", 0, 0, list_opts, cmd_subscriber_list, "List subscribers, never keys"),
	SUB_CMD("subscriber set", "IMPI|IMSI", 1, 1, set_opts, cmd_subscriber_set, "Change a subscriber"),
	SUB_CMD("subscriber remove", "IMPI|IMSI", 1, 1, remove_opts, cmd_subscriber_remove, "Remove a subscriber and its keys"),
	SUB_CMD("subscriber import", "FILE", 1, 1, import_opts, cmd_subscriber_import,
		"Take subscribers over from another system"),
	SUB_CMD("subscriber export", "", 0, 0, export_opts, cmd_subscriber_export, "Write all subscribers as JSON or CSV"),
	CLI_CMD_END,
};
