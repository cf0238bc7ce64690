/* SPDX-License-Identifier: Apache-2.0 */
/* gba-ctl ca: the realm's own certification authority; gba-ctl admin: how the first administrator comes in. */
#include <stdio.h>
#include <sys/stat.h>

#include "core/clock.h"
#include "core/secret.h"
#include "hss-stub/api/pack.h"
#include "hss-stub/change/change.h"
#include "hss-stub/hss.h"
#include "hss-stub/mapping/mapping.h"
#include "rest/token.h"
#include "pki/ca.h"
#include "tools/gba-ctl/ctl.h"

#define DAY 86400

struct ca_args {
	const char *dir, *name, *dns, *csr, *key_out, *owner, *identity, *realm, *user, *connect_to, *out;
	uint32_t days;
};

static void ca_defaults(void *args)
{
	((struct ca_args *)args)->days = 365;
}

static void init_defaults(void *args)
{
	((struct ca_args *)args)->days = 3650;
	((struct ca_args *)args)->name = "gba-suite realm CA";
}

#define OPT_DIR  CLI_OPT_TEXT("--ca-dir", "DIR", struct ca_args, dir, "Folder of the CA (default: ca-dir of hss.conf)")
#define OPT_DAYS CLI_OPT_NUMBER("--days", "N", 1, CA_DAYS_MAX, struct ca_args, days, "Days it is good for")

static const struct cli_opt init_opts[] = {
	OPT_DIR,
	OPT_DAYS,
	CLI_OPT_TEXT("--name", "NAME", struct ca_args, name, "Common name of the CA"),
	CLI_OPT_END,
};
static const struct cli_opt issue_opts[] = {
	OPT_DIR,
	OPT_DAYS,
	CLI_OPT_TEXT("--dns", "NAME", struct ca_args, dns,
		     "Host name in it, and good for servers, too: a Diameter node"),
	CLI_OPT_TEXT("--csr", "FILE", struct ca_args, csr, "PKCS #10 request (PEM) with its key"),
	CLI_OPT_TEXT("--key-out", "FILE", struct ca_args, key_out,
		     "Without --csr: write the key made here to FILE (0600)"),
	CLI_OPT_TEXT("--for", "OWNER", struct ca_args, owner, "Make it a credential: admin, asp:ID or user:ID; or a device's: device:IMPI"),
	CLI_OPT_END,
};
static const struct cli_opt token_opts[] = {
	OPT_DAYS,
	CLI_OPT_TEXT("--for", "OWNER", struct ca_args, owner, "Whose it is: asp:ID or user:ID (administrators: admin invite)"),
	CLI_OPT_END,
};
static const struct cli_opt bundle_opts[] = {
	OPT_DIR,
	OPT_DAYS,
	CLI_OPT_TEXT("--identity", "NAME", struct ca_args, identity, "Diameter identity of the agent"),
	CLI_OPT_TEXT("--realm", "NAME", struct ca_args, realm, "Its Diameter realm; the identity's domain if not given"),
	CLI_OPT_TEXT("--user", "NAME", struct ca_args, user, "User the application runs as (" PACK_USER ")"),
	CLI_OPT_TEXT("--connect-to", "ADDRESS", struct ca_args, connect_to, "Address of the BSF (default: by DNS)"),
	CLI_OPT_TEXT("--csr", "FILE", struct ca_args, csr, "PKCS #10 request (PEM); without it a key is made and packed"),
	CLI_OPT_LETTER_TEXT('o', "--out", "FILE", struct ca_args, out, "Write the archive to FILE (0600)"),
	CLI_OPT_END,
};
static const struct cli_opt dir_opts[] = { OPT_DIR, CLI_OPT_END };
static const struct cli_opt invite_opts[] = { OPT_DAYS, CLI_OPT_END };

static enum gba_err dir_of(struct ctl *ctl, const struct ca_args *args, const char **_dir)
{
	*_dir = args->dir != NULL ? args->dir : ctl->ca_dir;
	if (*_dir != NULL && (*_dir)[0] != '\0')
		return GBA_OK;
	return why_fail(&ctl->cli.why, GBA_E_CONF, "which CA? give --ca-dir, or ca-dir in hss.conf");
}

static enum gba_err open_ca(struct ctl *ctl, const struct ca_args *args, struct ca **_ca)
{
	const char *dir, *error = "";
	enum gba_err err = dir_of(ctl, args, &dir);

	if (err != GBA_OK)
		return err;
	err = ca_open(ctl->cli.ctx, dir, _ca, &error);
	return err == GBA_OK ? GBA_OK : why_fail(&ctl->cli.why, err, "%s", error);
}

static enum gba_err open_mapping(struct ctl *ctl, struct records **_m)
{
	struct sub_store *store;
	struct kek *kek;
	const char *error = "";
	enum gba_err err = sub_store_open(ctl->cli.ctx, ctl->db, &store, &error);

	if (err == GBA_OK)
		err = hss_kek_open(ctl->cli.ctx, store, ctl->kek, &kek, &error);
	if (err == GBA_OK) {
		talloc_free(store);
		err = mapping_open(ctl->cli.ctx, ctl->db, kek, _m, &error);
	}
	return err == GBA_OK ? GBA_OK : why_fail(&ctl->cli.why, err, "%s", error);
}

static enum gba_err cmd_init(struct cli *cli, void *args)
{
	struct ctl *ctl = (struct ctl *)cli;
	struct ca_args *a = args;
	const char *dir, *error = "";
	enum gba_err err = dir_of(ctl, a, &dir);

	if (err == GBA_OK)
		err = ctl_audit_begin(ctl);
	if (err != GBA_OK)
		return err;
	err = ca_init(cli->ctx, dir, a->name, a->days, clock_now(), &error);
	if (err != GBA_OK)
		return why_fail(&cli->why, err, "%s", error);
	cli_put(cli, "ca", json_sprintf("%s/ca.pem", dir));
	return GBA_OK;
}

/* "asp:3" into the members of a credential's owner. */
static enum gba_err owner_of(struct ctl *ctl, const char *text, json_t *values)
{
	static const char *const kinds[] = { "asp:", "user:" };
	long long id = 0;
	size_t i;
	int end = 0;

	if (strcmp(text, "admin") == 0) {
		json_object_set_new(values, "owner_type", json_string("admin"));
		return GBA_OK;
	}
	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		size_t n = strlen(kinds[i]);

		if (strncmp(text, kinds[i], n) != 0 || sscanf(text + n, "%lld%n", &id, &end) != 1 ||
		    text[n + (size_t)end] != '\0')
			continue;
		json_object_set_new(values, "owner_type", json_stringn(kinds[i], n - 1));
		json_object_set_new(values, "owner", json_integer(id));
		return GBA_OK;
	}
	return why_fail(&ctl->cli.why, GBA_E_SYNTAX, "--for: %s: admin, asp:ID or user:ID is expected", text);
}

static enum gba_err credential_add(struct ctl *ctl, json_t *values, const char *name, int type, const char *hash,
				   time_t expires)
{
	const struct actor system = { ACTOR_SYSTEM, 0, "gba-ctl" };
	struct record_call call = { .actor = &system, .now = clock_now(), .mem_ctx = ctl->cli.ctx };
	char until[TIME_TEXT_LEN + 1];
	struct records *m;
	enum gba_err err = open_mapping(ctl, &m);

	if (err != GBA_OK)
		return err;
	time_format(expires, until);
	json_object_update_new(values, json_pack("{s:s, s:s, s:s, s:s}", "name", name, "type", credential_words[type],
						 "hash", hash, "expires", until));
	err = records_add(m, &call, KIND_CREDENTIAL, values, NULL);
	return err == GBA_OK ? GBA_OK : why_fail(&ctl->cli.why, err, "%s: %s", call.field, call.why);
}

static enum gba_err read_csr(struct ctl *ctl, const char *path, struct bytes *_csr)
{
	char *text = talloc_zero_size(ctl->cli.ctx, CA_CSR_MAX + 1);
	FILE *in = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
	size_t n;

	if (text == NULL || in == NULL)
		return why_fail(&ctl->cli.why, GBA_E_NOT_FOUND, "%s: cannot be read", path);
	n = fread(text, 1, CA_CSR_MAX, in);
	if (in != stdin)
		fclose(in);
	*_csr = BYTES(text, n);
	return GBA_OK;
}

/* A key nobody else can read from its first moment on; never over another. */
static enum gba_err write_key(struct ctl *ctl, const char *path, const char *pem)
{
	mode_t old = umask(077);
	FILE *out = fopen(path, "wxe");
	bool good;

	umask(old);
	if (out == NULL)
		return why_fail(&ctl->cli.why, GBA_E_EXISTS, "%s: exists, or cannot be made", path);
	good = fputs(pem, out) >= 0;
	good = fclose(out) == 0 && good;
	return good ? GBA_OK : why_fail(&ctl->cli.why, GBA_E_NOSPACE, "%s: cannot be written", path);
}

static enum gba_err issue_order(struct ctl *ctl, const struct ca_args *a, struct ca_order *order)
{
	if ((a->csr == NULL) == (a->key_out == NULL))
		return why_fail(&ctl->cli.why, GBA_E_SYNTAX, "give either --csr or --key-out");
	order->cn = ctl->cli.operands[0];
	order->dns = a->dns;
	order->days = a->days;
	return a->csr != NULL ? read_csr(ctl, a->csr, &order->csr) : GBA_OK;
}

#define DEVICE "device:" /* owner: the IMPI of a subscriber whose device bootstraps by it (Y.3056 10.4-5) */

static bool is_device(const struct ca_args *a)
{
	return a->owner != NULL && strncmp(a->owner, DEVICE, sizeof(DEVICE) - 1) == 0;
}

static enum gba_err open_changes(struct ctl *ctl, struct changes **_changes)
{
	struct sub_store *store;
	const char *error = "";
	struct kek *kek;
	enum gba_err err = sub_store_open(ctl->cli.ctx, ctl->db, &store, &error);

	if (err == GBA_OK)
		err = hss_kek_open(ctl->cli.ctx, store, ctl->kek, &kek, &error);
	if (err == GBA_OK)
		err = changes_open(ctl->cli.ctx, ctl->db, kek, NULL, _changes, &error);
	return err == GBA_OK ? GBA_OK : why_fail(&ctl->cli.why, err, "%s", error);
}

static enum gba_err device_set(struct ctl *ctl, const char *impi, const char *pem)
{
	struct changes *changes;
	struct bytes der;
	enum gba_err err = ca_certificate_read(ctl->cli.ctx, bytes_of(pem), &der);

	if (err == GBA_OK)
		err = open_changes(ctl, &changes);
	if (err == GBA_OK)
		err = change_set_certificate(changes, bytes_of(impi), der, clock_now());
	if (err != GBA_OK && ctl->cli.why.text[0] == '\0')
		why_fail(&ctl->cli.why, err, "%s: %s", impi, gba_strerror(err));
	return err;
}

static enum gba_err issue(struct ctl *ctl, const struct ca_args *a, struct ca *ca, const struct ca_order *order,
			  json_t *owner)
{
	struct ca_issued *issued;
	enum gba_err err = ca_issue(ca, ctl->cli.ctx, order, clock_now(), &issued);

	if (err != GBA_OK)
		return why_fail(&ctl->cli.why, err, "%s: %s", order->cn, gba_strerror(err));
	if (issued->private_key != NULL)
		err = write_key(ctl, a->key_out, issued->private_key);
	if (err == GBA_OK && is_device(a))
		err = device_set(ctl, a->owner + sizeof(DEVICE) - 1, issued->certificate);
	else if (err == GBA_OK && a->owner != NULL)
		err = credential_add(ctl, owner, "gba-ctl", CREDENTIAL_CERTIFICATE, issued->fingerprint,
				     issued->not_after);
	if (err != GBA_OK) {
		ca_revoke(ca, issued->serial, clock_now(), NULL);
		return err;
	}
	cli_put(&ctl->cli, "serial", json_string(issued->serial));
	cli_put(&ctl->cli, "fingerprint", json_string(issued->fingerprint));
	cli_put(&ctl->cli, "expires", cli_time(issued->not_after));
	cli_put(&ctl->cli, "certificate", json_string(issued->certificate));
	return GBA_OK;
}

static enum gba_err cmd_issue(struct cli *cli, void *args)
{
	struct ctl *ctl = (struct ctl *)cli;
	const struct ca_args *a = args;
	struct ca_order order = { 0 };
	json_t *owner = json_object();
	struct ca *ca = NULL;
	enum gba_err err = open_ca(ctl, a, &ca);

	if (err == GBA_OK)
		err = issue_order(ctl, a, &order);
	if (err == GBA_OK && a->owner != NULL && !is_device(a))
		err = owner_of(ctl, a->owner, owner);
	if (err == GBA_OK)
		err = ctl_audit_begin(ctl);
	if (err == GBA_OK)
		err = issue(ctl, a, ca, &order, owner);
	json_decref(owner);
	return err;
}

/* Our own API asks for the credential, others read the list. */
static enum gba_err credential_end(struct ctl *ctl, const char *fingerprint)
{
	const struct actor system = { ACTOR_SYSTEM, 0, "gba-ctl" };
	struct record_call call = { .actor = &system, .now = clock_now(), .mem_ctx = ctl->cli.ctx };
	json_t *key = json_pack("{s:s, s:s}", "type", credential_words[CREDENTIAL_CERTIFICATE], "hash", fingerprint);
	json_t *none = json_object();
	struct record *rec;
	struct records *m;
	enum gba_err err = open_mapping(ctl, &m);

	if (err == GBA_OK) {
		err = records_find(m, &call, KIND_CREDENTIAL, key, &rec);
		if (err == GBA_OK && rec->v[CREDENTIAL_REVOKED].n == 0)
			err = records_do(m, &call, rec, "revoke", none, NULL);
		if (err == GBA_E_NOT_FOUND)
			err = GBA_OK;
		if (err != GBA_OK)
			why_fail(&ctl->cli.why, err, "%s", call.why);
	}
	json_decref(key);
	json_decref(none);
	return err;
}

/* What was bootstrapped by it is void; other certificates the BSF learns of from the list. */
static enum gba_err device_end(struct ctl *ctl, struct ca *ca, const char *fingerprint)
{
	struct changes *changes;
	struct bytes der;
	enum gba_err err = ca_der(ca, ctl->cli.ctx, fingerprint, &der);

	if (err == GBA_OK)
		err = open_changes(ctl, &changes);
	if (err == GBA_OK)
		err = change_drop_certificate(changes, der, clock_now());
	if (err != GBA_OK && ctl->cli.why.text[0] == '\0')
		why_fail(&ctl->cli.why, err, "device of %s: %s", fingerprint, gba_strerror(err));
	return err;
}

static enum gba_err cmd_revoke(struct cli *cli, void *args)
{
	struct ctl *ctl = (struct ctl *)cli;
	char fingerprint[2 * CA_PRINT_LEN + 1];
	struct ca *ca = NULL;
	enum gba_err err = open_ca(ctl, args, &ca);

	if (err == GBA_OK)
		err = ctl_audit_begin(ctl);
	if (err != GBA_OK)
		return err;
	err = ca_revoke(ca, cli->operands[0], clock_now(), fingerprint);
	if (err != GBA_OK)
		return why_fail(&cli->why, err, "%s: %s", cli->operands[0], gba_strerror(err));
	err = credential_end(ctl, fingerprint);
	if (err == GBA_OK)
		err = device_end(ctl, ca, fingerprint);
	if (err == GBA_OK)
		cli_put(cli, "revoked", json_string(fingerprint));
	return err;
}

static enum gba_err cmd_list(struct cli *cli, void *args)
{
	struct ctl *ctl = (struct ctl *)cli;
	struct ca_entry *entries;
	size_t i, count;
	struct ca *ca;
	enum gba_err err = open_ca(ctl, args, &ca);

	if (err == GBA_OK)
		err = ca_list(ca, cli->ctx, &entries, &count);
	if (err != GBA_OK)
		return cli->why.text[0] != '\0' ? err : why_fail(&cli->why, err, "%s", gba_strerror(err));
	writer_prefer(cli->out, WRITER_TABLE);
	for (i = 0; i < count; i++) {
		writer_text(cli->out, "serial", bytes_of(entries[i].serial));
		writer_text(cli->out, "subject", bytes_of(entries[i].subject));
		writer_time(cli->out, "expires", entries[i].not_after);
		writer_time(cli->out, "revoked", entries[i].revoked);
		writer_text(cli->out, "fingerprint", bytes_of(entries[i].fingerprint));
		writer_end(cli->out);
	}
	return GBA_OK;
}

static enum gba_err cmd_invite(struct cli *cli, void *args)
{
	struct ctl *ctl = (struct ctl *)cli;
	const struct ca_args *a = args;
	char token[TOKEN_ROOM], hash[TOKEN_HASH_ROOM];
	time_t expires = clock_now() + (time_t)a->days * DAY;
	json_t *values = json_pack("{s:s}", "owner_type", "admin");
	enum gba_err err = ctl_audit_begin(ctl);

	if (err == GBA_OK) {
		token_new(token, hash);
		err = credential_add(ctl, values, TOKEN_INVITATION, CREDENTIAL_TOKEN, hash, expires);
		if (err == GBA_OK) {
			cli_put(cli, "invitation", json_string(token));
			cli_put(cli, "expires", cli_time(expires));
		}
		SECRET_WIPE(token);
	}
	json_decref(values);
	return err;
}

static enum gba_err cmd_token(struct cli *cli, void *args)
{
	struct ctl *ctl = (struct ctl *)cli;
	const struct ca_args *a = args;
	char token[TOKEN_ROOM], hash[TOKEN_HASH_ROOM];
	json_t *values = json_object();
	enum gba_err err = owner_of(ctl, a->owner != NULL ? a->owner : "", values);

	if (err == GBA_OK && (strcmp(a->owner, "admin") == 0 || strcmp(cli->operands[0], TOKEN_INVITATION) == 0))
		err = why_fail(&cli->why, GBA_E_DENIED, "administrators come in by admin invite");
	if (err == GBA_OK)
		err = ctl_audit_begin(ctl);
	if (err == GBA_OK) {
		token_new(token, hash);
		err = credential_add(ctl, values, cli->operands[0], CREDENTIAL_TOKEN, hash,
				     clock_now() + (time_t)a->days * DAY);
		if (err == GBA_OK)
			cli_put(cli, "token", json_string(token));
		SECRET_WIPE(token);
	}
	json_decref(values);
	return err;
}

struct bundle {
	struct ctl *ctl;
	const struct ca_args *args;
	struct records *m;
	struct record_call call;
	struct record *app, *realm;
};

static enum gba_err bundle_records(struct bundle *b)
{
	struct record_query query = { .kind = KIND_REALM, .limit = 1 };
	struct record_page *page = NULL;
	const char *why = NULL;
	long long id = 0;
	enum gba_err err = open_mapping(b->ctl, &b->m);

	if (err != GBA_OK)
		return err;
	if (sscanf(b->ctl->cli.operands[0], "%lld", &id) != 1 ||
	    records_get(b->m, &b->call, KIND_APPLICATION, id, &b->app) != GBA_OK)
		return why_fail(&b->ctl->cli.why, GBA_E_NOT_FOUND, "%s: no such application", b->ctl->cli.operands[0]);
	err = records_list(b->m, &b->call, &query, &page);
	if (err != GBA_OK || page->count == 0)
		return why_fail(&b->ctl->cli.why, GBA_E_NOT_FOUND, "the realm has no profile yet");
	b->realm = page->rec[0];
	if (b->args->identity == NULL || b->args->out == NULL)
		return why_fail(&b->ctl->cli.why, GBA_E_SYNTAX, "give --identity and --out");
	if (!pack_identity_good(b->app, b->realm, b->args->identity, &why))
		return why_fail(&b->ctl->cli.why, GBA_E_DENIED, "%s: %s", b->args->identity, why);
	return GBA_OK;
}

static enum gba_err write_archive(struct bundle *b, struct bytes archive)
{
	mode_t old = umask(077);
	FILE *out = fopen(b->args->out, "we");
	bool good;

	umask(old);
	if (out == NULL)
		return why_fail(&b->ctl->cli.why, GBA_E_DENIED, "%s: cannot be made", b->args->out);
	good = fwrite(archive.p, 1, archive.n, out) == archive.n;
	good = fclose(out) == 0 && good;
	return good ? GBA_OK : why_fail(&b->ctl->cli.why, GBA_E_NOSPACE, "%s: cannot be written", b->args->out);
}

static enum gba_err bundle_write(struct bundle *b, struct ca *ca, const struct ca_issued *issued)
{
	const char *dot = strchr(b->args->identity, '.');
	const struct pack_order order = { .app = b->app,
					  .realm = b->realm,
					  .identity = b->args->identity,
					  .agent_realm = b->args->realm != NULL ? b->args->realm : dot + 1,
					  .user = b->args->user != NULL ? b->args->user : PACK_USER,
					  .connect_to = b->args->connect_to != NULL ? b->args->connect_to : "",
					  .certificate = issued->certificate,
					  .private_key = issued->private_key,
					  .ca = ca_certificate(ca) };
	json_t *values = json_pack("{s:s}", "push_peer", b->args->identity);
	struct bytes archive;
	enum gba_err err = pack_make(b->ctl->cli.ctx, &order, clock_now(), &archive);

	if (err == GBA_OK)
		err = records_set(b->m, &b->call, b->app, values, NULL);
	json_decref(values);
	return err == GBA_OK ? write_archive(b, archive) : why_fail(&b->ctl->cli.why, err, "%s", b->call.why);
}

static enum gba_err cmd_bundle(struct cli *cli, void *args)
{
	const struct actor system = { ACTOR_SYSTEM, 0, "gba-ctl" };
	struct bundle b = { .ctl = (struct ctl *)cli,
			    .args = args,
			    .call = { .actor = &system, .now = clock_now(), .mem_ctx = cli->ctx } };
	struct ca_order order = { .days = b.args->days, .dns = b.args->identity };
	struct ca_issued *issued;
	struct ca *ca = NULL;
	enum gba_err err = bundle_records(&b);

	if (err == GBA_OK)
		err = open_ca(b.ctl, args, &ca);
	if (err == GBA_OK && b.args->csr != NULL)
		err = read_csr(b.ctl, b.args->csr, &order.csr);
	if (err == GBA_OK)
		err = ctl_audit_begin(b.ctl);
	if (err != GBA_OK)
		return err;
	order.cn = talloc_strndup(cli->ctx, order.dns, CA_CN_MAX);
	err = ca_issue(ca, cli->ctx, &order, clock_now(), &issued);
	if (err != GBA_OK)
		return why_fail(&cli->why, err, "%s: %s", order.dns, gba_strerror(err));
	err = bundle_write(&b, ca, issued);
	if (err != GBA_OK)
		ca_revoke(ca, issued->serial, clock_now(), NULL);
	else
		cli_put(cli, "serial", json_string(issued->serial));
	return err;
}

static void invite_defaults(void *args)
{
	((struct ca_args *)args)->days = 1;
}

const struct cli_cmd ctl_ca_commands[] = {
	{ "ca init", "", 0, 0, init_opts, sizeof(struct ca_args), init_defaults, cmd_init, "Make the realm's own CA" },
	{ "ca issue", "NAME", 1, 1, issue_opts, sizeof(struct ca_args), ca_defaults, cmd_issue, "Issue a certificate" },
	{ "ca revoke", "SERIAL|FINGERPRINT", 1, 1, dir_opts, sizeof(struct ca_args), ca_defaults, cmd_revoke,
	  "Revoke a certificate, and the credential it is" },
	{ "ca list", "", 0, 0, dir_opts, sizeof(struct ca_args), ca_defaults, cmd_list, "List certificates issued" },
	{ "credential issue", "NAME", 1, 1, token_opts, sizeof(struct ca_args), ca_defaults, cmd_token,
	  "Issue a bearer token of the REST API; it is shown once" },
	{ "app bundle", "ID", 1, 1, bundle_opts, sizeof(struct ca_args), ca_defaults, cmd_bundle,
	  "Pack the configuration of an application's agent, ready to run" },
	{ "admin invite", "", 0, 0, invite_opts, sizeof(struct ca_args), invite_defaults, cmd_invite,
	  "Print a one-time invitation for POST /v1/invitation: how an administrator comes in" },
	CLI_CMD_END,
};
