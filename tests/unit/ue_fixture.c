/* SPDX-License-Identifier: Apache-2.0 */
#include "unit/ue_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int remove_dir(char *dir)
{
	fixture_folder_remove(dir);
	return 0;
}

const char *ue_fixture_dir(void)
{
	const char *tmp = getenv("TMPDIR");
	char *dir = talloc_asprintf(test_ctx, "%s/check_ue.XXXXXX", tmp != NULL ? tmp : "/tmp");

	ck_assert_ptr_nonnull(mkdtemp(dir));
	talloc_set_destructor(dir, remove_dir);
	return dir;
}

struct state *ue_fixture_state(void)
{
	struct why why = { "" };
	struct state *state;
	enum gba_err err = state_open(test_ctx, ue_fixture_dir(), true, &state, &why);

	ck_assert_msg(err == GBA_OK, "state folder: %s", why.text);
	return state;
}

struct usim ue_fixture_usim(struct state *state, bool gba_u)
{
	struct secret *owner;
	struct soft_usim_data *data = soft_usim_data_new(test_ctx, &owner);
	struct usim usim;

	data->active.key.alg = AKA_MILENAGE;
	data->active.key.k_len = 16;
	data->active.key.res_len = 8;
	data->active.key.tuak_iterations = 1;
	memcpy(data->active.key.k, fixture_hex("465b5ce8b199b49faa5f0a2ee238a6bc").p, 16);
	memcpy(data->active.key.opc, fixture_hex("cd63cb71954a9f4e48a5994e37a02baf").p, 16);
	sqn_array_init(&data->active.sqn, SQN_IND_BITS_DEFAULT);
	strcpy(data->active.identity.imsi, EX_IMSI);
	strcpy(data->active.identity.impi, EX_IMPI);
	data->active.identity.gba_u = gba_u;
	ck_assert_err(soft_usim_create(state, "default", data), GBA_OK);
	talloc_free(owner);
	ck_assert_err(soft_usim_open(test_ctx, state, "default", &usim), GBA_OK);
	return usim;
}
