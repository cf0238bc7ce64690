/* SPDX-License-Identifier: Apache-2.0 */
#include "hss-stub/api/pack.h"

#include <archive.h>
#include <archive_entry.h>
#include <stdio.h>

#include "core/ident.h"
#include "core/secret.h"
#include "hss-stub/api/pack_ua.h"

#define ARCHIVE_MAX 131072 /* [octets] */
#define FILES_MAX   8

struct file {
	const char *name, *text;
	mode_t mode;
};

struct pack {
	TALLOC_CTX *ctx;
	const struct pack_order *order;
	const char *btid_domain;
	struct pack_ua ua;
	struct file files[FILES_MAX];
	size_t n;
};

static void add(struct pack *p, const char *name, mode_t mode, const char *text)
{
	if (text != NULL && p->n < FILES_MAX)
		p->files[p->n++] = (struct file){ name, text, mode };
}

/* Host of the URL devices bootstrap at: the domain of the realm's B-TIDs. */
static const char *url_host(TALLOC_CTX *mem_ctx, const char *url)
{
	const char *host = strstr(url, "://");

	host = host != NULL ? host + 3 : url;
	return talloc_strndup(mem_ctx, host, strcspn(host, ":/?#"));
}

static char *daemon_conf(struct pack *p)
{
	const char *address = p->order->connect_to, *bsf = record_text(p->order->realm, REALM_BSF_IDENTITY);

	return talloc_asprintf(
		p->ctx,
		"# freeDiameter.conf of the agent. Paths are relative to the folder it is started in.\n"
		"Identity = \"%s\";\nRealm = \"%s\";\nPort = 3868;\nSecPort = 5868;\nNo_SCTP;\nNoRelay;\n"
		"AppServThreads = 2;\nThreadsPerServer = 200;\nTcTimer = 5;\nTwTimer = 6;\n"
		"TLS_Cred = \"agent.pem\", \"agent.key\";\nTLS_CA = \"ca.pem\";\nTLS_Prio = \"NORMAL:-VERS-TLS1.3\";\n"
		"LoadExtension = \"%s/dict_gba.fdx\";\nLoadExtension = \"%s/dict_y3056.fdx\";\n"
		"LoadExtension = \"%s/gba_guard.fdx\" : \"guard.conf\";\n"
		"LoadExtension = \"%s/naf.fdx\" : \"naf.conf\";\n"
		"ConnectPeer = \"%s\" { %s%s%sPort = 5868; No_SCTP; };\n",
		p->order->identity, p->order->agent_realm, GBA_PKGLIBDIR, GBA_PKGLIBDIR, GBA_PKGLIBDIR, GBA_PKGLIBDIR, bsf,
		address[0] != '\0' ? "ConnectTo = \"" : "", address, address[0] != '\0' ? "\"; " : "");
}

static char *agent_conf(struct pack *p)
{
	char *declaration = pack_declaration(p->ctx, p->order->app, &p->ua);

	return declaration == NULL ? NULL : talloc_asprintf(
		p->ctx,
		"# naf.conf: whose devices are served, and which local user may ask for the application's keys.\n"
		"audit-log = \"audit.log\";\n"
		"realms = ( { domain = \"%s\"; realm = \"%s\"; host = \"%s\"; } );\n"
		"clients = ( { name = \"application\"; user = \"%s\"; fqdns = [ \"%s\" ]; } );\n"
		"%skey-lifetime-max = %lld;\n",
		p->btid_domain, record_text(p->order->realm, REALM_REALM),
		record_text(p->order->realm, REALM_BSF_IDENTITY), p->order->user,
		record_text(p->order->app, APPLICATION_NAF_FQDN), declaration,
		pack_lifetime(p->order->app, p->order->realm));
}

static char *guard_conf(struct pack *p)
{
	return talloc_asprintf(p->ctx,
			       "# guard.conf: nobody but the operator's BSF is talked to.\n"
			       "peers = ( { identity = \"%s\"; applications = [ \"zn\", \"rpa\" ]; } );\n",
			       record_text(p->order->realm, REALM_BSF_IDENTITY));
}

static char *readme(struct pack *p)
{
	return talloc_asprintf(
		p->ctx,
		"Agent of %s in the realm %s\n\n"
		"1. Install gba-suite and freediameterd on the host of the application.\n"
		"2. %s\n"
		"3. In this folder: gba-naf-agent --check-config naf.conf && gba-naf-agent -c freeDiameter.conf\n"
		"4. Put gba-naf-proxy in front of the application (proxy.conf), or link it with libgba-naf: see asp-guide.md.\n\n"
		"The operator has to let the Diameter identity %s ask for the keys of %s (nafs in bsf.conf).\n"
		"Service identifier (GSID) of the application: %lld. The certificate is good for %s.\n",
		record_text(p->order->app, APPLICATION_NAME), record_text(p->order->realm, REALM_NAME),
		p->order->private_key != NULL
			? "agent.key is secret: keep it readable by the agent's user alone."
			: "Put the key of your request beside these files as agent.key, mode 0600.",
		p->order->identity, record_text(p->order->app, APPLICATION_NAF_FQDN),
		(long long)p->order->app->v[APPLICATION_GSID].n, "TLS towards the operator's Diameter nodes only");
}

static bool archive_put(struct archive *a, const char *folder, const struct file *file, time_t now)
{
	struct archive_entry *entry = archive_entry_new();
	char path[FQDN_MAX + 64];
	size_t n = strlen(file->text);
	bool good;

	if (entry == NULL)
		return false;
	snprintf(path, sizeof(path), "%s/%s", folder, file->name);
	archive_entry_set_pathname(entry, path);
	archive_entry_set_filetype(entry, AE_IFREG);
	archive_entry_set_perm(entry, file->mode);
	archive_entry_set_size(entry, (la_int64_t)n);
	archive_entry_set_mtime(entry, now, 0);
	good = archive_write_header(a, entry) == ARCHIVE_OK && archive_write_data(a, file->text, n) == (la_ssize_t)n;
	archive_entry_free(entry);
	return good;
}

static bool archive_make(struct pack *p, time_t now, uint8_t *out, size_t *_used)
{
	struct archive *a = archive_write_new();
	char *folder = talloc_asprintf(p->ctx, "gba-naf-%s", record_text(p->order->app, APPLICATION_NAF_FQDN));
	bool good = a != NULL && folder != NULL;
	size_t i;

	good = good && archive_write_set_format_ustar(a) == ARCHIVE_OK &&
	       archive_write_add_filter_gzip(a) == ARCHIVE_OK &&
	       archive_write_open_memory(a, out, ARCHIVE_MAX, _used) == ARCHIVE_OK;
	for (i = 0; good && i < p->n; i++)
		good = archive_put(a, folder, &p->files[i], now);
	good = good && archive_write_close(a) == ARCHIVE_OK;
	if (a != NULL)
		archive_write_free(a);
	return good;
}

bool pack_identity_good(const struct record *app, const struct record *realm, const char *name, const char **_why)
{
	struct bytes identity = bytes_of(name), fqdn = bytes_of(record_text(app, APPLICATION_NAF_FQDN));
	const char *domain = url_host((void *)(uintptr_t)realm, record_text(realm, REALM_BSF_URL));

	*_why = "not the application's host name, nor below it";
	if (!fqdn_valid(identity) || !fqdn_within(identity, fqdn))
		return false;
	*_why = "a name of the operator's";
	return !bytes_eq_nocase(identity, bytes_of(record_text(realm, REALM_BSF_IDENTITY))) &&
	       !bytes_eq_nocase(identity, bytes_of(record_text(realm, REALM_HSS_IDENTITY))) &&
	       !bytes_eq_nocase(identity, bytes_of(domain)) &&
	       (!fqdn_within(identity, bytes_of(record_text(realm, REALM_REALM))) ||
		fqdn_within(identity, bytes_of(record_text(realm, REALM_ALIAS_DOMAIN))));
}

enum gba_err pack_make(TALLOC_CTX *mem_ctx, const struct pack_order *order, time_t now, struct bytes *_archive)
{
	uint8_t *out = talloc_zero_size(mem_ctx, ARCHIVE_MAX);
	struct pack p = { .ctx = mem_ctx, .order = order };
	size_t used = 0;

	if (out == NULL)
		return GBA_E_NOMEM;
	secret_guard_chunk(out);
	if (!pack_ua_read(mem_ctx, order->app, order->realm, &p.ua))
		return GBA_E_NOMEM;
	p.btid_domain = url_host(mem_ctx, record_text(order->realm, REALM_BSF_URL));
	add(&p, "README", 0644, readme(&p));
	add(&p, "freeDiameter.conf", 0644, daemon_conf(&p));
	add(&p, "guard.conf", 0644, guard_conf(&p));
	add(&p, "naf.conf", 0644, agent_conf(&p));
	add(&p, "proxy.conf", 0644, pack_proxy(mem_ctx, order->app, order->realm, &p.ua));
	add(&p, "agent.pem", 0644, order->certificate);
	add(&p, "agent.key", 0600, order->private_key);
	add(&p, "ca.pem", 0644, order->ca);
	if (p.n < (order->private_key != NULL ? 8U : 7U) || !archive_make(&p, now, out, &used))
		return GBA_E_NOMEM;
	*_archive = BYTES(out, used);
	return GBA_OK;
}
