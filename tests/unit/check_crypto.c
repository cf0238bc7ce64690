/* SPDX-License-Identifier: Apache-2.0 */
#include "check_crypto.h"

int main(void)
{
	Suite *suite = suite_create("crypto");

	suite_add_tcase(suite, tcase_hash());
	suite_add_tcase(suite, tcase_milenage());
	suite_add_tcase(suite, tcase_tuak());
	suite_add_tcase(suite, tcase_sqn());
	suite_add_tcase(suite, tcase_gba_keys());
	suite_add_tcase(suite, tcase_seal());
	return fixture_run(suite);
}
