/* SPDX-License-Identifier: Apache-2.0 */
/** The one logger: one line per decision, for the operator at 3 a.m. lib/ stays silent; the role logs where it decides.
 * Thread-safe. Values from outside are escaped: a peer cannot write a line of its own. Never pass a key. */
#ifndef GBA_CORE_LOG_H
#define GBA_CORE_LOG_H

#include <stdbool.h>

#include "core/bytes.h"
#include "core/err.h"

enum log_level { LOG_L_ERROR, LOG_L_WARNING, LOG_L_INFO, LOG_L_DEBUG, LOG_L_COUNT };
enum log_format { LOG_F_TEXT, LOG_F_JSON, LOG_F_COUNT };

/** At start, and whenever the configuration says otherwise. role ("bsf") is copied.
 * Text lines carry journald's "<N>" priority when stderr is the journal.
 * @param path  NULL or "": stderr; else a file opened for appending
 * @retval GBA_E_IO and its relatives: the file cannot be opened; the logger then stays as it was, at first on stderr */
enum gba_err log_init(const char *role, enum log_level level, enum log_format format, const char *path);
/** Reopen the file (after logrotate). */
void log_reopen(void);
/** Close the file; logging goes on to stderr. */
void log_close(void);
bool log_enabled(enum log_level level);

/** What a line is about; leave out what does not apply. */
struct log_about {
	const char *iface;   /* "Ub", "Zh", "Zn", "Ua", "local" */
	const char *corr;    /* see corr_from_rand() */
	struct bytes peer;   /* Diameter identity or address */
	struct bytes id;     /* IMPI, B-TID, NAF: whom it concerns */
	const char *btid;    /* fingerprint of a B-TID where the B-TID itself does not belong, see btid_print() */
	const char *clause;  /* the clause that decided, "TS 29.109 5.2" */
	enum gba_err result;
};

/** @param event  stable dotted name, "zn.bir", for filters and alarms
 * @param about  may be NULL */
void log_event(enum log_level level, const char *event, const struct log_about *about, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/** One more member of a line. Absent text: left out. */
struct log_field {
	const char *key;
	struct bytes text;
	uint64_t number; /* when is_number */
	bool is_number;
};
#define LOG_TEXT(key, text)	{ key, text, 0, false }
#define LOG_NUMBER(key, number) { key, { NULL, 0 }, number, true }
/** The same line with members of its own in place of a text: for lines that programs read. */
void log_fields(enum log_level level, const char *event, const struct log_about *about, const struct log_field *fields, size_t n);

/** The same line, at most once per `seconds` and call place. */
#define log_event_limited(seconds, level, event, about, ...)                                                           \
	do {                                                                                                           \
		static struct log_limit log_limit_;                                                                    \
		if (log_limit_pass(&log_limit_, seconds))                                                              \
			log_event(level, event, about, __VA_ARGS__);                                                   \
	} while (0)
struct log_limit {
	uint64_t next_ms;
	unsigned int left_out;
};
bool log_limit_pass(struct log_limit *limit, unsigned int seconds);
/** One line a second in the long run, but up to `burst` of them at once: for lines that each matter, of which a flood must not
 * fill the disk. @param _left_out  written when it passes: those not logged since the line before */
bool log_limit_burst(struct log_limit *limit, unsigned int burst, unsigned int *_left_out);

/** Names for configuration tables, by value, NULL-terminated. */
extern const char *const log_level_names[];
extern const char *const log_format_names[];

#endif
