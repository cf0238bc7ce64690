/* SPDX-License-Identifier: Apache-2.0 */
/** Connection strings that may hold a password, as they may be shown. */
#ifndef GBA_CORE_MASK_H
#define GBA_CORE_MASK_H

#include <stddef.h>

#define MASK_MAX 1100 /* [characters] with NUL: a shown text is never longer than the given one by more than a few */

/** Copy text with every password replaced by ***: what stands between ':' and '@' before the host of scheme://..., and the
 * values of password= and sslpassword= (URL parameters or libpq's keywords). Other texts are copied as they are; what does
 * not fit is cut. @return out */
const char *mask_password(const char *text, char out[MASK_MAX]);

#endif
