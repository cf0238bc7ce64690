/* SPDX-License-Identifier: Apache-2.0 */
/** CoAP over DTLS 1.2 with a GBA key (RFC 7252 9.1.3.1; the key of the suite negotiated, as in PSK-TLS: TS 33.220 H.3), as a
 * fetcher: an exchange with a coaps URL. Statuses are the code's class times 100 and its detail: 205 is 2.05, and
 * refusals are HTTP's. */
#ifndef GBA_UE_UA_COAP_H
#define GBA_UE_UA_COAP_H

#include <jansson.h>

#include "ue/fetch.h"

/** A session's worth of libcoap, kept between exchanges. One thread at a time. Exchanges have a struct psk as tls_arg.
 * @retval GBA_E_UNSUPPORTED  built without libcoap @retval GBA_E_NOMEM */
enum gba_err ua_coap_new(TALLOC_CTX *mem_ctx, struct fetcher *_fetcher);
/** A fetcher for http, https and coaps: whichever an URL needs. curl_global_init() was called. @retval GBA_E_NOMEM */
enum gba_err ua_any_new(TALLOC_CTX *mem_ctx, struct fetcher *_fetcher);
bool ua_coap_is(const char *url);
bool ua_coap_built(void);

/** Bodies for a registry that constrained devices report to: CBOR with numbers for names (doc/registry.md).
 * @retval GBA_E_RANGE  a real number @retval GBA_E_NOMEM, GBA_E_UNSUPPORTED */
enum gba_err ua_coap_pack(TALLOC_CTX *mem_ctx, const json_t *json, struct bytes *_octets);
/** CBOR, or JSON when the answer says so. @param _json  new reference @retval GBA_E_SYNTAX, GBA_E_NOMEM, GBA_E_UNSUPPORTED */
enum gba_err ua_coap_unpack(const struct fetch_answer *answer, json_t **_json);

#endif
