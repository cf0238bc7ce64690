/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check_crypto.h"
#include "core/secret.h"
#include "crypto/seal.h"

#define KEY_A "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308"
#define KEY_B "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308309"

static char folder[64], path[96];

static void setup(void)
{
	snprintf(folder, sizeof(folder), "/tmp/check_crypto.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/kek", folder);
}

static void teardown(void)
{
	unlink(path);
	ck_assert_msg(rmdir(folder) == 0, "files left beside the key file");
}

static void write_file(const char *text, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	ck_assert_int_eq(fchmod(fd, mode), 0);
	close(fd);
}

static struct kek *kek_open_ok(void)
{
	struct kek *kek = NULL;

	ck_assert_err(kek_open(test_ctx, path, false, &kek), GBA_OK);
	return kek;
}

static struct kek *kek_of(const char *text)
{
	write_file(text, 0600);
	return kek_open_ok();
}

/* Under another name, which goes again: nobody's rotation. */
static struct kek *kek_elsewhere(const char *text)
{
	char here[sizeof(path)];
	struct kek *kek;

	memcpy(here, path, sizeof(path));
	strcat(path, "2");
	kek = kek_of(text);
	unlink(path);
	memcpy(path, here, sizeof(path));
	return kek;
}

/* AES-256-GCM test case 16 of the GCM submission to NIST: octets sealed by another implementation open. */
START_TEST(opens_what_the_specification_sealed)
{
	struct bytes sealed = fixture_hex("cafebabefacedbaddecaf888"
					  "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
					  "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
					  "76fc6ece0f4e1768cddf8853bb2d551b");
	struct bytes want = fixture_hex("d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
					"1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39");
	struct kek *kek = kek_of(KEY_A);
	uint8_t plain[60];

	ck_assert_err(unseal(kek, fixture_hex("feedfacedeadbeeffeedfacedeadbeefabaddad2"), sealed, plain), GBA_OK);
	ck_assert_bytes(BYTES(plain, sizeof(plain)), want, "plain text");
	talloc_free(kek);
}
END_TEST

static const struct {
	const char *name, *about, *plain;
} round_rows[] = {
	{ "a key", "subscriber 1", "0123456789abcdef" },
	{ "nothing", "subscriber 1", "" },
	{ "no name", "", "0123456789abcdef" },
	{ "neither", "", "" },
	{ "no multiple of a block", "x", "0123456789abcdefg" },
};

START_TEST(opens_what_it_sealed_and_nothing_else)
{
	struct bytes about = bytes_of(round_rows[_i].about), plain = bytes_of(round_rows[_i].plain);
	struct kek *other = kek_elsewhere(KEY_B), *kek = kek_of(KEY_A);
	uint8_t sealed[64], out[64];
	struct bytes all = BYTES(sealed, plain.n + SEAL_OVERHEAD);

	ck_assert_err(seal(kek, about, plain, sealed), GBA_OK);
	ck_assert_err(unseal(kek, about, all, out), GBA_OK);
	ck_assert_bytes(BYTES(out, plain.n), plain, round_rows[_i].name);
	for (size_t bit = 0; bit < 8 * all.n; bit++) {
		sealed[bit / 8] ^= (uint8_t)(1 << bit % 8);
		memset(out, 0x5a, sizeof(out));
		ck_assert_err(unseal(kek, about, all, out), GBA_E_CORRUPT);
		for (size_t i = 0; i < plain.n; i++)
			ck_assert_uint_eq(out[i], 0);
		sealed[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	ck_assert_err(unseal(kek, bytes_of("subscriber 2"), all, out), GBA_E_CORRUPT);
	ck_assert_err(unseal(other, about, all, out), GBA_E_CORRUPT);
	for (size_t n = 0; n < all.n; n++)
		ck_assert_err(unseal(kek, about, BYTES(sealed, n), out), GBA_E_CORRUPT);
	ck_assert_err(unseal(kek, about, all, out), GBA_OK);
	talloc_free(kek);
	talloc_free(other);
}
END_TEST

#define SEALS	2000
#define THREADS 8

struct sealer {
	struct kek *kek;
	uint8_t nonces[SEALS][12];
	unsigned int wrong;
};

static void *seal_often(void *arg)
{
	struct sealer *s = arg;
	uint8_t sealed[16 + SEAL_OVERHEAD], out[16];
	struct bytes plain = BYTES("0123456789abcdef", 16), about = bytes_of("here");

	for (int i = 0; i < SEALS; i++) {
		if (seal(s->kek, about, plain, sealed) != GBA_OK ||
		    unseal(s->kek, about, BYTES(sealed, sizeof(sealed)), out) != GBA_OK ||
		    memcmp(out, plain.p, 16) != 0)
			s->wrong++;
		memcpy(s->nonces[i], sealed, 12);
	}
	return NULL;
}

static int by_octets(const void *a, const void *b)
{
	return memcmp(a, b, 12);
}

/* SP 800-38D 8: no nonce twice, whoever seals. */
START_TEST(threads_share_a_key_but_no_nonce)
{
	struct kek *kek = kek_of(KEY_A);
	struct sealer *s = talloc_array(test_ctx, struct sealer, THREADS);
	uint8_t *nonces = talloc_array(test_ctx, uint8_t, sizeof(s[0].nonces) * THREADS);
	pthread_t threads[THREADS];

	for (int i = 0; i < THREADS; i++) {
		s[i] = (struct sealer){ .kek = kek };
		ck_assert_int_eq(pthread_create(&threads[i], NULL, seal_often, &s[i]), 0);
	}
	for (int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		ck_assert_uint_eq(s[i].wrong, 0);
		memcpy(nonces + i * sizeof(s[i].nonces), s[i].nonces, sizeof(s[i].nonces));
	}
	qsort(nonces, SEALS * THREADS, 12, by_octets);
	for (size_t i = 1; i < SEALS * THREADS; i++)
		ck_assert_int_ne(memcmp(nonces + 12 * (i - 1), nonces + 12 * i, 12), 0);
	talloc_free(kek);
}
END_TEST

/* A forked child holds a copy of its parent's counters. */
START_TEST(child_does_not_repeat_its_parents_nonces)
{
	struct kek *kek = kek_of(KEY_A);
	uint8_t mine[SEAL_OVERHEAD], childs[SEAL_OVERHEAD];
	int ends[2], status = -1;
	pid_t pid;

	ck_assert_err(seal(kek, bytes_of("x"), BYTES("", 0), mine), GBA_OK);
	ck_assert_int_eq(pipe(ends), 0);
	pid = fork();
	if (pid == 0) {
		bool sent = seal(kek, bytes_of("x"), BYTES("", 0), mine) == GBA_OK &&
			    write(ends[1], mine, sizeof(mine)) == sizeof(mine);

		_exit(sent ? 0 : 1);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	ck_assert_int_eq(read(ends[0], childs, sizeof(childs)), sizeof(childs));
	ck_assert_err(seal(kek, bytes_of("x"), BYTES("", 0), mine), GBA_OK);
	ck_assert_int_ne(memcmp(mine, childs, 12), 0);
	close(ends[0]);
	close(ends[1]);
	talloc_free(kek);
}
END_TEST

static const struct {
	const char *name, *text;
	mode_t mode;
	enum gba_err want;
} file_rows[] = {
	{ "as made", KEY_A "\n", 0600, GBA_OK },
	{ "read-only", KEY_A, 0400, GBA_OK },
	{ "capitals", "FEFFE9928665731C6D6A8F9467308308FEFFE9928665731C6D6A8F9467308308", 0600, GBA_OK },
	{ "group may read", KEY_A, 0640, GBA_E_DENIED },
	{ "others may read", KEY_A, 0604, GBA_E_DENIED },
	{ "group may write", KEY_A, 0620, GBA_E_DENIED },
	{ "empty", "", 0600, GBA_E_SYNTAX },
	{ "a digit short", "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f946730830", 0600, GBA_E_SYNTAX },
	{ "a digit long", KEY_A "0", 0600, GBA_E_SYNTAX },
	{ "two lines", KEY_A "\n\n", 0600, GBA_E_SYNTAX },
	{ "no hex", "geffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308", 0600, GBA_E_SYNTAX },
};

START_TEST(key_files_that_are_refused)
{
	struct kek *kek = NULL;
	enum gba_err got;

	write_file(file_rows[_i].text, file_rows[_i].mode);
	got = kek_open(test_ctx, path, true, &kek);
	ck_assert_msg(got == file_rows[_i].want, "%s: got %s", file_rows[_i].name, gba_err_name(got));
	ck_assert_int_eq(kek != NULL, got == GBA_OK);
	talloc_free(kek);
}
END_TEST

START_TEST(key_file_of_somebody_else)
{
	struct kek *kek = NULL;

	if (geteuid() != 0)
		return; /* only root can make one */
	write_file(KEY_A, 0600);
	ck_assert_int_eq(chown(path, 65534, 65534), 0);
	ck_assert_err(kek_open(test_ctx, path, true, &kek), GBA_E_DENIED);
}
END_TEST

START_TEST(key_file_is_a_folder)
{
	struct kek *kek = NULL;

	ck_assert_err(kek_open(test_ctx, folder, true, &kek), GBA_E_DENIED);
}
END_TEST

START_TEST(key_file_is_made_once)
{
	struct kek *first = NULL, *second = NULL;
	uint8_t sealed[4 + SEAL_OVERHEAD], out[4];
	struct stat st;

	ck_assert_err(kek_open(test_ctx, path, false, &first), GBA_E_NOT_FOUND);
	ck_assert_int_ne(access(path, F_OK), 0);
	umask(0);
	ck_assert_err(kek_open(test_ctx, path, true, &first), GBA_OK);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0600);
	ck_assert_int_eq(st.st_size, 65);
	ck_assert_err(kek_open(test_ctx, path, true, &second), GBA_OK);
	ck_assert_err(seal(first, bytes_of("x"), bytes_of("text"), sealed), GBA_OK);
	ck_assert_err(unseal(second, bytes_of("x"), BYTES(sealed, sizeof(sealed)), out), GBA_OK);
	talloc_free(first);
	talloc_free(second);
}
END_TEST

static void *open_together(void *_kek)
{
	kek_open(NULL, path, true, _kek);
	return NULL;
}

START_TEST(makers_of_one_key_file_agree)
{
	struct kek *keks[THREADS] = { NULL };
	uint8_t sealed[4 + SEAL_OVERHEAD], out[4];
	pthread_t threads[THREADS];

	for (int i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, open_together, &keks[i]), 0);
	for (int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		ck_assert_ptr_nonnull(keks[i]);
	}
	ck_assert_err(seal(keks[0], bytes_of("x"), bytes_of("text"), sealed), GBA_OK);
	for (int i = 0; i < THREADS; i++) {
		ck_assert_err(unseal(keks[i], bytes_of("x"), BYTES(sealed, sizeof(sealed)), out), GBA_OK);
		talloc_free(keks[i]);
	}
}
END_TEST

START_TEST(folder_is_missing)
{
	struct kek *kek = NULL;

	ck_assert_err(kek_open(test_ctx, "/nonexistent/folder/kek", true, &kek), GBA_E_NOT_FOUND);
}
END_TEST

/* Handles that are open meanwhile follow; what is sealed by either opens with both until the old key is retired. */
START_TEST(rotation_is_followed)
{
	uint8_t by_old[4 + SEAL_OVERHEAD], by_new[4 + SEAL_OVERHEAD], out[4];
	struct bytes old_text = BYTES(by_old, sizeof(by_old)), new_text = BYTES(by_new, sizeof(by_new)), about = bytes_of("x");
	struct kek *running = kek_of(KEY_A), *fresh;
	const char *why = "";
	size_t dropped = 0;
	bool old = false;

	ck_assert_err(seal(running, about, bytes_of("text"), by_old), GBA_OK);
	ck_assert_err(kek_rotate(test_ctx, path, NULL, &why), GBA_OK);
	fresh = kek_open_ok();
	ck_assert_uint_eq(kek_count(fresh), 2);
	ck_assert_uint_eq(kek_count(running), 1);
	ck_assert_err(seal(fresh, about, bytes_of("text"), by_new), GBA_OK);
	ck_assert_err(unseal_old(fresh, about, old_text, out, &old), GBA_OK);
	ck_assert(old);
	ck_assert_err(unseal_old(running, about, new_text, out, &old), GBA_OK);
	ck_assert(!old); /* it has read the file anew */
	ck_assert_uint_eq(kek_count(running), 2);
	ck_assert_err(unseal(running, bytes_of("y"), old_text, out), GBA_E_CORRUPT);
	ck_assert_err(kek_retire(path, &dropped), GBA_OK);
	ck_assert_uint_eq(dropped, 1);
	ck_assert_err(unseal(running, about, BYTES(by_new, 3), out), GBA_E_CORRUPT);
	talloc_free(fresh);
	fresh = kek_open_ok();
	ck_assert_err(unseal(fresh, about, old_text, out), GBA_E_CORRUPT);
	ck_assert_err(unseal(fresh, about, new_text, out), GBA_OK);
	talloc_free(fresh);
	talloc_free(running);
}
END_TEST

START_TEST(rotations_are_bounded)
{
	const char *why = "";
	size_t dropped = 0;
	int i;

	for (i = 0; i < 8; i++)
		ck_assert_err(kek_rotate(test_ctx, path, NULL, &why), GBA_OK);
	ck_assert_err(kek_rotate(test_ctx, path, NULL, &why), GBA_E_BUSY);
	ck_assert_err(kek_retire(path, &dropped), GBA_OK);
	ck_assert_uint_eq(dropped, 7);
	ck_assert_err(kek_rotate(test_ctx, path, "http://no.token/", &why), GBA_E_SYNTAX);
	ck_assert_err(kek_rotate(test_ctx, path, "pkcs11:token=x;object=y?pin-value=1234", &why), GBA_E_SYNTAX);
	talloc_free(kek_open_ok());
}
END_TEST

TCase *tcase_seal(void)
{
	TCase *tc = fixture_tcase("seal");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, opens_what_the_specification_sealed);
	tcase_add_loop_test(tc, opens_what_it_sealed_and_nothing_else, 0, ROWS(round_rows));
	tcase_add_test(tc, threads_share_a_key_but_no_nonce);
	tcase_add_test(tc, child_does_not_repeat_its_parents_nonces);
	tcase_add_loop_test(tc, key_files_that_are_refused, 0, ROWS(file_rows));
	tcase_add_test(tc, key_file_of_somebody_else);
	tcase_add_test(tc, key_file_is_a_folder);
	tcase_add_test(tc, key_file_is_made_once);
	tcase_add_test(tc, makers_of_one_key_file_agree);
	tcase_add_test(tc, folder_is_missing);
	tcase_add_test(tc, rotation_is_followed);
	tcase_add_test(tc, rotations_are_bounded);
	return tc;
}
