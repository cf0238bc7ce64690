/* SPDX-License-Identifier: Apache-2.0 */
/** What the files of the scores share. */
#ifndef GBA_REGISTRY_CVSS_PRIV_H
#define GBA_REGISTRY_CVSS_PRIV_H

#include "registry-fn/trust/cvss.h"

#define CVSS_METRICS 32 /* at most, of one version */

/** @param letters  by place in the table of 4.0; 0: not given  @return tenths */
int cvss_score_40(const char letters[CVSS_METRICS]);

#endif
