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
/** A key pair of P-256 in the place of what was there; the certificate before goes. */
enum gba_err device_key_make(struct soft_usim_data *data);
/** A request for a certificate (PKCS #10, PEM) of the card's key, below mem_ctx. @retval GBA_E_UNSUPPORTED  it has no key */
enum gba_err device_csr(TALLOC_CTX *mem_ctx, const struct soft_usim_data *data, char **_pem);
/** Take a certificate, PEM or DER, of the card's key. @retval GBA_E_UNSUPPORTED  it has no key
 * @retval GBA_E_SYNTAX  @retval GBA_E_CERTIFICATE  of another key  @retval GBA_E_TOO_LONG */
enum gba_err device_cert_install(struct soft_usim_data *data, struct bytes text);
/** Put the certificate for this identity, and the key, into an SSL_CTX. @retval GBA_E_UNSUPPORTED  the card has none */
enum gba_err device_cert_use(const struct soft_usim_data *data, struct bytes impi, void *ssl_ctx);

#endif
