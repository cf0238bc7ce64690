/* SPDX-License-Identifier: Apache-2.0 */
/** Which devices a vulnerability is about: what vuln.c and mass.c share. In a transaction. */
#ifndef GBA_REGISTRY_VULN_PRIV_H
#define GBA_REGISTRY_VULN_PRIV_H

#include "registry-fn/trust/trust.h"

/** @param has  it is about the device, or not @param _changed  that was otherwise */
enum gba_err vuln_link(struct records *r, struct record_call *call, int64_t device, int64_t vulnerability, bool has,
		       bool *_changed);
/** How many devices it is about, into its record. */
enum gba_err vuln_count(struct records *r, int64_t vulnerability, int64_t n);

#endif
