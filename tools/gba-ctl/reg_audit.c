/* SPDX-License-Identifier: Apache-2.0 */
/* gba-ctl registry audit: the registry's log of transactions. A log or a proof that was taken elsewhere is verified
 * with nothing but the public key. */
#include <stdlib.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/codec.h"
#include "core/mask.h"
#include "crypto/hash.h"
#include "http/json.h"
#include "jose/jws.h"
#include "merkle/receipt.h"
#include "merkle/walk.h"
#include "registry-fn/log/entry.h"
#include "registry-fn/registry.h"
#include "tools/gba-ctl/ctl.h"

#define REGISTRY_CONF GBA_SYSCONFDIR "/registry.conf"
#define HEADS_MAX     10000
#define PAGE	      ENTRY_PAGE_MAX

struct reg_audit_args {
	const char *public, *witness, *since;
	uint32_t index;
	bool offline;
};

static const struct cli_opt opts[] = {
	CLI_OPT_TEXT("--public", "HEX", struct reg_audit_args, public,
		     "verify: the registry's public key; else the key file's, or what the database says"),
	CLI_OPT_TEXT("--witness", "FILE", struct reg_audit_args, witness, "verify: signed heads kept elsewhere, one per line"),
	CLI_OPT_NUMBER("--index", "N", 0, UINT32_MAX, struct reg_audit_args, index, "prove: entry N is in the log, counted from 0"),
	CLI_OPT_TEXT("--since", "HEAD", struct reg_audit_args, since,
		     "prove: the log continues that of this signed head (text, or @FILE)"),
	CLI_OPT_FLAG("--offline", struct reg_audit_args, offline, "verify: FILE and --public are all that is used"),
	CLI_OPT_END,
};

static void defaults(void *args)
{
	((struct reg_audit_args *)args)->index = UINT32_MAX;
}

/* The registry's store, and its key where we may read it. */
struct source {
	struct registry_conf *conf;
	struct db *db;
	struct sign_key *key;
	struct entry_log *log;
};

static enum gba_err conf_open(struct ctl *ctl, struct source *source)
{
	const char *path = ctl->config != NULL ? ctl->config : access(REGISTRY_CONF, R_OK) == 0 ? REGISTRY_CONF : NULL;
	struct conf_error error = { "out of memory" };

	source->conf = talloc_zero(ctl->cli.ctx, struct registry_conf);
	if (path == NULL)
		return why_fail(&ctl->cli.why, GBA_E_CONF, "name the registry's configuration: --config registry.conf");
	if (source->conf == NULL ||
	    conf_load(ctl->cli.ctx, "registry", path, registry_conf_items, source->conf, &error) != GBA_OK)
		return why_fail(&ctl->cli.why, GBA_E_CONF, "%s", error.text);
	if (ctl->db != NULL)
		source->conf->database = ctl->db;
	return GBA_OK;
}

static enum gba_err source_open(struct ctl *ctl, struct source *source)
{
	const char *error = "";
	enum gba_err err;

	err = conf_open(ctl, source);
	if (err != GBA_OK)
		return err;
	err = registry_store(ctl->cli.ctx, source->conf, &source->db, &error);
	if (err != GBA_OK)
		return why_fail(&ctl->cli.why, err, "%s", error);
	if (sign_key_open(ctl->cli.ctx, source->conf->key_file, false, &source->key) != GBA_OK)
		source->key = NULL; /* what must sign says so */
	return ctl_fail_err(ctl, entry_log_open(ctl->cli.ctx, source->db, source->conf->reg_id, source->key, &source->log),
			    "log of transactions");
}

static enum gba_err no_key(struct ctl *ctl, const struct source *source)
{
	return why_fail(&ctl->cli.why, GBA_E_DENIED, "%s: the key that signs heads cannot be read", source->conf->key_file);
}

static enum gba_err act_head(struct ctl *ctl, const struct reg_audit_args *args)
{
	struct source source = { 0 };
	char *text = NULL;
	enum gba_err err;

	(void)args;
	err = source_open(ctl, &source);
	if (err != GBA_OK)
		return err;
	if (source.key == NULL)
		return no_key(ctl, &source);
	err = entry_head(source.log, ctl->cli.ctx, clock_now(), &text);
	if (err == GBA_OK)
		puts(text);
	return ctl_fail_err(ctl, err, "log of transactions");
}

static void print_json(json_t *value)
{
	char *text = json_dumps(value, JSON_COMPACT | JSON_SORT_KEYS);

	if (text != NULL)
		puts(text);
	free(text);
	json_decref(value);
}

/* A whole file, or the text itself. */
static enum gba_err text_of(struct ctl *ctl, const char *path, size_t cap, char **_text)
{
	char *text = talloc_zero_array(ctl->cli.ctx, char, cap + 1);
	FILE *file = fopen(path, "re");
	size_t n;

	if (file == NULL)
		return why_fail(&ctl->cli.why, GBA_E_NOT_FOUND, "%s: cannot be read", path);
	n = text != NULL ? fread(text, 1, cap, file) : 0;
	fclose(file);
	while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == ' '))
		text[--n] = '\0';
	*_text = text;
	return text != NULL ? GBA_OK : GBA_E_NOMEM;
}

static enum gba_err act_prove(struct ctl *ctl, const struct reg_audit_args *args)
{
	struct source source = { 0 };
	json_t *receipt = NULL;
	char *since = NULL;
	enum gba_err err;

	if ((args->since == NULL) == (args->index == UINT32_MAX))
		return why_fail(&ctl->cli.why, GBA_E_SYNTAX, "prove needs --index N or --since HEAD");
	if (args->since != NULL && args->since[0] == '@') {
		err = text_of(ctl, args->since + 1, JWS_HEADER_MAX * 4, &since);
		if (err != GBA_OK)
			return err;
	}
	err = source_open(ctl, &source);
	if (err != GBA_OK)
		return err;
	if (source.key == NULL)
		return no_key(ctl, &source);
	if (args->since == NULL)
		err = entry_receipt(source.log, args->index, clock_now(), &receipt);
	else
		err = entry_receipt_growth(source.log, since != NULL ? since : args->since, clock_now(), &receipt);
	if (err == GBA_OK)
		print_json(receipt);
	return ctl_fail_err(ctl, err, args->since != NULL ? "signed head" : "entry");
}

/* Entries as lines, then the heads: one signed now where that is possible, and those kept. */
static enum gba_err act_export(struct ctl *ctl, const struct reg_audit_args *args)
{
	struct source source = { 0 };
	struct entry_row *rows;
	uint64_t next = 0;
	char **heads, *now = NULL;
	size_t n = 0, i;
	enum gba_err err;

	(void)args;
	err = source_open(ctl, &source);
	if (err != GBA_OK)
		return err;
	err = db_begin(source.db); /* entries and head of one moment */
	if (err == GBA_OK && source.key != NULL)
		err = entry_head(source.log, ctl->cli.ctx, clock_now(), &now);
	for (n = PAGE; err == GBA_OK && n == PAGE; next += n) {
		err = entry_read(source.log, ctl->cli.ctx, next, PAGE, &rows, &n);
		for (i = 0; err == GBA_OK && i < n; i++)
			puts(rows[i].text);
		if (err == GBA_OK)
			talloc_free(rows);
	}
	if (err == GBA_OK)
		err = entry_heads(source.log, ctl->cli.ctx, HEADS_MAX, &heads, &n);
	for (i = 0; err == GBA_OK && i < n; i++)
		puts(heads[i]);
	if (now != NULL)
		puts(now);
	db_rollback(source.db);
	return ctl_fail_err(ctl, err, "log of transactions");
}

/* ---- verify ---- */

static enum gba_err head_fail(struct ctl *ctl, enum gba_err err, const char *where)
{
	if (err == GBA_E_CORRUPT || err == GBA_E_SYNTAX || err == GBA_E_UNSUPPORTED)
		return why_fail(&ctl->cli.why, GBA_E_CORRUPT, "%s: a head that this registry has not signed", where);
	if (err == GBA_E_STATE)
		return why_fail(&ctl->cli.why, GBA_E_CORRUPT, "%s: heads of different logs", where);
	return ctl_fail_err(ctl, err, where);
}

static bool is_entry(const char *line)
{
	return line[0] == '{';
}

/* Lines of a file: heads in one pass, entries in the next. */
static enum gba_err walk_file(struct ctl *ctl, struct merkle_walk *walk, const char *path, bool entries)
{
	FILE *file = fopen(path, "re");
	char *line = NULL, fault[MERKLE_WALK_FAULT];
	enum gba_err err = GBA_OK;
	size_t cap = 0;
	ssize_t n;

	if (file == NULL)
		return why_fail(&ctl->cli.why, GBA_E_NOT_FOUND, "%s: cannot be read", path);
	while (err == GBA_OK && (n = getline(&line, &cap, file)) > 0) {
		n -= line[n - 1] == '\n';
		if (n == 0 || is_entry(line) != entries)
			continue;
		if (!entries)
			err = head_fail(ctl, merkle_walk_head(walk, BYTES(line, n)), path);
		else if (merkle_walk_entry(walk, BYTES(line, n), fault) != GBA_OK)
			err = why_fail(&ctl->cli.why, GBA_E_CORRUPT, "%s: %s", path, fault);
	}
	free(line);
	fclose(file);
	return err;
}

static enum gba_err walk_store(struct ctl *ctl, struct merkle_walk *walk, struct source *source)
{
	char fault[MERKLE_WALK_FAULT], shown[MASK_MAX], **heads;
	const char *name = mask_password(source->conf->database, shown);
	enum gba_err err = GBA_OK;
	struct entry_row *rows;
	uint64_t next = 0;
	size_t n, i;

	err = ctl_fail_err(ctl, entry_heads(source->log, ctl->cli.ctx, HEADS_MAX, &heads, &n), name);
	for (i = 0; err == GBA_OK && i < n; i++)
		err = head_fail(ctl, merkle_walk_head(walk, bytes_of(heads[i])), name);
	for (n = PAGE; err == GBA_OK && n == PAGE; next += n) {
		err = ctl_fail_err(ctl, entry_read(source->log, ctl->cli.ctx, next, PAGE, &rows, &n), name);
		for (i = 0; err == GBA_OK && i < n; i++) {
			if (merkle_walk_entry(walk, bytes_of(rows[i].text), fault) != GBA_OK)
				err = why_fail(&ctl->cli.why, GBA_E_CORRUPT, "%s: %s", name, fault);
		}
		if (err == GBA_OK)
			talloc_free(rows);
	}
	return err;
}

/* whole: in a file anybody can add entries beyond the last head; in the database the next head comes. */
static enum gba_err walked_tell(struct ctl *ctl, struct merkle_walk *walk, bool whole)
{
	char fault[MERKLE_WALK_FAULT], root[HEX_LEN(MERKLE_LEN) + 1];
	struct merkle_walked walked;

	if (merkle_walk_end(walk, &walked, fault) != GBA_OK)
		return why_fail(&ctl->cli.why, GBA_E_CORRUPT, "%s", fault);
	if (walked.heads == 0)
		return why_fail(&ctl->cli.why, GBA_E_CORRUPT, "no signed head is there: nothing is proved");
	if (whole && walked.signed_size < walked.entries)
		return why_fail(&ctl->cli.why, GBA_E_CORRUPT, "entries from %llu on are under no signed head",
				(unsigned long long)walked.signed_size);
	hex_encode(BYTES(walked.root, MERKLE_LEN), root);
	cli_put(&ctl->cli, "entries", json_integer((json_int_t)walked.entries));
	cli_put(&ctl->cli, "heads", json_integer((json_int_t)walked.heads));
	cli_put(&ctl->cli, "signed", json_integer((json_int_t)walked.signed_size));
	cli_put(&ctl->cli, "root", json_string(root));
	return GBA_OK;
}

/* A signed answer with its receipt: the entry must name the digest of the answer. */
static bool answer_bound(const json_t *document, const json_t *receipt)
{
	const char *answer = json_string_value(json_object_get(document, "answer")), *want;
	char hex[HEX_LEN(HASH_MAX) + 1];
	uint8_t digest[HASH_MAX];
	struct bytes piece;
	json_t *entry;
	bool bound;

	if (answer == NULL)
		return receipt == document;
	piece = bytes_of(answer);
	hash_pieces(HASH_SHA256, &piece, 1, digest);
	hex_encode(BYTES(digest, sizeof(digest)), hex);
	entry = json_loads(json_string_value(json_object_get(receipt, "entry")), 0, NULL);
	want = json_string_value(json_object_get(json_object_get(entry, "detail"), "answer"));
	bound = want != NULL && strcmp(want, hex) == 0;
	json_decref(entry);
	return bound;
}

static enum gba_err answer_verify(const json_t *document, const uint8_t public[SIGN_PUBLIC_LEN])
{
	const char *answer = json_string_value(json_object_get(document, "answer"));
	json_t *payload;
	enum gba_err err;

	if (answer == NULL)
		return GBA_OK;
	err = jws_open_json(bytes_of(answer), public, "registry-answer+jws", &payload);
	if (err == GBA_OK)
		json_decref(payload);
	return err;
}

static enum gba_err verify_document(struct ctl *ctl, const json_t *document, const uint8_t public[SIGN_PUBLIC_LEN])
{
	const json_t *receipt = json_object_get(document, "receipt");
	struct merkle_head head;
	enum gba_err err;

	receipt = receipt != NULL ? receipt : document;
	err = merkle_receipt_verify(receipt, public, &head);
	if (err == GBA_OK)
		err = answer_verify(document, public);
	if (err != GBA_OK || !answer_bound(document, receipt))
		return why_fail(&ctl->cli.why, GBA_E_CORRUPT, "%s: the proof does not hold", ctl->cli.operands[1]);
	cli_put(&ctl->cli, "log", json_string(head.log));
	cli_put(&ctl->cli, "size", json_integer((json_int_t)head.size));
	cli_put(&ctl->cli, "signed_at", cli_time(head.time));
	return GBA_OK;
}

/* A proof is one JSON document with a head in it; all else is a log. */
static json_t *document_of(struct ctl *ctl, const char *path)
{
	char *text = NULL;
	json_t *root;

	if (text_of(ctl, path, JSON_TEXT_MAX, &text) != GBA_OK || json_read(bytes_of(text), &root, NULL) != GBA_OK)
		return NULL;
	if (json_object_get(root, "head") != NULL || json_object_get(root, "receipt") != NULL)
		return root;
	json_decref(root);
	return NULL;
}

static enum gba_err verify_log(struct ctl *ctl, const struct reg_audit_args *args, struct source *source,
			       const uint8_t public[SIGN_PUBLIC_LEN])
{
	const char *path = ctl->cli.operands[1];
	struct merkle_walk *walk = NULL;
	enum gba_err err;

	err = merkle_walk_new(ctl->cli.ctx, public, &walk);
	if (err == GBA_OK && args->witness != NULL)
		err = walk_file(ctl, walk, args->witness, false);
	if (err == GBA_OK && path != NULL)
		err = walk_file(ctl, walk, path, false);
	if (err == GBA_OK)
		err = path != NULL ? walk_file(ctl, walk, path, true) : walk_store(ctl, walk, source);
	return err == GBA_OK ? walked_tell(ctl, walk, path != NULL) : err;
}

static enum gba_err act_verify(struct ctl *ctl, const struct reg_audit_args *args)
{
	uint8_t public[SIGN_PUBLIC_LEN];
	struct source source = { 0 };
	json_t *document;
	enum gba_err err;

	if (args->offline && (args->public == NULL || ctl->cli.operands[1] == NULL))
		return why_fail(&ctl->cli.why, GBA_E_SYNTAX, "--offline needs FILE and --public");
	if (args->public == NULL || ctl->cli.operands[1] == NULL) {
		err = source_open(ctl, &source);
		if (err != GBA_OK)
			return err;
		if (args->public == NULL && source.key == NULL)
			return no_key(ctl, &source);
	}
	if (args->public == NULL)
		memcpy(public, sign_key_public(source.key), sizeof(public));
	else if (hex_decode(bytes_of(args->public), public, sizeof(public)) != GBA_OK)
		return why_fail(&ctl->cli.why, GBA_E_SYNTAX, "--public: 64 hex digits are expected");
	document = ctl->cli.operands[1] != NULL ? document_of(ctl, ctl->cli.operands[1]) : NULL;
	ctl->cli.why = (struct why){ 0 };
	if (document == NULL)
		return verify_log(ctl, args, &source, public);
	err = verify_document(ctl, document, public);
	json_decref(document);
	return err;
}

static const struct {
	const char *name;
	int max; /* operands, with its name */
	enum gba_err (*run)(struct ctl *ctl, const struct reg_audit_args *args);
} acts[] = {
	{ "head", 1, act_head },
	{ "prove", 1, act_prove },
	{ "export", 1, act_export },
	{ "verify", 2, act_verify },
};

static enum gba_err cmd_registry_audit(struct cli *cli, void *args)
{
	size_t i;

	for (i = 0; i < sizeof(acts) / sizeof(acts[0]); i++) {
		if (strcmp(cli->operands[0], acts[i].name) == 0 && cli->operand_count <= acts[i].max)
			return acts[i].run((struct ctl *)cli, args);
	}
	return why_fail(&cli->why, GBA_E_SYNTAX, "usage: gba-ctl registry audit head | prove | export | verify [FILE]");
}

const struct cli_cmd ctl_registry_audit_commands[] = {
	{ "registry audit", "head|prove|export|verify [FILE]", 1, 2, opts, sizeof(struct reg_audit_args), defaults,
	  cmd_registry_audit,
	  "The registry's log: sign its head, prove an entry or its growth, export it, verify it or a proof (exit 6: altered)" },
	CLI_CMD_END,
};
