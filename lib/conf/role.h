/* SPDX-License-Identifier: Apache-2.0 */
/** The small program of a role whose work is done by a freeDiameter extension: `gba-bsf --check-config FILE`. */
#ifndef GBA_CONF_ROLE_H
#define GBA_CONF_ROLE_H

#include "conf/conf.h"

struct role {
	const char *name;    /* "bsf": the table's environment prefix */
	const char *program; /* "gba-bsf" */
	const char *what;    /* one line for --help */
	const char *daemon_conf; /* default file for freeDiameterd */
	const struct conf_item *items;
	size_t conf_size;
	/** Checks between items; may be NULL. */
	enum gba_err (*check)(const void *conf, struct conf_error *_error);
	/** A daemon of its own: runs with the file of -c instead of freeDiameterd. NULL: freeDiameterd. @return exit status */
	int (*run)(const struct role *role, const char *path);
	/** For conf_reread(): take what can change under way from a file that is good into what is in force. May be NULL. */
	void (*live)(const void *fresh);
};

/** For a role whose items are taken at its start, but for those role->live takes: read the file again, check it, and put what it
 * says of log and trace (CONF_COMMON, first in the table) into effect, files reopened. Nothing changes when it is not good.
 * @param _differs  names of the other items that are not as in force, ", " between them: they need a restart; below mem_ctx
 * @retval GBA_E_CONF  see _error->text */
enum gba_err conf_reread(TALLOC_CTX *mem_ctx, const struct role *role, const char *path, const void *in_force,
			 const char **_differs, struct conf_error *_error);

/** --check-config FILE, --show-config FILE (effective values), --defaults (documented sample), --version, --help; without
 * one of these run freeDiameterd with -c FILE in the foreground. @return exit status: 0, 1 (bad file), 2 (usage) */
int role_main(const struct role *role, int argc, char **argv);

#endif
