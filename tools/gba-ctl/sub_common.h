/* SPDX-License-Identifier: Apache-2.0 */
/** What the subscriber commands share: the open store and key, a record as the writer shows it. */
#ifndef GBA_CTL_SUB_COMMON_H
#define GBA_CTL_SUB_COMMON_H

#include "hss-stub/hss.h"
#include "hss-stub/sub_store.h"
#include "tools/gba-ctl/ctl.h"

struct sub_files {
	struct sub_store *store;
	struct kek *kek; /* NULL unless asked for */
};

enum sub_open { SUB_READ, SUB_CHANGE, SUB_CREATE };
/** Open the database (SUB_CREATE: made when absent) and, with_keys, the key file. Says on standard error what failed.
 */
enum ctl_exit sub_files_open(struct ctl *ctl, enum sub_open how, bool with_keys, struct sub_files *_files);
/** By IMPI, or by IMSI when text is all digits. Says on standard error when there is none. */
enum ctl_exit sub_find(struct ctl *ctl, struct sub_files *files, const char *text, struct subscriber **_sub);

/** All of a record; keys when kek is given (--reveal). @retval GBA_E_CORRUPT */
enum gba_err sub_write(struct writer *out, const struct subscriber *sub, struct kek *kek);
/** A line of a list. */
void sub_write_line(struct writer *out, const struct subscriber *sub);
/** Whole file, or standard input for "-", at most max octets, below ctl->ctx. */
enum ctl_exit sub_read_file(struct ctl *ctl, const char *path, size_t max, struct bytes *_text);
/** A key: from --NAME, or the next line of --NAME-file. Absent when neither is given. */
enum ctl_exit sub_key_text(struct ctl *ctl, enum ctl_option_id plain, enum ctl_option_id file, struct bytes *_text);

enum ctl_exit cmd_subscriber_add(struct ctl *ctl);
enum ctl_exit cmd_subscriber_set(struct ctl *ctl);
enum ctl_exit cmd_subscriber_import(struct ctl *ctl);

#endif
