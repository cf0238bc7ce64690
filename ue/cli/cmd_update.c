/* SPDX-License-Identifier: Apache-2.0 */
/* Change of operator (Y.3056 10.6): take the new operator's message, get the first token in its realm, and go on until
 * the new operator says that the change is final. */
#include <errno.h>
#include <poll.h>
#include <string.h>

#include "core/clock.h"
#include "core/codec.h"
#include "crypto/key_update.h"
#include "ue/cli/ue.h"
#include "ue/client.h"

#define ASK_AGAIN_MS 1000

struct update_args {
	const char *profile, *url, *connect, *ca_file;
	uint32_t wait;
	bool only_take;
};

static const struct cli_opt update_opts[] = {
	CLI_OPT_TEXT("--profile", "NAME", struct update_args, profile, "Name for the new realm's profile; \"next\" otherwise"),
	CLI_OPT_TEXT("--url", "URL", struct update_args, url, "Where its BSF serves Ub; http://FQDN/ otherwise"),
	CLI_OPT_TEXT("--connect", "ADDR:PORT", struct update_args, connect, "Connect here, whatever host the URL names"),
	CLI_OPT_TEXT("--ca-file", "FILE", struct update_args, ca_file, "Certificates to trust for https (PEM)"),
	CLI_OPT_NUMBER("--wait", "S", 0, 600, struct update_args, wait,
		       "Ask this long whether the change is final; 10 otherwise"),
	CLI_OPT_FLAG("--only-take", struct update_args, only_take,
		     "Take the message and stop: the next bootstrapping goes on"),
	CLI_OPT_END,
};

static void update_defaults(void *args)
{
	struct update_args *update = args;

	update->profile = "next";
	update->url = update->connect = update->ca_file = "";
	update->wait = 10;
}

/* base64, as hss-stub's operator gets it, or the octets themselves. */
static enum gba_err read_message(struct cli *cli, const char *path, uint8_t *out, size_t *_n)
{
	FILE *in = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
	char text[BASE64_LEN(KEY_UPDATE_MAX) + 2];
	size_t n;

	if (in == NULL)
		return why_fail(&cli->why, gba_err_from_errno(errno), "%s: %s", path, strerror(errno));
	n = fread(text, 1, sizeof(text), in);
	if (in != stdin)
		fclose(in);
	if (n >= 4 && n <= KEY_UPDATE_MAX && memcmp(text, "GKU1", 4) == 0) {
		memcpy(out, text, n);
		*_n = n;
		return GBA_OK;
	}
	while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == '\r'))
		n--;
	if (base64_decode(BYTES(text, n), out, KEY_UPDATE_MAX, _n) != GBA_OK)
		return why_fail(&cli->why, GBA_E_SYNTAX, "%s: not a key update", path);
	return GBA_OK;
}

/* The first token in the new realm, then others until the card has one slot only. */
static enum gba_err go_over(struct cli *cli, struct client *client, uint32_t wait_s)
{
	uint64_t end = clock_mono_ms() + (uint64_t)wait_s * 1000;
	struct client_run run;
	enum gba_err err;

	err = client_bootstrap(client, BYTES_NONE, NULL, true, &run, &cli->why);
	while (err == GBA_OK && client_changing(client) && clock_mono_ms() < end) {
		poll(NULL, 0, ASK_AGAIN_MS);
		err = client_bootstrap(client, BYTES_NONE, NULL, true, &run, &cli->why);
	}
	if (err != GBA_OK)
		return err;
	cli_put(cli, "profile", json_string(run.profile));
	cli_put(cli, "btid", json_string(run.btid));
	cli_put(cli, "final", json_boolean(!client_changing(client)));
	return GBA_OK;
}

static enum gba_err cmd_update(struct cli *cli, void *args)
{
	const struct client_conf conf = { .product = UE_PRODUCT, .usim = cli_usim(cli, NULL), .pin = cli_pin(cli) };
	const struct update_args *update = args;
	uint8_t octets[KEY_UPDATE_MAX];
	struct client_update ask = { .profile = update->profile,
				     .url = update->url,
				     .connect = update->connect,
				     .ca_file = update->ca_file,
				     .again = true };
	struct client *client;
	struct state *state;
	enum gba_err err;
	size_t n;

	err = read_message(cli, cli->operands[0], octets, &n);
	if (err == GBA_OK)
		err = cli_state(cli, false, &state);
	if (err != GBA_OK)
		return err;
	client = client_new(cli->ctx, state, &conf);
	if (client == NULL)
		return GBA_E_NOMEM;
	ask.message = BYTES(octets, n);
	err = client_update(client, &ask, &cli->why);
	if (err != GBA_OK || update->only_take) {
		if (err == GBA_OK)
			cli_put(cli, "taken", json_boolean(true));
		return err;
	}
	return go_over(cli, client, update->wait);
}

const struct cli_cmd cmd_update_commands[] = {
	{ "update", "FILE", 1, 1, update_opts, sizeof(struct update_args), update_defaults, cmd_update,
	  "Change to another operator with its key update; \"-\": standard input" },
	CLI_CMD_END,
};
