/* SPDX-License-Identifier: Apache-2.0 */
/** RegID: the name of a registry (Y.3059 9.1): A-Z and 0-9, as long as the number of registries asks for. */
#ifndef GBA_REGISTRY_REGID_H
#define GBA_REGISTRY_REGID_H

#include "core/bytes.h"

#define REGID_MAX 32 /* [octets] */

/** 1 to REGID_MAX of A-Z and 0-9. */
bool regid_valid(struct bytes text);

#endif
