/* SPDX-License-Identifier: Apache-2.0 */
/** gba-ctl: tables of rows of lib/cli, and what every command may be told. */
#ifndef GBA_CTL_CTL_H
#define GBA_CTL_CTL_H

#include <string.h>

#include "cli/cli.h"
#include "core/bytes.h"

struct sub_args;

struct ctl {
	struct cli cli; /* first: rows know only this */
	const char *config;
	const char *db, *kek;	     /* paths in force */
	const struct sub_args *args; /* of a subscriber command */
};

/** Tables of commands. */
extern const struct cli_cmd ctl_subscriber_commands[];

/** An error of the libraries, told as "what: text". GBA_OK is no error. @return err */
enum gba_err ctl_fail_err(struct ctl *ctl, enum gba_err err, const char *what);

#endif
