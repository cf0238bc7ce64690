/* SPDX-License-Identifier: Apache-2.0 */
/* gba-ctl registry composite: what a platform computes of a device and sends to the registry (TEC 31188 2.2.1). Opens nothing. */
#include "registry-fn/id/composite.h"
#include "tools/gba-ctl/ctl.h"
#include "tools/gba-ctl/sub_common.h"

struct composite_args {
	const char *certificate, *application, *platform, *sim;
};

static const struct cli_opt composite_opts[] = {
	CLI_OPT_TEXT("--certificate", "FILE", struct composite_args, certificate, "The device's certificate, DER"),
	CLI_OPT_TEXT("--application", "ID", struct composite_args, application, "The application's identity on this device"),
	CLI_OPT_TEXT("--platform", "ID", struct composite_args, platform, "The platform's identity"),
	CLI_OPT_TEXT("--sim", "ID", struct composite_args, sim, "The SIM's identity"),
	CLI_OPT_END,
};

static enum gba_err cmd_composite(struct cli *cli, void *given)
{
	const struct composite_args *args = given;
	struct composite_parts parts = { BYTES_NONE, bytes_of(args->application), bytes_of(args->platform), bytes_of(args->sim) };
	struct ctl *ctl = (struct ctl *)cli;
	char value[COMPOSITE_MAX + 1];
	enum gba_err err = GBA_OK;

	if (args->certificate != NULL)
		err = sub_read_file(ctl, args->certificate, COMPOSITE_PART_MAX, &parts.certificate);
	if (err != GBA_OK)
		return err;
	if (parts.certificate.n > 0 && parts.certificate.p[0] == '-')
		return why_fail(&cli->why, GBA_E_SYNTAX, "%s: DER is wanted (openssl x509 -outform DER)", args->certificate);
	err = composite_compute("sha256", &parts, value);
	if (err != GBA_OK)
		return ctl_fail_err(ctl, err, "composite");
	writer_text(cli->out, "composite", bytes_of(value));
	writer_end(cli->out);
	return GBA_OK;
}

const struct cli_cmd ctl_registry_composite_commands[] = {
	{ "registry composite", "", 0, 0, composite_opts, sizeof(struct composite_args), NULL, cmd_composite,
	  "Compute the composite virtual identity of a device; a part not given is absent" },
	CLI_CMD_END,
};
