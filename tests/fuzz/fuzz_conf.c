/* SPDX-License-Identifier: Apache-2.0 */
/* Configuration: a table with every type of item. What loads must be dumped and load again. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "conf/conf.h"
#include "core/ident.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* libconfig 1.5's scanner keeps its text buffer when a file ends inside a string: once per failed start, its own. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:libconfig.so";
}

struct row_conf {
	const char *identity;
	uint32_t ind;
	struct conf_strlist realms;
};
struct all_conf {
	uint32_t lifetime, mode;
	bool strict;
	const char *fqdn;
	struct conf_strlist listen;
	struct conf_groups rows;
};
static const char *const modes[] = { "fast", "safe", NULL };
static const struct conf_item row_items[] = {
	CONF_STR("identity", NULL, 1, 253, fqdn_valid, struct row_conf, identity, "Name"),
	CONF_U32("ind", 0, 0, 31, "", struct row_conf, ind, "Number"),
	CONF_STRLIST("realms", "", 1, 253, fqdn_valid, struct row_conf, realms, "Names"),
	CONF_END
};
static const struct conf_item all_items[] = {
	CONF_U32("lifetime", 60, 1, 3600, "s", struct all_conf, lifetime, "Time"),
	CONF_ENUM("mode", "safe", modes, struct all_conf, mode, "Mode"),
	CONF_BOOL("strict", true, struct all_conf, strict, "Strict"),
	CONF_STR("fqdn", "", 0, 253, NULL, struct all_conf, fqdn, "Name"),
	CONF_STRLIST("listen", "", 0, 64, NULL, struct all_conf, listen, "Addresses"),
	CONF_GROUPS("rows", "", 0, 8, row_items, struct row_conf, struct all_conf, rows, "Rows"),
	CONF_END
};

static enum gba_err load(TALLOC_CTX *ctx, const uint8_t *data, size_t size, struct all_conf *conf, struct conf_error *error)
{
	enum gba_err err = GBA_E_IO;
	char path[64];
	int fd = memfd_create("conf", 0);

	if (fd >= 0 && write(fd, data, size) == (ssize_t)size && lseek(fd, 0, SEEK_SET) == 0) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		err = conf_load(ctx, "fuzz", path, all_items, conf, error);
	}
	close(fd);
	return err;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	TALLOC_CTX *ctx = talloc_named_const(NULL, 0, "fuzz");
	struct all_conf conf, again;
	struct conf_error error;
	char *text = NULL;
	size_t len = 0;
	FILE *out;

	/* An include names a file of the machine: the operator's right, not a fuzzer's. */
	if (size < 4096 && memmem(data, size, "@include", 8) == NULL && load(ctx, data, size, &conf, &error) == GBA_OK) {
		out = open_memstream(&text, &len);
		conf_dump(out, all_items, &conf, true);
		fclose(out);
		if (load(ctx, (const uint8_t *)text, len, &again, &error) != GBA_OK || again.rows.n != conf.rows.n ||
		    again.lifetime != conf.lifetime)
			abort();
		free(text);
	}
	talloc_free(ctx);
	return 0;
}
