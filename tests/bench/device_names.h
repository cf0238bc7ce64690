/* SPDX-License-Identifier: Apache-2.0 */
/** Names of the devices that the registry is measured with: a device's number makes its IMEI, neighbours are of one type, as makers
 * deliver them. */
#ifndef GBA_BENCH_DEVICE_NAMES_H
#define GBA_BENCH_DEVICE_NAMES_H

#include "registry-fn/id/regdevid.h"

#define IMEI_ROOM 16

void device_imei(unsigned long number, char out[IMEI_ROOM]);
void device_regdevid(unsigned long number, const char *reg_id, enum regdevid_form form, char out[REGDEVID_MAX + 1]);

#endif
