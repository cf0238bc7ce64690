/* SPDX-License-Identifier: Apache-2.0 */
#include "registry-fn/id/regid.h"

bool regid_valid(struct bytes text)
{
	size_t i;

	for (i = 0; i < text.n; i++) {
		if (!((text.p[i] >= 'A' && text.p[i] <= 'Z') || (text.p[i] >= '0' && text.p[i] <= '9')))
			return false;
	}
	return text.n >= 1 && text.n <= REGID_MAX;
}
