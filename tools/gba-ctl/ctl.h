/* SPDX-License-Identifier: Apache-2.0 */
/** gba-ctl: tables of rows of lib/cli, and what every command may be told. */
#ifndef GBA_CTL_CTL_H
#define GBA_CTL_CTL_H

#include <string.h>

#include "audit/audit_conf.h"
#include "cli/cli.h"
#include "core/bytes.h"

struct sub_args;

struct ctl {
	struct cli cli; /* first: rows know only this */
	const char *config;
	const char *db, *kek;	     /* paths in force */
	const char *ca_dir;	     /* of the configuration; "" none */
	const char *reason;	     /* --why */
	struct audit_items audit;    /* in force; .log absolute, "none": off */
	struct audit *audit_log;     /* open once a command has begun to change something */
	const struct cli_cmd *cmd;   /* the one that runs */
	const struct sub_args *args; /* of a subscriber command */
};

/** Tables of commands. */
extern const struct cli_cmd ctl_subscriber_commands[], ctl_audit_commands[], ctl_key_commands[];
extern const struct cli_cmd ctl_registry_audit_commands[], ctl_registry_token_commands[], ctl_registry_peer_commands[],
	ctl_registry_letter_commands[], ctl_registry_judging_commands[], ctl_registry_composite_commands[];
extern const struct cli_cmd ctl_backup_commands[], ctl_ca_commands[], ctl_change_commands[];

/** Note that the command begins: whoever opens a store to change it, or to show keys, calls this first. What becomes of the
 * command is then noted at its end. @retval GBA_OK, or why the log cannot be written: then nothing must be done */
enum gba_err ctl_audit_begin(struct ctl *ctl);
enum gba_err ctl_audit_end(struct ctl *ctl, enum gba_err err);

/** An error of the libraries, told as "what: text". GBA_OK is no error. @return err */
enum gba_err ctl_fail_err(struct ctl *ctl, enum gba_err err, const char *what);

#endif
