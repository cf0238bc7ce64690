/* SPDX-License-Identifier: Apache-2.0 */
/** Bootstrapping by certificate, the device's side (Y.3056 10.4-5, doc/ub.md): one GET over mutual TLS; RAND and Ks are keying
 * material of that TLS connection, so that both ends have them and nobody else. */
#ifndef GBA_UE_UB_CERT_H
#define GBA_UE_UB_CERT_H

#include "ue/ub.h"

#define UB_CERT_LABEL  "EXPERIMENTAL-Y3056-bootstrapping"
#define UB_CERT_OCTETS (RAND_LEN + GBA_KS_LEN)
#define UB_CERT_USER   "Y3056-Identity"

/** As ub_run(), with conf->url https; tmpi and cnonce are not used. The BSF must show a certificate for the URL's host, of
 * conf->ca_file.
 * @retval GBA_E_UNSUPPORTED  the card has no certificate; or TLS 1.2 without extended master secret (RFC 7627)
 * @retval GBA_E_NOT_AUTHORIZED  403, final
 * @retval GBA_E_BUSY            503; retry_after tells when to come back
 * @retval GBA_E_REALM, GBA_E_PEER, GBA_E_XML, GBA_E_TOO_LONG, GBA_E_UNREACHABLE, GBA_E_TIMEOUT, or an error of the card */
enum gba_err ub_cert_run(TALLOC_CTX *mem_ctx, const struct ub_conf *conf, const struct usim *usim, const struct fetcher *fetcher,
			 struct ub_result *_result, struct why *why);

#endif
