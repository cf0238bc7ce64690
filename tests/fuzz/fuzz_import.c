/* SPDX-License-Identifier: Apache-2.0 */
/* gba-ctl subscriber import: CSV and JSON of other systems, as a dry run without database. The first octet chooses. What
 * is accepted, rejected and repeated must add up; nothing may be stored. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tools/gba-ctl/import.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The program's, silent. */
enum gba_err ctl_fail_err(struct ctl *ctl, enum gba_err err, const char *what)
{
	(void)ctl, (void)what;
	return err;
}

static FILE *quiet(void)
{
	static FILE *out;

	if (out == NULL)
		out = fopen("/dev/null", "w");
	return out;
}

static bool run(struct import *imp, uint8_t kind)
{
	imp->lte = kind % 4 == 1 || kind % 4 == 2;
	return kind % 4 == 0 ? import_csv(imp) : import_json(imp, kind % 4 == 2);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct sub_args none;
	struct ctl ctl = { .cli.ctx = talloc_named_const(NULL, 0, "fuzz"), .cli.json = true, .args = &none, .db = "none", .kek = "none" };
	struct import imp = { .ctl = &ctl, .dry_run = true, .mnc_digits = 2, .ind_bits = 5, .margin = 10 };
	int fd = memfd_create("import", MFD_CLOEXEC);
	char path[64];

	if (fd < 0 || size < 1 || write(fd, data + 1, size - 1) != (ssize_t)(size - 1)) {
		talloc_free(ctl.cli.ctx);
		if (fd >= 0)
			close(fd);
		return 0;
	}
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	ctl.cli.out = writer_new(ctl.cli.ctx, WRITER_JSON, quiet());
	imp.path = path;
	imp.row_ctx = talloc_new(ctl.cli.ctx);
	imp.seen = seen_new(ctl.cli.ctx);
	run(&imp, data[0]);
	if (imp.same + imp.changed + imp.in_batch != 0)
		abort(); /* there is nothing to compare with, and a dry run has no transaction */
	close(fd);
	talloc_free(ctl.cli.ctx);
	return 0;
}
