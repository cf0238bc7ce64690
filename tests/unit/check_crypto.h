/* SPDX-License-Identifier: Apache-2.0 */
/** The parts of check_crypto, one file each. */
#ifndef GBA_TESTS_CHECK_CRYPTO_H
#define GBA_TESTS_CHECK_CRYPTO_H

#include "common/fixture.h"

#define ROWS(table) (int)(sizeof(table) / sizeof((table)[0]))

TCase *tcase_hash(void);
TCase *tcase_milenage(void);
TCase *tcase_tuak(void);
TCase *tcase_sqn(void);
TCase *tcase_gba_keys(void);
TCase *tcase_seal(void);

#endif
