/* SPDX-License-Identifier: Apache-2.0 */
#include "ue/cli/ue.h"
#include "ue/client.h"

struct profile_args {
	const char *bsf, *url, *connect, *ca_file, *impi;
	bool announce, certificate;
};

static const struct cli_opt add_opts[] = {
	CLI_OPT_TEXT("--bsf", "FQDN", struct profile_args, bsf,
		     "Name of the realm's BSF (required): its Digest realm must be this"),
	CLI_OPT_TEXT("--url", "URL", struct profile_args, url, "Where it serves Ub; http://FQDN/ otherwise"),
	CLI_OPT_TEXT("--connect", "ADDR:PORT", struct profile_args, connect,
		     "Connect here, whatever host the URL names"),
	CLI_OPT_TEXT("--ca-file", "FILE", struct profile_args, ca_file, "Certificates to trust for https (PEM)"),
	CLI_OPT_TEXT("--impi", "IMPI", struct profile_args, impi, "Private identity; the USIM's otherwise"),
	CLI_OPT_FLAG("--certificate", struct profile_args, certificate,
		     "Bootstrap by the card's certificate, over https; so does a card that has nothing else"),
	CLI_OPT_FLAG("--announce", struct profile_args, announce,
		     "Name the application to the BSF (header " UB_APP_HEADER ")"),
	CLI_OPT_END,
};

/* False: it does not fit. */
static bool copy(char *out, size_t cap, const char *text)
{
	return text == NULL || snprintf(out, cap, "%s", text) < (int)cap;
}

static enum gba_err fill(struct cli *cli, const struct profile_args *args, struct profile *_profile)
{
	struct profile profile = { .announce = args->announce, .certificate = args->certificate };

	if (args->bsf == NULL)
		return why_fail(&cli->why, GBA_E_SYNTAX, "--bsf FQDN is needed");
	if (!copy(profile.name, sizeof(profile.name), cli->operands[0]) ||
	    !copy(profile.bsf, sizeof(profile.bsf), args->bsf) || !copy(profile.url, sizeof(profile.url), args->url) ||
	    !copy(profile.connect, sizeof(profile.connect), args->connect) ||
	    !copy(profile.ca_file, sizeof(profile.ca_file), args->ca_file) ||
	    !copy(profile.usim, sizeof(profile.usim), cli_usim(cli, USIM_DEFAULT)) ||
	    !copy(profile.impi, sizeof(profile.impi), args->impi))
		return why_fail(&cli->why, GBA_E_SYNTAX, "a value is too long");
	*_profile = profile;
	return GBA_OK;
}

/* Change the set under the lock that switching takes, too. */
static enum gba_err edit(struct cli *cli, struct state *state,
			 enum gba_err (*change)(struct cli *cli, struct state *state, struct profiles *profiles,
						void *arg),
			 void *arg)
{
	struct profiles *profiles;
	enum gba_err err;
	int lock;

	err = tokens_lock(state, &lock);
	if (err != GBA_OK)
		return why_fail(&cli->why, err, "state folder is locked");
	err = profiles_load(cli->ctx, state, &profiles, &cli->why);
	if (err == GBA_OK)
		err = change(cli, state, profiles, arg);
	if (err == GBA_OK) {
		err = profiles_save(state, profiles);
		if (err != GBA_OK)
			why_fail(&cli->why, err, "profiles: %s", gba_strerror(err));
	}
	state_unlock(lock);
	return err;
}

static enum gba_err add(struct cli *cli, struct state *state, struct profiles *profiles, void *arg)
{
	const struct profile *profile = arg;
	enum gba_err err = profiles_add(profiles, profile, &cli->why);

	(void)state;
	if (err == GBA_OK)
		cli->result =
			profile_json(profile, profiles_active(profiles) == profiles_find(profiles, profile->name));
	return err;
}

static enum gba_err cmd_add(struct cli *cli, void *args)
{
	struct profile profile;
	struct state *state;
	enum gba_err err;

	err = fill(cli, args, &profile);
	if (err == GBA_OK)
		err = profile_check(&profile, &cli->why);
	if (err == GBA_OK)
		err = cli_state(cli, true, &state);
	return err == GBA_OK ? edit(cli, state, add, &profile) : err;
}

static enum gba_err cmd_list(struct cli *cli, void *args)
{
	struct profiles *profiles;
	struct state *state;
	enum gba_err err;
	size_t i;

	(void)args;
	err = cli_state(cli, false, &state);
	if (err == GBA_OK)
		err = profiles_load(cli->ctx, state, &profiles, &cli->why);
	if (err != GBA_OK)
		return err;
	cli->result = json_array();
	for (i = 0; i < profiles->count; i++)
		json_array_append_new(cli->result, profile_json(&profiles->rows[i], i == profiles->active));
	return GBA_OK;
}

static enum gba_err cmd_use(struct cli *cli, void *args)
{
	struct state *state;
	enum gba_err err;

	(void)args;
	err = cli_state(cli, false, &state);
	if (err == GBA_OK)
		err = client_switch(state, cli->operands[0], &cli->why);
	if (err == GBA_OK)
		cli_put(cli, "active", json_string(cli->operands[0]));
	return err;
}

/* With its tokens. */
static enum gba_err drop(struct cli *cli, struct state *state, struct profiles *profiles, void *arg)
{
	struct tokens *tokens;
	enum gba_err err;

	err = profiles_remove(profiles, arg);
	if (err == GBA_E_DENIED)
		return why_fail(&cli->why, err, "%s is the active profile: use another one first", (const char *)arg);
	if (err != GBA_OK)
		return why_fail(&cli->why, err, "no profile %s", (const char *)arg);
	err = tokens_load(cli->ctx, state, &tokens);
	if (err == GBA_OK && tokens_forget(tokens, arg))
		err = tokens_save(state, tokens);
	return err == GBA_OK ? GBA_OK : why_fail(&cli->why, err, "token store: %s", gba_strerror(err));
}

static enum gba_err cmd_remove(struct cli *cli, void *args)
{
	struct state *state;
	enum gba_err err;

	(void)args;
	err = cli_state(cli, false, &state);
	if (err == GBA_OK)
		err = edit(cli, state, drop, (void *)cli->operands[0]);
	if (err == GBA_OK)
		cli_put(cli, "removed", json_string(cli->operands[0]));
	return err;
}

const struct cli_cmd cmd_profile_commands[] = {
	{ "profile add", "NAME", 1, 1, add_opts, sizeof(struct profile_args), NULL, cmd_add,
	  "Add an operator's realm; the first one becomes active" },
	{ "profile list", "", 0, 0, NULL, 0, NULL, cmd_list, "List the realms this device may bootstrap with" },
	{ "profile use", "NAME", 1, 1, NULL, 0, NULL, cmd_use,
	  "Make a realm the active one; tokens of the others are retired" },
	{ "profile remove", "NAME", 1, 1, NULL, 0, NULL, cmd_remove, "Remove a realm and its tokens" },
	CLI_CMD_END,
};
