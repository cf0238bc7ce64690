/* SPDX-License-Identifier: Apache-2.0 */
/** What libconfig 1.5 does not tell of a file: numbers that it cuts to 32 bits without a word (4294967297 reads as 1), and which
 * item stands there twice. Within lib/conf. */
#ifndef GBA_CONF_SCAN_H
#define GBA_CONF_SCAN_H

#include <stdbool.h>
#include <stdio.h>

#define CONF_SCAN_NAME 64

/** A number too large for 32 bits that has no L behind it. */
struct conf_cut {
	char file[256], name[CONF_SCAN_NAME]; /* the file, also an included one; the last name before the number */
	unsigned int line;
	long long value; /* LLONG_MAX, LLONG_MIN: beyond those */
};
/** The first such number of the file and of what it includes. False: none, or a file that cannot be read. */
bool conf_scan_cut(const char *path, struct conf_cut *_cut);
/** The only name of this line. False: none, or several. */
bool conf_scan_name(const char *path, unsigned int line, char name[CONF_SCAN_NAME]);

#endif
