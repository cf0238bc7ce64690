/* SPDX-License-Identifier: Apache-2.0 */
/** The device's certificate and private key for asymmetric bootstrapping (Y.3056 10.4-5), between PEM files, the card's
 * record and OpenSSL. */
#ifndef GBA_UE_DEVICE_CERT_H
#define GBA_UE_DEVICE_CERT_H

#include "ue/usim/soft_usim.h"

/** Read both files into data. @retval GBA_E_SYNTAX  not PEM, or the two do not belong together
 * @retval GBA_E_TOO_LONG  for the card */
enum gba_err device_cert_read(const char *certificate, const char *private_key, struct soft_usim_data *data,
			      struct why *why);
/** Put them into an SSL_CTX. @retval GBA_E_UNSUPPORTED  the card has none */
enum gba_err device_cert_use(const struct soft_usim_data *data, void *ssl_ctx);

#endif
