/* SPDX-License-Identifier: Apache-2.0 */
/** Shared by the files of the CA only. */
#ifndef GBA_PKI_CA_PRIV_H
#define GBA_PKI_CA_PRIV_H

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <limits.h>
#include <sys/types.h>

#include "pki/ca.h"

struct ca {
	char *dir;
	const char *pem;
	gnutls_x509_crt_t crt;
};

enum gba_err ca_gnutls(int rc);
/* Whole file, NUL-terminated. @param secret  must be ours alone */
enum gba_err ca_file_read(TALLOC_CTX *mem_ctx, const char *path, bool secret, gnutls_datum_t *_pem);
/* All or nothing, on disk when done. @param replace  false: GBA_E_EXISTS when there is one */
enum gba_err ca_file_write(const char *dir, const char *name, struct bytes content, mode_t mode, bool replace);
enum gba_err ca_key_read(const struct ca *ca, gnutls_x509_privkey_t *_key);
enum gba_err ca_print(gnutls_x509_crt_t crt, char *hex);
/* Sign the list of revoked certificates anew. */
enum gba_err ca_crl_write(struct ca *ca, time_t now);

#endif
