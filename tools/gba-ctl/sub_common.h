/* SPDX-License-Identifier: Apache-2.0 */
/** What the subscriber commands share: the open store and key, a record as the writer shows it. */
#ifndef GBA_CTL_SUB_COMMON_H
#define GBA_CTL_SUB_COMMON_H

#include "hss-stub/hss.h"
#include "hss-stub/mapping/grant.h"
#include "hss-stub/sub_store.h"
#include "tools/gba-ctl/ctl.h"

/** Options of the subscriber commands: texts as given, NULL where absent. */
struct sub_args {
	const char *imsi, *mnc_length, *realm, *k, *k_file, *op, *op_file, *opc, *opc_file, *algorithm, *res_len, *tuak_iterations,
		*amf, *sqn, *ind_bits, *guss, *uicc, *state, *after, *limit, *from, *margin, *output;
	struct cli_list impu;
	bool force, reveal, dry_run, yes, no_aka;
};
extern const struct cli_opt sub_add_opts[]; /* rows of all fields of a subscriber */

/** The program's struct, with the options of the command that runs. */
static inline struct ctl *sub_ctl(struct cli *cli, const struct sub_args *args)
{
	struct ctl *ctl = (struct ctl *)cli;

	ctl->args = args;
	return ctl;
}

struct sub_files {
	struct sub_store *store;
	struct records *mapping; /* over the store: what a change means for permissions */
	struct kek *kek; /* NULL unless asked for */
};

enum sub_open { SUB_READ, SUB_CHANGE, SUB_CREATE };
/** Open the database (SUB_CREATE: made when absent) and, with_keys, the key file. Tells what failed.
 */
enum gba_err sub_files_open(struct ctl *ctl, enum sub_open how, bool with_keys, struct sub_files *_files);
/** By IMPI, or by IMSI when text is all digits. Tells when there is none. */
enum gba_err sub_find(struct ctl *ctl, struct sub_files *files, const char *text, struct subscriber **_sub);

/** All of a record; keys when kek is given (--reveal). @retval GBA_E_CORRUPT */
enum gba_err sub_write(struct writer *out, const struct subscriber *sub, struct kek *kek);
/** A line of a list. */
void sub_write_line(struct writer *out, const struct subscriber *sub);
/** Whole file, or standard input for "-", at most max octets, below ctl->cli.ctx. */
enum gba_err sub_read_file(struct ctl *ctl, const char *path, size_t max, struct bytes *_text);
/** A key: from --NAME, or the next line of --NAME-file. Absent when neither is given.
 * @param name  "--k" */
enum gba_err sub_key_text(struct ctl *ctl, const char *name, const char *plain, const char *file, struct bytes *_text);

enum gba_err cmd_subscriber_add(struct cli *cli, void *args);
enum gba_err cmd_subscriber_set(struct cli *cli, void *args);
enum gba_err cmd_subscriber_show(struct cli *cli, void *args);
enum gba_err cmd_subscriber_list(struct cli *cli, void *args);
enum gba_err cmd_subscriber_remove(struct cli *cli, void *args);
enum gba_err cmd_subscriber_export(struct cli *cli, void *args);
enum gba_err cmd_subscriber_import(struct cli *cli, void *args);

#endif
