/* SPDX-License-Identifier: Apache-2.0 */
/* The records of the trust registry, for this tool: gba-ctl registry ... */
#include <errno.h>
#include <pwd.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/secret.h"
#include "registry-fn/record/rules.h"
#include "rest/token.h"
#include "tools/gba-ctl/rec.h"

#define REGISTRY_CONF GBA_SYSCONFDIR "/registry.conf"

/* The registry's rules ask its configuration, so that it is needed and not its paths alone. */
static enum gba_err conf_read(struct ctl *ctl, struct registry_conf **_conf)
{
	const char *path = ctl->config != NULL ? ctl->config : REGISTRY_CONF;
	struct conf_error error = { "out of memory" };
	struct registry_conf *conf = talloc_zero(ctl->cli.ctx, struct registry_conf);

	if (conf == NULL || conf_load(ctl->cli.ctx, "registry", path, registry_conf_items, conf, &error) != GBA_OK ||
	    registry_conf_check(conf, &error) != GBA_OK)
		return why_fail(&ctl->cli.why, GBA_E_CONF, "%s", error.text);
	conf->database = ctl->db != NULL ? ctl->db : conf->database;
	conf->kek_file = ctl->kek != NULL ? ctl->kek : conf->kek_file;
	ctl->db = conf->database;
	ctl->audit = conf->audit;
	ctl->audit.log =
		audit_items_path(ctl->cli.ctx, &conf->audit, registry_conf_audit_log(ctl->cli.ctx, conf->database));
	if (ctl->audit.log == NULL)
		ctl->audit.log = "none";
	*_conf = conf;
	return GBA_OK;
}

static enum gba_err store_open(struct ctl *ctl, struct registry_conf *conf, bool change, struct records **_r)
{
	struct registry *registry = NULL;
	const char *error = "";
	enum gba_err err = change ? ctl_audit_begin(ctl) : GBA_OK;

	if (err != GBA_OK)
		return err;
	err = registry_open(ctl->cli.ctx, conf, &registry, &error);
	if (err == GBA_OK)
		err = registry_records(ctl->cli.ctx, registry, _r, &error);
	return err == GBA_OK ? GBA_OK : why_fail(&ctl->cli.why, err, "%s", error);
}

static enum gba_err records_of_registry(struct rec *r, bool change)
{
	struct ctl *ctl = r->ctl;
	struct registry_conf *conf = NULL;
	enum gba_err err = conf_read(ctl, &conf);

	if (err != GBA_OK)
		return err;
	if (!change && !r->args->dry_run && !db_is_server(ctl->db) && access(ctl->db, F_OK) != 0)
		return why_fail(&ctl->cli.why, GBA_E_UNREACHABLE, "%s: %s", ctl->db, strerror(errno));
	return store_open(ctl, conf, change, &r->m);
}

enum gba_err rec_registry_open(struct ctl *ctl, bool change, struct records **_r)
{
	struct registry_conf *conf = NULL;
	enum gba_err err = conf_read(ctl, &conf);

	return err == GBA_OK ? store_open(ctl, conf, change, _r) : err;
}

/* A device by its RegDevID, in any form. */
static enum gba_err find_device(struct rec *r, const struct record_kind *kind, struct bytes text, struct record **_rec)
{
	int64_t id = 0;
	enum gba_err err;

	if (kind->id != REG_DEVICE)
		return GBA_E_UNSUPPORTED;
	err = reg_device_by_regdevid(r->m, text, &id);
	if (err == GBA_OK && id == 0) {
		snprintf(r->call.why, sizeof(r->call.why), "no device has this RegDevID");
		return GBA_E_NOT_FOUND;
	}
	return err == GBA_OK ? records_get(r->m, &r->call, REG_DEVICE, id, _rec) : err;
}

const struct rec_family rec_registry = {
	.prefix = "registry ",
	.set = &registry_set,
	.roles = 1U << REG_ROLE_ADMIN | 1U << REG_ROLE_PRIVACY | 1U << REG_ROLE_BULK | 1U << REG_ROLE_AGENCY,
	.role = REG_ROLE_ADMIN,
	.find = find_device,
	.open = records_of_registry,
};

#define DAY 86400

struct token_args {
	const char *acts_as, *name;
	uint32_t owner, days;
};

static const struct cli_opt token_opts[] = {
	CLI_OPT_TEXT("--acts-as", "WORD", struct token_args, acts_as,
		     "Role of its holder: admin, privacy, bulk, agency, maker, custodian, enquirer, registrar, certifier or"
		     " provider"),
	CLI_OPT_NUMBER("--owner", "ID", 0, UINT32_MAX, struct token_args, owner,
		       "Record its holder stands for, such as a maker's"),
	CLI_OPT_TEXT("--name", "NAME", struct token_args, name, "Name in history and audit"),
	CLI_OPT_NUMBER("--days", "N", 1, 3650, struct token_args, days, "Its life (default 365)"),
	CLI_OPT_END,
};

static void token_defaults(void *args)
{
	((struct token_args *)args)->days = 365;
}

static enum gba_err token_add(struct ctl *ctl, struct records *r, const struct token_args *args, const char *hash,
			      const char *expires)
{
	const struct passwd *user = getpwuid(getuid());
	bool privacy = args->acts_as != NULL && strcmp(args->acts_as, reg_roles[REG_ROLE_PRIVACY]) == 0;
	struct actor actor = { .role = privacy ? REG_ROLE_PRIVACY : REG_ROLE_ADMIN };
	struct record_call call = { .actor = &actor, .now = clock_now(), .mem_ctx = ctl->cli.ctx };
	json_t *values = json_pack("{s:s*, s:I, s:s*, s:s, s:s, s:s}", "owner_type", args->acts_as, "owner",
				   (json_int_t)args->owner, "name", args->name, "type", "token", "hash", hash,
				   "expires", expires);
	enum gba_err err = GBA_E_NOMEM;

	actor.name =
		talloc_asprintf(ctl->cli.ctx, "%s:%s", reg_roles[actor.role], user != NULL ? user->pw_name : "unknown");
	if (values != NULL && actor.name != NULL)
		err = records_add(r, &call, REG_CREDENTIAL, values, NULL);
	json_decref(values);
	return err == GBA_OK ? GBA_OK : why_fail(&ctl->cli.why, err, "%s: %s", call.field, call.why);
}

static enum gba_err cmd_token_issue(struct cli *cli, void *given)
{
	const struct token_args *args = given;
	struct ctl *ctl = (struct ctl *)cli;
	char token[TOKEN_ROOM], hash[TOKEN_HASH_ROOM], expires[TIME_TEXT_LEN + 1];
	struct records *r = NULL;
	enum gba_err err = rec_registry_open(ctl, true, &r);

	if (err != GBA_OK)
		return err;
	time_format(clock_now() + (time_t)args->days * DAY, expires);
	token_new(token, hash);
	err = token_add(ctl, r, args, hash, expires);
	if (err == GBA_OK) {
		cli_put(cli, "token", json_string(token));
		cli_put(cli, "expires", json_string(expires));
	}
	SECRET_WIPE(token);
	return err;
}

const struct cli_cmd ctl_registry_token_commands[] = {
	{"registry token issue", "", 0, 0, token_opts, sizeof(struct token_args), token_defaults, cmd_token_issue,
         "Print a bearer token of the registry's REST API; its hash is kept"},
	CLI_CMD_END,
};
