/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include "core/codec.h"
#include "crypto/hash.h"
#include "ue/cli/ue.h"
#include "ue/usim/device_cert.h"
#include "ue/usim/soft_usim.h"

/* What lets a card change its operator (Y.3056 10.6). */
struct operator_args {
	const char *name, *transfer_key, *anchor, *certificate, *private_key;
};

#define OPERATOR_OPTS(st)                                                                                              \
	CLI_OPT_TEXT("--operator", "REALM", st, provider.name, "Operator the card is with, by its Diameter realm"),    \
		CLI_OPT_TEXT("--transfer-key-file", "FILE", st, provider.transfer_key,                                 \
			     "64 hex digits: what opens key updates; \"-\": standard input"),                          \
		CLI_OPT_TEXT("--anchor", "HEX", st, provider.anchor, "Operator's public key: what signs updates"),     \
		CLI_OPT_TEXT("--certificate", "FILE", st, provider.certificate,                                        \
			     "Device certificate (PEM) for asymmetric bootstrapping"),                                 \
		CLI_OPT_TEXT("--private-key", "FILE", st, provider.private_key, "Its private key (PEM)")

struct create_args {
	const char *imsi, *impi, *k, *op, *opc, *key_file, *algorithm, *sqn;
	uint32_t mnc_digits, res_len, iterations, ind_bits;
	bool gba_u, certificate_only;
	struct operator_args provider;
};

static const struct cli_opt create_opts[] = {
	CLI_OPT_TEXT("--imsi", "DIGITS", struct create_args, imsi,
		     "International mobile subscriber identity (required)"),
	CLI_OPT_NUMBER("--mnc-digits", "N", 2, 3, struct create_args, mnc_digits,
		       "Digits of the network code in the IMSI; 2 otherwise"),
	CLI_OPT_TEXT("--impi", "IMPI", struct create_args, impi, "Private identity; made from the IMSI otherwise"),
	CLI_OPT_TEXT("--key-file", "FILE", struct create_args, key_file,
		     "Lines \"k=HEX\" and \"opc=HEX\" or \"op=HEX\"; \"-\": standard input"),
	CLI_OPT_TEXT("--k", "HEX", struct create_args, k, "K, for labs: a command line is not secret"),
	CLI_OPT_TEXT("--opc", "HEX", struct create_args, opc, "OPc; TUAK: TOPc"),
	CLI_OPT_TEXT("--op", "HEX", struct create_args, op, "OP instead of OPc; TUAK: TOP"),
	CLI_OPT_TEXT("--algorithm", "NAME", struct create_args, algorithm, "milenage or tuak; milenage otherwise"),
	CLI_OPT_NUMBER("--res-len", "OCTETS", 4, 32, struct create_args, res_len, "Length of RES; 8 otherwise"),
	CLI_OPT_NUMBER("--iterations", "N", 1, 255, struct create_args, iterations,
		       "TUAK: Keccak runs per call; 1 otherwise"),
	CLI_OPT_NUMBER("--ind-bits", "N", 0, 8, struct create_args, ind_bits, "Bits of IND in the SQN; 5 otherwise"),
	CLI_OPT_TEXT("--sqn", "HEX", struct create_args, sqn,
		     "Highest SQN already accepted, twelve digits; 0 otherwise"),
	CLI_OPT_FLAG("--certificate-only", struct create_args, certificate_only,
		     "No AKA: only --impi and what gba-ue certificate brings"),
	CLI_OPT_FLAG("--gba-u", struct create_args, gba_u, "The card does GBA_U: Ks never leaves it"),
	OPERATOR_OPTS(struct create_args),
	CLI_OPT_END,
};

struct show_args {
	bool reveal;
};

static const struct cli_opt show_opts[] = {
	CLI_OPT_FLAG("--reveal", struct show_args, reveal, "Print K and OPc, too"),
	CLI_OPT_END,
};

struct set_args {
	const char *sqn, *impi, *gba_u;
	uint32_t ind; /* UINT32_MAX: all */
	struct operator_args provider;
};

static const struct cli_opt set_opts[] = {
	CLI_OPT_TEXT("--sqn", "HEX", struct set_args, sqn,
		     "Highest SQN accepted, twelve digits: to be out of step on purpose"),
	CLI_OPT_NUMBER("--ind", "N", 0, 255, struct set_args, ind, "With --sqn: this element of the array only"),
	CLI_OPT_TEXT("--impi", "IMPI", struct set_args, impi, "Private identity"),
	CLI_OPT_TEXT("--gba-u", "on|off", struct set_args, gba_u, "GBA_U capability"),
	OPERATOR_OPTS(struct set_args),
	CLI_OPT_END,
};

static void create_defaults(void *args)
{
	struct create_args *create = args;

	create->mnc_digits = 2;
	create->res_len = 8;
	create->iterations = 1;
	create->ind_bits = SQN_IND_BITS_DEFAULT;
	create->algorithm = "milenage";
}

static void set_defaults(void *args)
{
	((struct set_args *)args)->ind = UINT32_MAX;
}

static const char *usim_name(const struct cli *cli)
{
	return cli->operand_count > 0 ? cli->operands[0] : USIM_DEFAULT;
}

/* Keys while they are text: wiped when freed. */
struct key_text {
	char k[HEX_LEN(AKA_K_MAX) + 1], op[HEX_LEN(AKA_OPC_MAX) + 1], opc[HEX_LEN(AKA_OPC_MAX) + 1];
};

static enum gba_err take_text(struct cli *cli, char *out, size_t cap, const char *name, struct bytes value)
{
	if (value.n == 0 || value.n >= cap)
		return why_fail(&cli->why, GBA_E_SYNTAX, "%s: not hex digits of a length that exists", name);
	memcpy(out, value.p, value.n);
	out[value.n] = '\0';
	return GBA_OK;
}

static struct bytes trimmed(struct bytes text)
{
	while (text.n > 0 && strchr(" \t\r\n", text.p[0]) != NULL)
		text.p++, text.n--;
	while (text.n > 0 && strchr(" \t\r\n", text.p[text.n - 1]) != NULL)
		text.n--;
	return text;
}

static enum gba_err take_line(struct cli *cli, struct key_text *text, const char *line)
{
	struct bytes all = trimmed(bytes_of(line)), name, value;

	if (all.n == 0 || all.p[0] == '#')
		return GBA_OK;
	if (!bytes_split(all, '=', &name, &value))
		return why_fail(&cli->why, GBA_E_SYNTAX, "key file: a line is not name=HEX");
	name = trimmed(name);
	value = trimmed(value);
	if (bytes_eq_str(name, "k"))
		return take_text(cli, text->k, sizeof(text->k), "k", value);
	if (bytes_eq_str(name, "opc") || bytes_eq_str(name, "topc"))
		return take_text(cli, text->opc, sizeof(text->opc), "opc", value);
	if (bytes_eq_str(name, "op") || bytes_eq_str(name, "top"))
		return take_text(cli, text->op, sizeof(text->op), "op", value);
	return why_fail(&cli->why, GBA_E_SYNTAX, "key file: names are k, opc, op");
}

static enum gba_err read_key_file(struct cli *cli, struct key_text *text, const char *path)
{
	FILE *in = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
	enum gba_err err = GBA_OK;
	char line[256];

	if (in == NULL)
		return why_fail(&cli->why, gba_err_from_errno(errno), "%s: %s", path, strerror(errno));
	setvbuf(in, NULL, _IONBF, 0); /* no copy of the keys in a buffer of stdio */
	while (err == GBA_OK && fgets(line, sizeof(line), in) != NULL)
		err = take_line(cli, text, line);
	SECRET_WIPE(line);
	if (in != stdin)
		fclose(in);
	return err;
}

static enum gba_err gather_keys(struct cli *cli, const struct create_args *args, struct key_text *text)
{
	enum gba_err err = GBA_OK;

	if (args->key_file != NULL)
		err = read_key_file(cli, text, args->key_file);
	if (err == GBA_OK && args->k != NULL)
		err = take_text(cli, text->k, sizeof(text->k), "--k", bytes_of(args->k));
	if (err == GBA_OK && args->opc != NULL)
		err = take_text(cli, text->opc, sizeof(text->opc), "--opc", bytes_of(args->opc));
	if (err == GBA_OK && args->op != NULL)
		err = take_text(cli, text->op, sizeof(text->op), "--op", bytes_of(args->op));
	if (err == GBA_OK && (text->k[0] == '\0' || (text->opc[0] == '\0') == (text->op[0] == '\0')))
		err = why_fail(&cli->why, GBA_E_SYNTAX, "K and one of OPc, OP are needed: --key-file, or --k and --opc");
	return err;
}

static enum gba_err hex_key(struct cli *cli, const char *name, const char *text, uint8_t *out, size_t want)
{
	if (hex_decode(bytes_of(text), out, want) != GBA_OK)
		return why_fail(&cli->why, GBA_E_SYNTAX, "%s: not %zu hex digits", name, HEX_LEN(want));
	return GBA_OK;
}

static enum gba_err make_key(struct cli *cli, const struct create_args *args, const struct key_text *text,
			     struct aka_key *key)
{
	uint8_t op[AKA_OPC_MAX];
	size_t op_len;
	enum gba_err err;

	if (strcmp(args->algorithm, "milenage") != 0 && strcmp(args->algorithm, "tuak") != 0)
		return why_fail(&cli->why, GBA_E_SYNTAX, "--algorithm: milenage or tuak");
	key->alg = args->algorithm[0] == 't' ? AKA_TUAK : AKA_MILENAGE;
	key->res_len = args->res_len;
	key->tuak_iterations = args->iterations;
	key->k_len = key->alg == AKA_TUAK && strlen(text->k) == HEX_LEN(32) ? 32 : 16;
	op_len = key->alg == AKA_TUAK ? 32 : 16;
	err = hex_key(cli, "K", text->k, key->k, key->k_len);
	if (err != GBA_OK)
		return err;
	if (text->opc[0] != '\0')
		return hex_key(cli, "OPc", text->opc, key->opc, op_len);
	err = hex_key(cli, "OP", text->op, op, op_len);
	if (err == GBA_OK)
		err = aka_opc_from_op(key->alg, BYTES(key->k, key->k_len), BYTES(op, op_len), key->tuak_iterations,
				      key->opc);
	SECRET_WIPE(op);
	return err;
}

/* ind UINT32_MAX: the whole array, so that SQN_MS is exactly this and no older SEQ passes, whatever its IND. */
static enum gba_err set_sqn(struct cli *cli, struct sqn_array *array, const char *text, uint32_t ind)
{
	uint8_t octets[AKA_SQN_LEN];
	uint32_t count = 1U << array->ind_bits, i;
	uint64_t sqn, seq;

	if (hex_decode(bytes_of(text), octets, sizeof(octets)) != GBA_OK)
		return why_fail(&cli->why, GBA_E_SYNTAX, "--sqn: twelve hex digits");
	if (ind != UINT32_MAX && ind >= count)
		return why_fail(&cli->why, GBA_E_RANGE, "--ind: this USIM's array has %u elements", count);
	sqn = sqn_from_octets(octets);
	seq = sqn >> array->ind_bits;
	if (ind != UINT32_MAX) {
		array->seq[ind] = seq;
		return GBA_OK;
	}
	for (i = 0; i < count; i++)
		array->seq[i] = seq > 0 && i != sqn % count ? seq - 1 : seq;
	return GBA_OK;
}

static enum gba_err set_identity(struct cli *cli, const struct create_args *args, struct usim_identity *identity)
{
	enum gba_err err = GBA_OK;

	if (args->imsi == NULL || !imsi_valid(bytes_of(args->imsi)))
		return why_fail(&cli->why, GBA_E_SYNTAX, "--imsi: 6 to 15 digits");
	snprintf(identity->imsi, sizeof(identity->imsi), "%s", args->imsi);
	identity->gba_u = args->gba_u;
	if (args->impi != NULL && !impi_valid(bytes_of(args->impi)))
		return why_fail(&cli->why, GBA_E_IMPI_SYNTAX, "--impi: not user@realm");
	if (args->impi != NULL)
		snprintf(identity->impi, sizeof(identity->impi), "%s", args->impi);
	else
		err = impi_from_imsi(bytes_of(args->imsi), args->mnc_digits, identity->impi);
	return err;
}

static enum gba_err read_transfer_key(struct cli *cli, const char *path, struct soft_usim_slot *slot)
{
	FILE *in = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
	char line[128] = "";
	enum gba_err err;

	if (in == NULL)
		return why_fail(&cli->why, gba_err_from_errno(errno), "%s: %s", path, strerror(errno));
	setvbuf(in, NULL, _IONBF, 0);
	if (fgets(line, sizeof(line), in) == NULL)
		line[0] = '\0';
	if (in != stdin)
		fclose(in);
	err = hex_decode(trimmed(bytes_of(line)), slot->transfer_key, TRANSFER_KEY_LEN);
	SECRET_WIPE(line);
	if (err != GBA_OK)
		return why_fail(&cli->why, err, "%s: not 64 hex digits", path);
	slot->has_transfer_key = true;
	return GBA_OK;
}

static enum gba_err set_anchor(struct cli *cli, const char *text, struct soft_usim_data *data)
{
	uint8_t public[OP_PUBLIC_LEN];

	if (hex_decode(bytes_of(text), data->anchor, OP_SIGN_LEN) != GBA_OK) {
		if (hex_decode(bytes_of(text), public, OP_PUBLIC_LEN) != GBA_OK)
			return why_fail(&cli->why, GBA_E_SYNTAX, "--anchor: 64 or 128 hex digits");
		memcpy(data->anchor, public, OP_SIGN_LEN);
	}
	data->has_anchor = true;
	return GBA_OK;
}

static enum gba_err set_operator(struct cli *cli, const struct operator_args *op, struct soft_usim_data *data)
{
	struct soft_usim_slot *slot = &data->active;
	enum gba_err err = GBA_OK;

	if (op->name != NULL && !fqdn_valid(bytes_of(op->name)))
		return why_fail(&cli->why, GBA_E_SYNTAX, "--operator: not a realm");
	if (op->name != NULL)
		snprintf(slot->operator, sizeof(slot->operator), "%s", op->name);
	if (op->transfer_key != NULL)
		err = read_transfer_key(cli, op->transfer_key, slot);
	if (err == GBA_OK && op->anchor != NULL)
		err = set_anchor(cli, op->anchor, data);
	if (err == GBA_OK && (op->certificate != NULL || op->private_key != NULL))
		err = device_cert_read(op->certificate, op->private_key, data, &cli->why);
	return err;
}

/* A secure element for a realm of certificates only (Y.OBF 10.1.3-2). */
static enum gba_err create_without_aka(struct cli *cli, const struct create_args *args, struct soft_usim_data *data)
{
	struct usim_identity *identity = &data->active.identity;

	if (args->impi == NULL || !impi_valid(bytes_of(args->impi)))
		return why_fail(&cli->why, GBA_E_IMPI_SYNTAX, "--impi: user@realm is needed");
	if (args->imsi != NULL || args->key_file != NULL || args->k != NULL || args->sqn != NULL || args->gba_u)
		return why_fail(&cli->why, GBA_E_SYNTAX, "--certificate-only has no IMSI, keys, SQN or GBA_U");
	snprintf(identity->impi, sizeof(identity->impi), "%s", args->impi);
	data->certificate_only = identity->certificate_only = true;
	return set_operator(cli, &args->provider, data);
}

static enum gba_err create(struct cli *cli, const struct create_args *args, struct soft_usim_data *data)
{
	struct secret *owner = secret_new(cli->ctx, sizeof(struct key_text));
	struct key_text *text;
	enum gba_err err;

	if (owner == NULL)
		return GBA_E_NOMEM;
	text = (struct key_text *)(void *)owner->p;
	sqn_array_init(&data->active.sqn, args->ind_bits);
	err = set_identity(cli, args, &data->active.identity);
	if (err == GBA_OK)
		err = gather_keys(cli, args, text);
	if (err == GBA_OK)
		err = make_key(cli, args, text, &data->active.key);
	if (err == GBA_OK && args->sqn != NULL)
		err = set_sqn(cli, &data->active.sqn, args->sqn, UINT32_MAX);
	if (err == GBA_OK)
		err = set_operator(cli, &args->provider, data);
	if (err == GBA_OK && aka_key_check(&data->active.key) != GBA_OK)
		err = why_fail(&cli->why, GBA_E_RANGE, "the algorithm does not have a RES or K of this length");
	talloc_free(owner);
	return err;
}

static void put_hex(struct cli *cli, const char *name, const uint8_t *octets, size_t n)
{
	char hex[HEX_LEN(AKA_K_MAX) + 1];

	hex_encode(BYTES(octets, n), hex);
	cli_put(cli, name, json_string(hex));
	SECRET_WIPE(hex);
}

static void put_aka(struct cli *cli, const struct soft_usim_data *data)
{
	const struct soft_usim_slot *slot = &data->active;
	uint8_t sqn[AKA_SQN_LEN];

	cli_put(cli, "imsi", json_string(slot->identity.imsi));
	cli_put(cli, "algorithm", json_string(slot->key.alg == AKA_TUAK ? "tuak" : "milenage"));
	cli_put(cli, "k-bits", json_integer((json_int_t)slot->key.k_len * 8));
	cli_put(cli, "res-len", json_integer((json_int_t)slot->key.res_len));
	cli_put(cli, "ind-bits", json_integer((json_int_t)slot->sqn.ind_bits));
	sqn_to_octets(sqn_array_highest(&slot->sqn), sqn);
	put_hex(cli, "sqn-ms", sqn, sizeof(sqn));
	cli_put(cli, "gba-u", json_boolean(slot->identity.gba_u));
}

static void put_change(struct cli *cli, const struct soft_usim_data *data)
{
	if (data->has_pending) {
		cli_put(cli, "pending-operator", json_string(data->pending.operator));
		cli_put(cli, "pending-impi", json_string(data->pending.identity.impi));
	}
	if (data->has_previous) {
		cli_put(cli, "previous-operator", json_string(data->previous.operator));
		cli_put(cli, "previous-impi", json_string(data->previous.impi));
	}
}

/* By which the operator's people know it: that of openssl x509 -fingerprint -sha256. */
static void put_digest(struct cli *cli, const char *name, struct bytes octets)
{
	uint8_t digest[HASH_MAX];

	hash_pieces(HASH_SHA256, &octets, 1, digest);
	put_hex(cli, name, digest, HASH_MAX);
}

static void put_usim(struct cli *cli, const char *name, const struct soft_usim_data *data)
{
	cli_put(cli, "usim", json_string(name));
	cli_put(cli, "impi", json_string(data->active.identity.impi));
	if (data->certificate_only)
		cli_put(cli, "certificate-only", json_boolean(true));
	else
		put_aka(cli, data);
	if (data->active.operator[0] != '\0') {
		cli_put(cli, "operator", json_string(data->active.operator));
		cli_put(cli, "counter", json_integer((json_int_t)data->active.counter));
	}
	put_change(cli, data);
	if (data->has_anchor)
		put_hex(cli, "anchor", data->anchor, sizeof(data->anchor));
	if (data->pkey_n > 0)
		cli_put(cli, "certificate", json_boolean(data->cert_n > 0));
	if (data->cert_n > 0)
		put_digest(cli, "certificate-digest", BYTES(data->cert, data->cert_n));
	if (data->btid[0] != '\0') {
		cli_put(cli, "btid", json_string(data->btid));
		cli_put(cli, "expires", cli_time(data->expires));
	}
}
static enum gba_err cmd_create(struct cli *cli, void *args)
{
	struct soft_usim_data *data = soft_usim_data_new(cli->ctx, NULL);
	struct state *state;
	enum gba_err err;

	if (data == NULL)
		return GBA_E_NOMEM;
	err = ((struct create_args *)args)->certificate_only ? create_without_aka(cli, args, data) : create(cli, args, data);
	if (err == GBA_OK)
		err = cli_state(cli, true, &state);
	if (err != GBA_OK)
		return err;
	err = soft_usim_create(state, usim_name(cli), data);
	if (err == GBA_E_EXISTS)
		return why_fail(&cli->why, err, "USIM %s exists already", usim_name(cli));
	if (err != GBA_OK)
		return why_fail(&cli->why, err, "USIM %s: %s", usim_name(cli), gba_strerror(err));
	put_usim(cli, usim_name(cli), data);
	return GBA_OK;
}

static enum gba_err load(struct cli *cli, struct state **_state, struct soft_usim_data **_data)
{
	enum gba_err err = cli_state(cli, false, _state);

	if (err != GBA_OK)
		return err;
	err = soft_usim_load(cli->ctx, *_state, usim_name(cli), _data);
	if (err != GBA_OK)
		return why_fail(&cli->why, err, "USIM %s: %s", usim_name(cli), gba_strerror(err));
	return GBA_OK;
}

static enum gba_err cmd_show(struct cli *cli, void *args)
{
	const struct show_args *show = args;
	struct soft_usim_data *data;
	struct state *state;
	enum gba_err err = load(cli, &state, &data);

	if (err != GBA_OK)
		return err;
	put_usim(cli, usim_name(cli), data);
	if (show->reveal && !data->certificate_only) {
		put_hex(cli, "k", data->active.key.k, data->active.key.k_len);
		put_hex(cli, "opc", data->active.key.opc, data->active.key.alg == AKA_TUAK ? 32 : 16);
	}
	return GBA_OK;
}

struct edit {
	struct cli *cli;
	const struct set_args *args;
};

static enum gba_err edit_usim(struct soft_usim_data *data, void *arg)
{
	const struct edit *edit = arg;
	const struct set_args *args = edit->args;
	struct cli *cli = edit->cli;

	if (args->gba_u != NULL && strcmp(args->gba_u, "on") != 0 && strcmp(args->gba_u, "off") != 0)
		return why_fail(&cli->why, GBA_E_SYNTAX, "--gba-u: on or off");
	if (args->gba_u != NULL)
		data->active.identity.gba_u = strcmp(args->gba_u, "on") == 0;
	if (args->impi != NULL && !impi_valid(bytes_of(args->impi)))
		return why_fail(&cli->why, GBA_E_IMPI_SYNTAX, "--impi: not user@realm");
	if (args->impi != NULL)
		snprintf(data->active.identity.impi, sizeof(data->active.identity.impi), "%s", args->impi);
	if (set_operator(cli, &args->provider, data) != GBA_OK)
		return GBA_E_SYNTAX;
	if ((args->sqn != NULL || args->gba_u != NULL) && data->certificate_only)
		return why_fail(&cli->why, GBA_E_UNSUPPORTED, "this card has no AKA");
	return args->sqn != NULL ? set_sqn(cli, &data->active.sqn, args->sqn, args->ind) : GBA_OK;
}

static enum gba_err cmd_set(struct cli *cli, void *args)
{
	struct edit edit = { cli, args };
	struct soft_usim_data *data;
	struct state *state;
	enum gba_err err = load(cli, &state, &data);

	if (err == GBA_OK)
		err = soft_usim_edit(state, usim_name(cli), edit_usim, &edit);
	if (err == GBA_OK)
		err = soft_usim_load(cli->ctx, state, usim_name(cli), &data);
	if (err == GBA_OK)
		put_usim(cli, usim_name(cli), data);
	return err;
}

static enum gba_err cmd_list(struct cli *cli, void *args)
{
	struct state *state;
	enum gba_err err;
	char **names;
	size_t count, i;

	(void)args;
	err = cli_state(cli, false, &state);
	if (err == GBA_OK)
		err = state_list(cli->ctx, state, "usim-", "", &names, &count);
	if (err != GBA_OK)
		return err;
	cli->result = json_array();
	for (i = 0; i < count; i++) {
		json_t *row = json_object();

		json_object_set_new(row, "usim", json_string(names[i]));
		json_array_append_new(cli->result, row);
	}
	return GBA_OK;
}

static enum gba_err cmd_remove(struct cli *cli, void *args)
{
	struct state *state;
	enum gba_err err;

	(void)args;
	err = cli_state(cli, false, &state);
	if (err == GBA_OK)
		err = soft_usim_remove(state, usim_name(cli));
	if (err != GBA_OK)
		return why_fail(&cli->why, err, "USIM %s: %s", usim_name(cli), gba_strerror(err));
	cli_put(cli, "removed", json_string(usim_name(cli)));
	return GBA_OK;
}

const struct cli_cmd cmd_usim_commands[] = {
	{ "usim create", "[NAME]", 0, 1, create_opts, sizeof(struct create_args), create_defaults, cmd_create,
	  "Make a soft USIM" },
	{ "usim show", "[NAME]", 0, 1, show_opts, sizeof(struct show_args), NULL, cmd_show,
	  "Show a USIM, its keys only on demand" },
	{ "usim set", "[NAME]", 0, 1, set_opts, sizeof(struct set_args), set_defaults, cmd_set, "Change a USIM" },
	{ "usim list", "", 0, 0, NULL, 0, NULL, cmd_list, "List USIMs" },
	{ "usim remove", "NAME", 1, 1, NULL, 0, NULL, cmd_remove, "Destroy a USIM" },
	CLI_CMD_END,
};
