/* SPDX-License-Identifier: Apache-2.0 */
/* Lines and signed ends of an audit log: what is accepted must be what we would have written. */
#include <stdlib.h>

#include "audit/audit_priv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* RFC 8032 7.1, TEST 1 */
	static const uint8_t public[SIGN_PUBLIC_LEN] = { 0xd7, 0x5a, 0x98, 0x01, 0x82, 0xb1, 0x0a, 0xb7, 0xd5, 0x4b, 0xfe,
							 0xd3, 0xc9, 0x64, 0x07, 0x3a, 0x0e, 0xe1, 0x72, 0xf3, 0xda, 0xa6,
							 0x23, 0x25, 0xaf, 0x02, 0x1a, 0x68, 0xf7, 0x07, 0x51, 0x1a };
	struct bytes in = BYTES(data, size), body;
	struct audit_end end = { 0 }, before;

	if (audit_line_before(in, &before) == GBA_OK && audit_line_read(in, &end, &body) == GBA_OK && before.seq + 1 != end.seq)
		abort();
	end = (struct audit_end){ 0 };
	if (audit_line_check(in, &end) == GBA_OK && end.seq != 1)
		abort();
	if (audit_head_read(in, public, &end) == GBA_OK)
		abort(); /* nobody has signed anything with this key */
	return 0;
}
