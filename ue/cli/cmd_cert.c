/* SPDX-License-Identifier: Apache-2.0 */
/* The device's certificate (Y.3056 10.4-5): its key is made in the card and stays there. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ue/cli/ue.h"
#include "ue/usim/device_cert.h"

#define FILE_CAP 16384

struct cert_args {
	const char *out;
	bool new_key;
};

static const struct cli_opt request_opts[] = {
	CLI_OPT_TEXT("-o", "FILE", struct cert_args, out, "Write the request here instead of standard output"),
	CLI_OPT_FLAG("--new-key", struct cert_args, new_key, "Make another key; the certificate before is of no use then"),
	CLI_OPT_END,
};

struct request {
	struct cli *cli;
	bool new_key;
	char *pem;
};

static enum gba_err edit_request(struct soft_usim_data *data, void *arg)
{
	struct request *request = arg;
	enum gba_err err = GBA_OK;

	if (data->pkey_n == 0 || request->new_key)
		err = device_key_make(data);
	return err == GBA_OK ? device_csr(request->cli->ctx, data, &request->pem) : err;
}

static enum gba_err cmd_request(struct cli *cli, void *args)
{
	const struct cert_args *cert = args;
	const char *usim = cli_usim(cli, USIM_DEFAULT);
	struct request request = { cli, cert->new_key, NULL };
	struct state *state;
	enum gba_err err = cli_state(cli, false, &state);
	FILE *out;

	if (err != GBA_OK)
		return err;
	err = soft_usim_edit(state, usim, edit_request, &request);
	if (err != GBA_OK)
		return why_fail(&cli->why, err, "USIM %s: %s", usim, gba_strerror(err));
	if (cert->out == NULL) {
		fputs(request.pem, stdout);
		cli->quiet = true;
		return GBA_OK;
	}
	out = fopen(cert->out, "we");
	if (out == NULL || fputs(request.pem, out) < 0 || fclose(out) != 0)
		return why_fail(&cli->why, GBA_E_IO, "%s: %s", cert->out, strerror(errno));
	cli_put(cli, "request", json_string(cert->out));
	return GBA_OK;
}

static enum gba_err edit_install(struct soft_usim_data *data, void *arg)
{
	return device_cert_install(data, *(const struct bytes *)arg);
}

static enum gba_err cmd_install(struct cli *cli, void *args)
{
	const char *usim = cli_usim(cli, USIM_DEFAULT);
	const char *path = cli->operands[0];
	FILE *in = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
	char text[FILE_CAP];
	struct bytes octets;
	struct state *state;
	enum gba_err err;

	(void)args;
	if (in == NULL)
		return why_fail(&cli->why, gba_err_from_errno(errno), "%s: %s", path, strerror(errno));
	octets = BYTES(text, fread(text, 1, sizeof(text), in));
	if (in != stdin)
		fclose(in);
	err = cli_state(cli, false, &state);
	if (err != GBA_OK)
		return err;
	err = soft_usim_edit(state, usim, edit_install, &octets);
	if (err == GBA_E_UNSUPPORTED)
		return why_fail(&cli->why, err, "USIM %s has no key yet: gba-ue certificate request", usim);
	if (err == GBA_E_CERTIFICATE)
		return why_fail(&cli->why, err, "%s: of another key than that of USIM %s", path, usim);
	if (err != GBA_OK)
		return why_fail(&cli->why, err, "%s: %s", path, gba_strerror(err));
	cli_put(cli, "installed", json_boolean(true));
	return GBA_OK;
}

const struct cli_cmd cmd_cert_commands[] = {
	{ "certificate request", "", 0, 0, request_opts, sizeof(struct cert_args), NULL, cmd_request,
	  "Print a request (PKCS #10) for a certificate of the card's key; makes the key" },
	{ "certificate install", "FILE", 1, 1, NULL, 0, NULL, cmd_install,
	  "Take the certificate that was issued for it; \"-\": standard input" },
	CLI_CMD_END,
};
