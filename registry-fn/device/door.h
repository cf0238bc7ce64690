/* SPDX-License-Identifier: Apache-2.0 */
/** The device's door (RPD, Y.3059 8, 9.2-n): an HTTP application behind gba-naf-proxy and gba-naf-coap, on a UNIX socket. Devices
 * come through the trusted network infrastructure or not at all: only users of device-users may connect, and what they assert in
 * X-3GPP-Asserted-Identity is the IMPI of a token. doc/registry.md. */
#ifndef GBA_REGISTRY_DOOR_H
#define GBA_REGISTRY_DOOR_H

#include "registry-fn/registry.h"

extern const struct registry_room door_room;

#endif
