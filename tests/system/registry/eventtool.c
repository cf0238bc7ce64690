/* SPDX-License-Identifier: Apache-2.0 */
/* What a registry says, said from outside of its daemon, as a room of it would: "eventtool DATABASE KEY-FILE REG-ID TYPE" reads lines
 * "kind subject body" and answers each with "ok" or the error. A line "free LENGTH" gives a RegID for a child. */
#include <stdio.h>
#include <stdlib.h>

#include "core/clock.h"
#include "core/secret.h"
#include "registry-fn/log/event.h"
#include "registry-fn/record/schema.h"

static void must(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "eventtool: %s\n", what);
	exit(1);
}

static enum gba_err say(struct event_log *log, const char *kind, const char *subject, const char *body)
{
	json_t *json = json_loads(body, 0, NULL);
	enum gba_err err = GBA_E_SYNTAX;

	if (json != NULL)
		err = event_append(log, kind, subject, json, clock_now(), NULL);
	json_decref(json);
	return err;
}

static enum gba_err work(struct event_log *log, char *line)
{
	char kind[64], subject[256], reg_id[REGID_MAX + 1];
	enum gba_err err;
	int at = 0;

	if (sscanf(line, "%63s %255s %n", kind, subject, &at) != 2)
		return GBA_E_SYNTAX;
	if (strcmp(kind, "free") != 0)
		return say(log, kind, subject, line + at);
	err = event_registry_free_id(log, (unsigned int)atoi(subject), reg_id);
	if (err == GBA_OK)
		printf("%s ", reg_id);
	return err;
}

int main(int argc, char **argv)
{
	struct event_self self = { .type = REGISTRY_PRIMARY };
	TALLOC_CTX *ctx = talloc_new(NULL);
	struct sign_key *key = NULL;
	struct event_log *log = NULL;
	static char line[65536];
	struct db *db = NULL;
	const char *why = "";

	must(argc == 5, "usage: eventtool DATABASE KEY-FILE REG-ID TYPE");
	secret_init();
	must(db_open(ctx, argv[1], registry_schema, registry_schema_steps, &db, &why) == GBA_OK, why);
	must(sign_key_open(ctx, argv[2], false, &key) == GBA_OK, "key");
	self.reg_id = argv[3];
	self.key = key;
	while (registry_type_names[self.type] != NULL && strcmp(registry_type_names[self.type], argv[4]) != 0)
		self.type++;
	must(self.type < REGISTRY_TYPES && event_log_open(ctx, db, &self, &log) == GBA_OK, "log");
	while (fgets(line, sizeof(line), stdin) != NULL) {
		enum gba_err err = db_begin(db);

		if (err == GBA_OK)
			err = work(log, line);
		if (err == GBA_OK)
			err = db_commit(db);
		else
			db_rollback(db);
		printf("%s\n", err == GBA_OK ? "ok" : gba_err_name(err));
		fflush(stdout);
	}
	talloc_free(ctx);
	return 0;
}
