/* SPDX-License-Identifier: Apache-2.0 */
/** CVSS vectors of vulnerabilities (FIRST): 3.1 and 4.0 checked to the letter. The score of a 3.1 vector is that of its base
 * metrics; of a 4.0 vector that of all it has (CVSS-B, -BT, -BE or -BTE). */
#ifndef GBA_REGISTRY_CVSS_H
#define GBA_REGISTRY_CVSS_H

#include "core/bytes.h"
#include "core/err.h"

#define CVSS_MAX 240 /* [octets] of a vector */

enum cvss_severity { CVSS_NONE, CVSS_LOW, CVSS_MEDIUM, CVSS_HIGH, CVSS_CRITICAL };
extern const char *const cvss_severity_words[]; /* by value, NULL-terminated */

/** Check a vector: every base metric once, no metric twice, none unknown; those of 4.0 in the order of its table 23.
 * @param _score  [tenths] 0 to 100; may be NULL
 * @param _why    static text on failure
 * @retval GBA_E_UNSUPPORTED  another version @retval GBA_E_SYNTAX, GBA_E_TOO_LONG */
enum gba_err cvss_read(struct bytes vector, int *_score, const char **_why);
/** The same as a check of a field. */
enum gba_err cvss_check(struct bytes vector, const char **_why);
/** Qualitative rating of a score in tenths (CVSS 3.1 section 5, 4.0 section 6). */
enum cvss_severity cvss_severity(int score);

/** CVE-YYYY-NNNN: four to nineteen digits. */
enum gba_err cve_check(struct bytes text, const char **_why);

#endif
