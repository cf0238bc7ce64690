/* SPDX-License-Identifier: Apache-2.0 */
/* Whose certificate is it? The framework checks that a certificate is of a CA of ours, and its name only where we connect:
 * on a connection that came in, any holder of one could be any peer of the table (RFC 6733 13.1). */
#include <gnutls/x509.h>

#include "dia/guard/guard.h"

static bool names(const gnutls_datum_t *der, const char *identity)
{
	gnutls_x509_crt_t cert;
	bool found = false;

	if (gnutls_x509_crt_init(&cert) != 0)
		return false;
	if (gnutls_x509_crt_import(cert, der, GNUTLS_X509_FMT_DER) == 0)
		found = gnutls_x509_crt_check_hostname2(cert, identity, GNUTLS_VERIFY_DO_NOT_ALLOW_WILDCARDS) != 0;
	gnutls_x509_crt_deinit(cert);
	return found;
}

bool guard_cert_names(const struct peer_hdr *peer)
{
	if (peer->info.runtime.pir_cert_list == NULL || peer->info.runtime.pir_cert_list_size == 0)
		return true; /* no TLS: freeDiameter.conf has allowed it for this peer */
	return names(&peer->info.runtime.pir_cert_list[0], peer->info.pi_diamid);
}
