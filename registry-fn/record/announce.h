/* SPDX-License-Identifier: Apache-2.0 */
/** What other registries learn of a device (Y.3059 6.1-14): that it is here, what it is, and, unless policy hides them, all
 * identities it may be asked for by. In the transaction that changes it. */
#ifndef GBA_REGISTRY_ANNOUNCE_H
#define GBA_REGISTRY_ANNOUNCE_H

#include "registry-fn/record/rules.h"

/** @param kind  "device.registered", or "device.changed" of one that was: what it says replaces what was said */
enum gba_err announce_device(struct records *r, struct record_call *call, const struct record *device, const char *kind);
/** Its record is another than before: say so, when others know the device and what they may ask by, or whose it is, changed. */
enum gba_err announce_change(struct records *r, struct record_call *call, const struct record *old,
			     const struct record *now);
/** It is registered no more. */
enum gba_err announce_removed(struct records *r, struct record_call *call, const struct record *device);
/** Do others learn of an identifier of this scheme? Of those a device may be registered under, whichever of them it was, and the
 * IMEISV, which stands for an IMEI. */
bool announce_is_told(const struct scheme *scheme);
/** An identifier of a registered device came or went. */
enum gba_err announce_identity(struct records *r, struct record_call *call, const struct record *identity);

#endif
