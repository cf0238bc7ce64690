/* SPDX-License-Identifier: Apache-2.0 */
/** gba-ctl's frame: options and commands are rows; a command gets checked arguments and a writer, never prints its answer
 * itself and never calls exit. Rows feed parser, --help and completion. */
#ifndef GBA_CTL_CTL_H
#define GBA_CTL_CTL_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <talloc.h>

#include "core/bytes.h"
#include "core/err.h"
#include "tools/gba-ctl/writer.h"

/** Exit statuses; scripts rely on them. */
enum ctl_exit {
	CTL_DONE = 0,
	CTL_NEGATIVE = 1,    /* a negative answer: exists already, rows rejected */
	CTL_USAGE = 2,
	CTL_NOT_FOUND = 3,
	CTL_REFUSED = 4,     /* not allowed, or not confirmed */
	CTL_UNREACHABLE = 5, /* no file, no node */
	CTL_DAMAGED = 6,     /* what is stored does not verify */
	CTL_TRY_LATER = 75,  /* busy, no space */
};

enum ctl_option_id {
	OPT_CONFIG, OPT_DB, OPT_KEK, OPT_JSON, OPT_CSV, OPT_HELP, OPT_VERSION,
	OPT_IMSI, OPT_MNC_LENGTH, OPT_REALM, OPT_IMPU, OPT_K, OPT_K_FILE, OPT_OP, OPT_OP_FILE, OPT_OPC, OPT_OPC_FILE, OPT_ALGORITHM,
	OPT_RES_LEN, OPT_TUAK_ITERATIONS, OPT_AMF, OPT_SQN, OPT_IND_BITS, OPT_GUSS, OPT_UICC, OPT_STATE, OPT_FORCE,
	OPT_AFTER, OPT_LIMIT, OPT_REVEAL, OPT_DRY_RUN, OPT_YES, OPT_FROM, OPT_MARGIN, OPT_OUTPUT,
	OPT_COUNT
};
#define OPT_BIT(id) (UINT64_C(1) << OPT_##id)

struct ctl_option {
	const char *name;
	int letter;	    /* 0: none */
	const char *value;  /* "FILE"; NULL: takes none */
	const char *help;
};
extern const struct ctl_option ctl_options[OPT_COUNT];

#define CTL_IMPUS_MAX 32
struct ctl {
	TALLOC_CTX *ctx;		   /* root of everything of this run */
	const char *option[OPT_COUNT];	   /* text given; "" for options without value; NULL: absent */
	const char *impu[CTL_IMPUS_MAX];   /* OPT_IMPU may be repeated */
	size_t impus;
	char **args;			   /* after the command's words */
	int n_args;
	struct writer *out;
	const char *db, *kek; /* paths in force */
};

struct ctl_command {
	const char *words;     /* "subscriber add" */
	const char *arguments; /* "IMPI" */
	int min, max;	       /* arguments */
	uint64_t options;      /* that it takes, besides the common ones */
	enum ctl_exit (*run)(struct ctl *ctl);
	const char *help;
};
/** Tables of commands, each ending with words == NULL; the list ends with NULL. */
extern const struct ctl_command *const ctl_commands[];
extern const struct ctl_command ctl_subscriber_commands[];
/** Options every command takes. */
#define CTL_COMMON_OPTIONS                                                                                             \
	(OPT_BIT(CONFIG) | OPT_BIT(DB) | OPT_BIT(KEK) | OPT_BIT(JSON) | OPT_BIT(CSV) | OPT_BIT(HELP) | OPT_BIT(VERSION))

enum ctl_exit cmd_completion(struct ctl *ctl);

static inline bool ctl_given(const struct ctl *ctl, enum ctl_option_id id)
{
	return ctl->option[id] != NULL;
}

/** One line on standard error: "gba-ctl: ...". @return status, so that callers can return it */
enum ctl_exit ctl_fail(enum ctl_exit status, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/** The status for an error of the libraries, its text on standard error after `what`. */
enum ctl_exit ctl_fail_err(enum gba_err err, const char *what);

#endif
