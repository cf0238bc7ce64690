/* SPDX-License-Identifier: Apache-2.0 */
/* The soft USIM: AUTHENTICATE on the worked example and on edges of it, GBA_U, and what a crash leaves behind.
 * REQ: OBF-10.2.4-2 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/codec.h"
#include "unit/ue_fixture.h"

/* The linker puts these before libc's (see Makefile.inc): a crash or a failing disk at a chosen call. */
static enum { DISK_GOOD, CRASH_BEFORE_RENAME, CRASH_AFTER_RENAME, FSYNC_FAILS, RENAME_FAILS } disk;
int __real_renameat(int from_fd, const char *from, int to_fd, const char *to);
int __wrap_renameat(int from_fd, const char *from, int to_fd, const char *to);
int __real_fsync(int fd);
int __wrap_fsync(int fd);

int __wrap_renameat(int from_fd, const char *from, int to_fd, const char *to)
{
	int rc;

	if (disk == CRASH_BEFORE_RENAME)
		_exit(42);
	if (disk == RENAME_FAILS) {
		errno = ENOSPC;
		return -1;
	}
	rc = __real_renameat(from_fd, from, to_fd, to);
	if (disk == CRASH_AFTER_RENAME)
		_exit(42);
	return rc;
}

int __wrap_fsync(int fd)
{
	if (disk == FSYNC_FAILS) {
		errno = EIO;
		return -1;
	}
	return __real_fsync(fd);
}

/* SQN 000000000022: the same SEQ, IND 2. This and the TUAK values below: by independent Python implementations. */
#define EX_AUTN_IND2 "aa689c64835200003ea2d5dfe90beae5"
#define TUAK_AUTN    "719f1e9b901500007c029eeb45d9cba6"
#define TUAK_AUTS    "e7af6b3d0e7995f29044f40b77dd"

static enum gba_err authenticate(struct usim usim, enum usim_context context, const char *rand, const char *autn,
				 struct usim_reply *reply)
{
	return usim.ops->authenticate(usim.card, context, fixture_hex(rand).p, fixture_hex(autn).p, reply);
}

/* REQ: Y3056-9.3-4: values of ub-worked-example.json (AKA) */
START_TEST(worked_example)
{
	struct usim usim = ue_fixture_usim(ue_fixture_state(), false);
	struct usim_identity identity;
	struct usim_reply reply;

	ck_assert_err(usim.ops->identity(usim.card, &identity), GBA_OK);
	ck_assert_str_eq(identity.impi, EX_IMPI);
	ck_assert_str_eq(identity.imsi, EX_IMSI);
	ck_assert_err(authenticate(usim, USIM_3G, EX_RAND, EX_AUTN, &reply), GBA_OK);
	ck_assert_bytes(BYTES(reply.res, reply.res_len), fixture_hex("a54211d5e3ba50bf"), "RES");
	ck_assert_bytes(BYTES(reply.ck, 16), fixture_hex("b40ba9a3c58b2a05bbf0d987b21bf8cb"), "CK");
	ck_assert_bytes(BYTES(reply.ik, 16), fixture_hex("f769bcd751044604127672711c6d3441"), "IK");
}
END_TEST

/* TS 35.208 set 1's own AUTN has a SQN far beyond delta = 2^28; with the highest SQN there already, the AUTS is the one
 * published for it (facts: SQN_MS = ff9bb4d0b607, AMF* = 0000). Others: computed by an independent implementation. */
static const struct {
	const char *name, *sqn_ms, *autn, *auts;
	enum gba_err want;
} auth_rows[] = {
	{ "first challenge", NULL, EX_AUTN, NULL, GBA_OK },
	{ "SQN equal to the highest", "000000000021", EX_AUTN, NULL, GBA_E_AKA_SYNC },
	{ "SQN below", "000000001000", EX_AUTN, "451e8becb43b05c542fb178afb2d", GBA_E_AKA_SYNC },
	{ "SQN at the highest of set 1", "ff9bb4d0b607", EX_AUTN, "ba853f3c123ccf44e93596e355c6", GBA_E_AKA_SYNC },
	{ "SQN jumps more than delta", NULL, "55f328b43577b9b94a9ffac354dfafb3", "451e8beca43b", GBA_E_AKA_SYNC },
	{ "MAC, first bit", NULL, "aa689c64835100001f897ef2e7a4c5f8", NULL, GBA_E_AKA_MAC },
	{ "MAC, last bit", NULL, "aa689c64835100009f897ef2e7a4c5f9", NULL, GBA_E_AKA_MAC },
	{ "SQN altered", NULL, "aa689c64837100009f897ef2e7a4c5f8", NULL, GBA_E_AKA_MAC },
	{ "AMF altered", NULL, "aa689c64835180009f897ef2e7a4c5f8", NULL, GBA_E_AKA_MAC },
	{ "MAC wrong and SQN old", "000000001000", "aa689c64835100009f897ef2e7a4c5f9", NULL, GBA_E_AKA_MAC },
	{ "MAC* on a card without GBA_U", NULL, "aa689c64835100005969bb3cc144d80f", NULL, GBA_E_AKA_MAC },
};

static enum gba_err put_sqn(struct soft_usim_data *data, void *arg)
{
	uint64_t sqn = sqn_from_octets(fixture_hex(arg).p);
	size_t i;

	for (i = 0; i < 32; i++)
		data->active.sqn.seq[i] = (sqn >> 5) - (i == (sqn & 31) || sqn >> 5 == 0 ? 0 : 1);
	return GBA_OK;
}

START_TEST(autn_is_judged)
{
	struct state *state = ue_fixture_state();
	struct usim usim = ue_fixture_usim(state, false);
	struct bytes auts, zero = fixture_hex("0000000000000000000000000000");
	struct usim_reply reply;
	enum gba_err got;

	if (auth_rows[_i].sqn_ms != NULL)
		ck_assert_err(soft_usim_edit(state, "default", put_sqn, (void *)auth_rows[_i].sqn_ms), GBA_OK);
	got = authenticate(usim, USIM_3G, EX_RAND, auth_rows[_i].autn, &reply);
	ck_assert_msg(got == auth_rows[_i].want, "%s: got %s", auth_rows[_i].name, gba_err_name(got));
	if (got != GBA_OK) {
		ck_assert_uint_eq(reply.res_len, 0);
		ck_assert_bytes(BYTES(reply.ck, 14), zero, "no CK");
	}
	if (got == GBA_E_AKA_MAC) /* no AUTS: TS 33.102 6.3.3 */
		ck_assert_bytes(BYTES(reply.auts, sizeof(reply.auts)), zero, "no AUTS");
	if (auth_rows[_i].auts == NULL)
		return;
	auts = fixture_hex(auth_rows[_i].auts);
	ck_assert_bytes(BYTES(reply.auts, auts.n), auts, auth_rows[_i].name);
}
END_TEST

START_TEST(a_challenge_is_taken_once)
{
	struct state *state = ue_fixture_state();
	struct usim usim = ue_fixture_usim(state, false);
	struct soft_usim_data *data;
	struct usim_reply reply;

	ck_assert_err(authenticate(usim, USIM_3G, EX_RAND, EX_AUTN, &reply), GBA_OK);
	ck_assert_err(authenticate(usim, USIM_3G, EX_RAND, EX_AUTN, &reply), GBA_E_AKA_SYNC);
	ck_assert_err(soft_usim_load(test_ctx, state, "default", &data), GBA_OK);
	ck_assert_uint_eq(data->active.sqn.seq[1], 1); /* SQN 0x21: SEQ 1, IND 1 */
	ck_assert_uint_eq(data->active.sqn.seq[0], 0);
	ck_assert_uint_eq(sqn_array_highest(&data->active.sqn), 0x21);
	/* the same SEQ under another IND has not been seen: SQN 0x22 and its MAC by an independent implementation */
	ck_assert_err(authenticate(usim, USIM_3G, EX_RAND, EX_AUTN_IND2, &reply), GBA_OK);
	ck_assert_err(authenticate(usim, USIM_3G, EX_RAND, EX_AUTN_IND2, &reply), GBA_E_AKA_SYNC);
}
END_TEST

/* TS 35.233 set 1 (K 128, RES 32 bits, one iteration), SQN 0x41, AMF 0000: AUTN by an independent implementation. */
START_TEST(tuak_card)
{
	struct state *state = ue_fixture_state();
	struct secret *owner;
	struct soft_usim_data *data = soft_usim_data_new(test_ctx, &owner);
	struct usim_reply reply;
	struct usim usim;

	data->active.key = (struct aka_key){ .alg = AKA_TUAK, .k_len = 16, .res_len = 4, .tuak_iterations = 1 };
	memset(data->active.key.k, 0xab, 16);
	memcpy(data->active.key.opc, fixture_hex("bd04d9530e87513c5d837ac2ad954623a8e2330c115305a73eb45d1f40cccbff").p, 32);
	sqn_array_init(&data->active.sqn, SQN_IND_BITS_DEFAULT);
	strcpy(data->active.identity.imsi, EX_IMSI);
	strcpy(data->active.identity.impi, EX_IMPI);
	ck_assert_err(soft_usim_create(state, "tuak", data), GBA_OK);
	ck_assert_err(soft_usim_open(test_ctx, state, "tuak", &usim), GBA_OK);
	ck_assert_err(authenticate(usim, USIM_3G, "42424242424242424242424242424242", TUAK_AUTN, &reply), GBA_OK);
	ck_assert_bytes(BYTES(reply.res, reply.res_len), fixture_hex("657acd64"), "RES");
	ck_assert_bytes(BYTES(reply.ck, 16), fixture_hex("d71a1e5c6caffe986a26f783e5c78be1"), "CK");
	ck_assert_bytes(BYTES(reply.ik, 16), fixture_hex("be849fa2564f869aecee6f62d4337e72"), "IK");
	ck_assert_err(authenticate(usim, USIM_3G, "42424242424242424242424242424242", TUAK_AUTN, &reply),
		      GBA_E_AKA_SYNC);
	ck_assert_bytes(BYTES(reply.auts, AKA_AUTS_LEN), fixture_hex(TUAK_AUTS), "AUTS");
}
END_TEST

#define AUTN_STAR "aa689c64835100005969bb3cc144d80f"

/* REQ: Y3056-8.1.1-2: with GBA_U neither CK, IK nor Ks leave the card, and Ks_ext_NAF is what the BSF derives */
START_TEST(gba_u_card)
{
	struct usim usim = ue_fixture_usim(ue_fixture_state(), true);
	struct bytes zero = fixture_hex("00000000000000000000000000000000"), naf_id, impi = bytes_of(EX_IMPI);
	struct bytes btid = bytes_of(EX_BTID), other = bytes_of("QkJCQkJCQkJCQkJCQkJCQg==@" EX_BSF);
	uint8_t key[GBA_KS_NAF_LEN];
	struct usim_reply reply;

	naf_id = fixture_hex("6e6166312e6578616d706c652e636f6d0100000002");
	ck_assert_err(usim.ops->gba_naf(usim.card, btid, impi, naf_id, key), GBA_E_BTID_UNKNOWN);
	ck_assert_err(authenticate(usim, USIM_GBA, EX_RAND, EX_AUTN, &reply), GBA_E_AKA_MAC); /* plain MAC */
	ck_assert_err(authenticate(usim, USIM_GBA, EX_RAND, AUTN_STAR, &reply), GBA_OK);
	ck_assert_bytes(BYTES(reply.res, reply.res_len), fixture_hex("a54211d5e3ba50bf"), "RES");
	ck_assert_bytes(BYTES(reply.ck, 16), zero, "no CK");
	ck_assert_bytes(BYTES(reply.ik, 16), zero, "no IK");
	ck_assert_err(usim.ops->gba_bind(usim.card, other, 2000000000), GBA_E_BTID_UNKNOWN);
	ck_assert_err(usim.ops->gba_bind(usim.card, btid, 2000000000), GBA_OK);
	ck_assert_err(usim.ops->gba_naf(usim.card, other, impi, naf_id, key), GBA_E_BTID_UNKNOWN);
	ck_assert_err(usim.ops->gba_naf(usim.card, btid, impi, naf_id, key), GBA_OK);
	ck_assert_bytes(BYTES(key, sizeof(key)),
			fixture_hex("7bbc1ad5fcd242e270d96906ca4491cdd5d849e407e63f7b124803d31402b3bf"), "Ks_ext_NAF");
}
END_TEST

START_TEST(gba_context_needs_a_gba_card)
{
	struct usim usim = ue_fixture_usim(ue_fixture_state(), false);
	struct usim_reply reply;

	ck_assert_err(authenticate(usim, USIM_GBA, EX_RAND, AUTN_STAR, &reply), GBA_E_UNSUPPORTED);
}
END_TEST

/* A process that dies inside AUTHENTICATE has given no RES; afterwards the card is whole, and a challenge whose SQN
 * became durable is not taken again. REQ: Y3056-9.4.2-1 */
static const struct {
	const char *name;
	int when;
	enum gba_err again;
} crash_rows[] = {
	{ "between temporary file and rename", CRASH_BEFORE_RENAME, GBA_OK },
	{ "after rename", CRASH_AFTER_RENAME, GBA_E_AKA_SYNC },
};

START_TEST(crash_leaves_a_whole_card)
{
	struct state *state = ue_fixture_state();
	struct usim usim = ue_fixture_usim(state, false);
	struct usim_reply reply;
	pid_t child = fork();
	enum gba_err got;
	int status;

	if (child == 0) {
		disk = crash_rows[_i].when;
		authenticate(usim, USIM_3G, EX_RAND, EX_AUTN, &reply);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(WEXITSTATUS(status), 42);
	got = authenticate(usim, USIM_3G, EX_RAND, EX_AUTN, &reply);
	ck_assert_msg(got == crash_rows[_i].again, "%s: got %s", crash_rows[_i].name, gba_err_name(got));
}
END_TEST

static const struct {
	int fault;
	enum gba_err want;
} fault_rows[] = { { FSYNC_FAILS, GBA_E_IO }, { RENAME_FAILS, GBA_E_NOSPACE } };

START_TEST(no_res_unless_sqn_is_durable)
{
	struct usim usim = ue_fixture_usim(ue_fixture_state(), false);
	struct usim_reply reply;
	enum gba_err got;

	disk = fault_rows[_i].fault;
	got = authenticate(usim, USIM_3G, EX_RAND, EX_AUTN, &reply);
	disk = DISK_GOOD;
	ck_assert_err(got, fault_rows[_i].want);
	ck_assert_uint_eq(reply.res_len, 0);
	ck_assert_err(authenticate(usim, USIM_3G, EX_RAND, EX_AUTN, &reply), GBA_OK); /* the disk is well again */
}
END_TEST

/* REQ: Y3059-7-ii-b, TEC-A4-rot-2: an altered file is no card any more */
START_TEST(altered_file_is_refused)
{
	const char *dir = ue_fixture_dir();
	char *path = talloc_asprintf(test_ctx, "%s/usim-default", dir);
	struct usim_reply reply;
	struct state *state;
	struct usim usim;
	FILE *file;
	int c;

	ck_assert_err(state_open(test_ctx, dir, true, &state, NULL), GBA_OK);
	usim = ue_fixture_usim(state, false);
	file = fopen(path, "r+");
	ck_assert_ptr_nonnull(file);
	fseek(file, 40, SEEK_SET);
	c = fgetc(file);
	fseek(file, 40, SEEK_SET);
	fputc(c ^ 1, file);
	fclose(file);
	ck_assert_err(authenticate(usim, USIM_3G, EX_RAND, EX_AUTN, &reply), GBA_E_CORRUPT);
}
END_TEST

START_TEST(sealed_file_of_another_name_is_refused)
{
	const char *dir = ue_fixture_dir();
	char *from = talloc_asprintf(test_ctx, "%s/usim-default", dir),
	     *to = talloc_asprintf(test_ctx, "%s/usim-b", dir);
	struct soft_usim_data *data;
	struct state *state;

	ck_assert_err(state_open(test_ctx, dir, true, &state, NULL), GBA_OK);
	ue_fixture_usim(state, false);
	ck_assert_int_eq(rename(from, to), 0);
	ck_assert_err(soft_usim_load(test_ctx, state, "b", &data), GBA_E_CORRUPT);
	ck_assert_err(soft_usim_load(test_ctx, state, "default", &data), GBA_E_NOT_FOUND);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ue usim");
	TCase *tc = fixture_tcase("usim");

	tcase_add_test(tc, worked_example);
	tcase_add_loop_test(tc, autn_is_judged, 0, sizeof(auth_rows) / sizeof(auth_rows[0]));
	tcase_add_test(tc, a_challenge_is_taken_once);
	tcase_add_test(tc, tuak_card);
	tcase_add_test(tc, gba_u_card);
	tcase_add_test(tc, gba_context_needs_a_gba_card);
	tcase_add_loop_test(tc, crash_leaves_a_whole_card, 0, sizeof(crash_rows) / sizeof(crash_rows[0]));
	tcase_add_loop_test(tc, no_res_unless_sqn_is_durable, 0, sizeof(fault_rows) / sizeof(fault_rows[0]));
	tcase_add_test(tc, altered_file_is_refused);
	tcase_add_test(tc, sealed_file_of_another_name_is_refused);
	suite_add_tcase(suite, tc);
	return fixture_run(suite);
}
