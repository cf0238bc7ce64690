/* SPDX-License-Identifier: Apache-2.0 */
/* The end of a connection with TLS. When its peer has said good-bye, freeDiameter's thread that receives says it, too, by
 * gnutls_bye(), while another thread may be sending: GnuTLS lets one thread receive and one send, and two that send free each
 * other's octets under way. Here the thread that receives says nothing: the peer has closed, and the thread that has the
 * connection closes it. That one says good-bye itself, and for sending alone, wherever it is the one who ends. */
#include "dia/fdtune.h"

#include <dlfcn.h>
#include <string.h>

#define SHUT_BOTH 0 /* GNUTLS_SHUT_RDWR, which the receiving thread gives; GNUTLS_SHUT_WR is 1 */

struct gnutls_session_int;

static int (*original)(struct gnutls_session_int *, int);

__attribute__((constructor)) static void find_original(void)
{
	*(void **)&original = dlsym(RTLD_NEXT, "gnutls_bye");
}

static bool is_core(const void *caller)
{
	Dl_info info;

	return dladdr(caller, &info) != 0 && info.dli_fname != NULL && strstr(info.dli_fname, "libfdcore") != NULL;
}

EXPORT int gnutls_bye(struct gnutls_session_int *session, int how);
EXPORT int gnutls_bye(struct gnutls_session_int *session, int how)
{
	if (how == SHUT_BOTH && is_core(__builtin_return_address(0)))
		return 0;
	return original(session, how);
}
