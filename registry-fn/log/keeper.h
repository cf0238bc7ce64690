/* SPDX-License-Identifier: Apache-2.0 */
/** The room that every log-head-interval seconds signs and keeps a head of the log of transactions, and judges devices whose
 * deadlines have passed (trust_sweep); every report-check seconds it judges those of which others or lists have said something. */
#ifndef GBA_REGISTRY_KEEPER_H
#define GBA_REGISTRY_KEEPER_H

#include "registry-fn/registry.h"

extern const struct registry_room keeper_room;

#endif
