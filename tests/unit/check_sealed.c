/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/fixture.h"
#include "core/secret.h"
#include "sealed/intro.h"
#include "sealed/link.h"
#include "vectors/sealed.h"

#define ROWS(a) (int)(sizeof(a) / sizeof(a[0]))

static struct sealed_keys keys_of(uint8_t index)
{
	struct sealed_keys keys;

	ck_assert_err(sealed_keys_derive(fixture_hex(SEALED_KS_NAF).p, bytes_of(SEALED_BTID), index, &keys), GBA_OK);
	return keys;
}

START_TEST(ccm_of_rfc_3610)
{
	static const char want[] = "588c979a61c663d2f066d0c2c0f989806d5f6b61dac38417e8d12cfdf926e0"; /* 8, packet vector #1 */
	struct bytes key = fixture_hex("c0c1c2c3c4c5c6c7c8c9cacbcccdcecf"), nonce = fixture_hex("00000003020100a0a1a2a3a4a5");
	struct bytes about = fixture_hex("0001020304050607");
	struct bytes plain = fixture_hex("08090a0b0c0d0e0f101112131415161718191a1b1c1d1e");
	uint8_t out[64], back[64];

	ck_assert_err(ccm_encrypt(key.p, nonce.p, about, plain, out), GBA_OK);
	ck_assert_bytes(BYTES(out, plain.n + CCM_TAG_LEN), fixture_hex(want), "sealed");
	ck_assert_err(ccm_decrypt(key.p, nonce.p, about, fixture_hex(want), back), GBA_OK);
	ck_assert_bytes(BYTES(back, plain.n), plain, "opened");
	out[0] ^= 1;
	ck_assert_err(ccm_decrypt(key.p, nonce.p, about, BYTES(out, plain.n + CCM_TAG_LEN), back), GBA_E_CORRUPT);
	ck_assert_err(ccm_decrypt(key.p, nonce.p, about, BYTES(out, CCM_TAG_LEN - 1), back), GBA_E_CORRUPT);
	talloc_free_children(test_ctx);
}
END_TEST

/* RFC 9052 C.4.1 and C.4.2 (16 octets of key from the working group's examples). */
START_TEST(ccm_of_rfc_9052)
{
	static const char *const rows[][2] = {
		{ "89f52f65a1c580933b5261a78c", "5974e1b99a3a4cc09a659aa2e9e7fff161d38ce71cb45ce460ffb569" },
		{ "89f52f65a1c5809300000061a7", "252a8911d465c125b6764739700f0141ed09192de139e053bd09abca" },
	};
	struct bytes key = fixture_hex("849b5786457c1491be3a76dcea6c4271"), about = fixture_hex("8368456e63727970743043a1010a40");
	uint8_t back[32];

	ck_assert_err(ccm_decrypt(key.p, fixture_hex(rows[_i][0]).p, about, fixture_hex(rows[_i][1]), back), GBA_OK);
	ck_assert_bytes(BYTES(back, 20), bytes_of("This is the content."), "content");
	talloc_free_children(test_ctx);
}
END_TEST

/* RFC 5869 A.1, A.3. */
START_TEST(hkdf_of_rfc_5869)
{
	struct bytes secret = fixture_hex("0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b");
	uint8_t out[42];

	hkdf_sha256(fixture_hex("000102030405060708090a0b0c"), secret, fixture_hex("f0f1f2f3f4f5f6f7f8f9"), out, sizeof(out));
	ck_assert_bytes(BYTES(out, 42),
			fixture_hex("3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"), "A.1");
	hkdf_sha256(BYTES_NONE, secret, BYTES_NONE, out, sizeof(out));
	ck_assert_bytes(BYTES(out, 42),
			fixture_hex("8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"), "A.3");
	talloc_free_children(test_ctx);
}
END_TEST

/* REQ: OBF-I.2-d1 */
START_TEST(frames_as_the_oracle_makes_them)
{
	struct sealed_keys keys = keys_of(sealed_rows[_i].index);
	struct bytes plain = fixture_hex(sealed_rows[_i].plain), want = fixture_hex(sealed_rows[_i].frame);
	enum sealed_side sender = (enum sealed_side)sealed_rows[_i].sender;
	uint8_t out[SEALED_FRAME_MAX], back[SEALED_PLAIN_MAX];
	struct sealed_frame frame;
	size_t n;

	ck_assert_err(sealed_seal(&keys, sender, sealed_rows[_i].counter, plain, out, &n), GBA_OK);
	ck_assert_bytes(BYTES(out, n), want, "frame");
	ck_assert_uint_le(n, plain.n + SEALED_OVERHEAD);
	ck_assert_err(sealed_parse(want, &frame), GBA_OK);
	ck_assert_uint_eq(frame.counter, sealed_rows[_i].counter);
	ck_assert_err(sealed_open(&keys, sender, &frame, back, &n), GBA_OK);
	ck_assert_bytes(BYTES(back, n), plain, "content");
	/* not the other side's, and not under another key of the device */
	ck_assert_err(sealed_open(&keys, sender == SEALED_DEVICE ? SEALED_SERVER : SEALED_DEVICE, &frame, back, &n), GBA_E_DENIED);
	keys = keys_of((uint8_t)(sealed_rows[_i].index + 1));
	ck_assert_err(sealed_open(&keys, sender, &frame, back, &n), GBA_E_NOT_FOUND);
	talloc_free_children(test_ctx);
}
END_TEST

/* What a short message has room for (3GPP TS 23.040: 140 octets), at every counter. */
START_TEST(ninety_octets_fit_a_short_message)
{
	struct sealed_keys keys = keys_of(0);
	uint8_t plain[90] = { 0 }, out[SEALED_FRAME_MAX];
	size_t n;

	ck_assert_err(sealed_seal(&keys, SEALED_DEVICE, SEALED_COUNTER_MAX, BYTES(plain, 90), out, &n), GBA_OK);
	ck_assert_uint_eq(n, 128);
	ck_assert_err(sealed_seal(&keys, SEALED_DEVICE, 0, BYTES(plain, 90), out, &n), GBA_OK);
	ck_assert_uint_eq(n, 124);
	talloc_free_children(test_ctx);
}
END_TEST

START_TEST(limits)
{
	static uint8_t plain[SEALED_PLAIN_MAX + 1];
	struct sealed_keys keys = keys_of(0);
	uint8_t out[SEALED_FRAME_MAX];
	struct bytes long_name = BYTES(talloc_zero_size(test_ctx, SEALED_BTID_MAX + 1), SEALED_BTID_MAX + 1);
	size_t n;

	ck_assert_err(sealed_seal(&keys, SEALED_DEVICE, 0, BYTES(plain, sizeof(plain)), out, &n), GBA_E_TOO_LONG);
	ck_assert_err(sealed_seal(&keys, SEALED_DEVICE, SEALED_COUNTER_MAX + 1, BYTES(plain, 1), out, &n), GBA_E_RANGE);
	ck_assert_err(sealed_keys_derive(plain, BYTES_NONE, 0, &keys), GBA_E_RANGE);
	ck_assert_err(sealed_keys_derive(plain, long_name, 0, &keys), GBA_E_RANGE);
	long_name.n--;
	ck_assert_err(sealed_keys_derive(plain, long_name, 0, &keys), GBA_OK);
	talloc_free_children(test_ctx);
}
END_TEST

static void with_checksum(uint8_t *octets, size_t n)
{
	uint32_t sum = crc32_of(BYTES(octets + 4, n - 4));

	for (int i = 0; i < 4; i++)
		octets[i] = (uint8_t)(sum >> (24 - 8 * i));
}

static enum gba_err open_octets(const struct sealed_keys *keys, struct bytes octets)
{
	uint8_t back[SEALED_PLAIN_MAX];
	struct sealed_frame frame;
	enum gba_err err = sealed_parse(octets, &frame);
	size_t n;

	return err == GBA_OK ? sealed_open(keys, SEALED_DEVICE, &frame, back, &n) : err;
}

/* REQ: OBF-I.2-d2, OBF-I.2-s2, TEC-2.2.2-d
 * Every bit: the checksum finds it; with the checksum made good, form, key or MAC does. Every shorter and a longer frame, too. */
START_TEST(no_bit_can_be_changed)
{
	struct sealed_keys keys = keys_of(0);
	uint8_t good[SEALED_FRAME_MAX], bad[SEALED_FRAME_MAX] = { 0 };
	size_t n, bit;
	enum gba_err err;

	ck_assert_err(sealed_seal(&keys, SEALED_DEVICE, 1000, bytes_of("28.6139 N 77.2090 E 43 km/h"), good, &n), GBA_OK);
	ck_assert_err(open_octets(&keys, BYTES(good, n)), GBA_OK);
	for (bit = 0; bit < 8 * n; bit++) {
		memcpy(bad, good, n);
		bad[bit / 8] ^= (uint8_t)(1U << bit % 8);
		ck_assert_err(open_octets(&keys, BYTES(bad, n)), GBA_E_CORRUPT);
		if (bit < 32)
			continue;
		with_checksum(bad, n);
		err = open_octets(&keys, BYTES(bad, n));
		ck_assert_msg(err == GBA_E_SYNTAX || err == GBA_E_NOT_FOUND || err == GBA_E_DENIED, "bit %zu: %s", bit, gba_err_name(err));
	}
	for (bit = 0; bit <= n + 1; bit++) { /* octets here */
		if (bit == n)
			continue;
		memcpy(bad, good, n);
		if (bit > 4)
			with_checksum(bad, bit);
		ck_assert_err(open_octets(&keys, BYTES(bad, bit)), GBA_E_SYNTAX);
	}
	talloc_free_children(test_ctx);
}
END_TEST

/* Neither direction: the keys differ, the cipher does not. REQ: OBF-I.2-d4, OBF-I.2-s4 */
START_TEST(nothing_readable_on_the_way)
{
	static const char text[] = "28.6139 N 77.2090 E";
	struct sealed_keys keys = keys_of(0);
	uint8_t one[SEALED_FRAME_MAX], two[SEALED_FRAME_MAX];
	size_t n, m;

	ck_assert_err(sealed_seal(&keys, SEALED_DEVICE, 1, bytes_of(text), one, &n), GBA_OK);
	ck_assert_err(sealed_seal(&keys, SEALED_DEVICE, 2, bytes_of(text), two, &m), GBA_OK);
	ck_assert_ptr_null(memmem(one, n, text, 4));
	ck_assert_int_ne(memcmp(one + n - 27, two + m - 27, 27), 0); /* nor that it is the same again */
	talloc_free_children(test_ctx);
}
END_TEST

START_TEST(window_against_a_list)
{
	struct sealed_window window = { 0, 0 };
	static bool had[4096];
	uint64_t highest = 0, counter;
	unsigned int random = 1, i;
	bool any = false, want;

	memset(had, 0, sizeof(had));
	for (i = 0; i < 20000; i++) {
		random = random * 1103515245 + 12345;
		counter = highest + (random >> 16) % 140 >= 100 ? highest + (random >> 16) % 140 - 100 : 0;
		if (counter >= 4096)
			break;
		want = !had[counter] && (!any || counter + 64 > highest);
		ck_assert_err(sealed_window_check(&window, counter), want ? GBA_OK : GBA_E_REPLAY);
		if (!want)
			continue;
		sealed_window_take(&window, counter);
		had[counter] = any = true;
		highest = counter > highest ? counter : highest;
	}
	ck_assert_uint_gt(highest, 3900);
}
END_TEST

static char folder[64];

static const char *file_of(const char *name)
{
	return talloc_asprintf(test_ctx, "%s/%s", folder, name);
}

static struct sealed_link *link_of(enum sealed_side self, bool create)
{
	struct sealed_keys keys = keys_of(0);
	struct sealed_link *link = NULL;

	ck_assert_err(sealed_link_open(test_ctx, file_of(self == SEALED_DEVICE ? "device" : "server"), &keys, self, create, &link), GBA_OK);
	return link;
}

static void folder_make(void)
{
	snprintf(folder, sizeof(folder), "/tmp/check-sealed-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
}

static void folder_done(void)
{
	talloc_free_children(test_ctx);
	fixture_folder_remove(folder);
}

struct mail {
	uint8_t octets[SEALED_FRAME_MAX];
	size_t n;
};

static struct mail mail_from(struct sealed_link *link, const char *text)
{
	struct mail mail;

	ck_assert_err(sealed_link_send(link, bytes_of(text), mail.octets, &mail.n), GBA_OK);
	return mail;
}

static enum gba_err take(struct sealed_link *link, const struct mail *mail)
{
	uint8_t out[SEALED_PLAIN_MAX];
	size_t n;

	return sealed_link_receive(link, BYTES(mail->octets, mail->n), out, &n);
}

/* A link that loses every seventh, swaps neighbours and brings everything twice. REQ: OBF-I.2-d3 */
START_TEST(a_bad_link)
{
	struct sealed_link *device, *server;
	struct mail mails[70];
	unsigned int i, taken = 0;

	folder_make();
	device = link_of(SEALED_DEVICE, true);
	server = link_of(SEALED_SERVER, true);
	for (i = 0; i < 70; i++)
		mails[i ^ 1] = mail_from(device, "position");
	for (i = 0; i < 70; i++) {
		if (i % 7 == 3)
			continue;
		ck_assert_err(take(server, &mails[i]), GBA_OK);
		taken++;
		ck_assert_err(take(server, &mails[i]), GBA_E_REPLAY);
		ck_assert_err(take(device, &mails[i]), GBA_E_DENIED); /* sent back to where it came from */
	}
	ck_assert_uint_eq(taken, 60);
	ck_assert_err(take(server, &mails[3]), GBA_E_REPLAY); /* 68 behind: nobody knows any more */
	ck_assert_err(take(server, &mails[66]), GBA_OK);      /* late, and new */
	folder_done();
}
END_TEST

/* Ends that stop without a word: no counter is used twice, no command is taken twice. REQ: OBF-I.2-s3 */
START_TEST(restarts)
{
	struct sealed_link *device, *server;
	struct mail command, mail;
	struct sealed_frame frame;
	uint64_t next = 0;
	unsigned int i, run;

	folder_make();
	server = link_of(SEALED_SERVER, true);
	device = link_of(SEALED_DEVICE, true);
	command = mail_from(server, "close panic");
	ck_assert_err(take(device, &command), GBA_OK);
	for (run = 0; run < 4; run++) {
		for (i = 0; i < 1 + 40 * run; i++) {
			mail = mail_from(device, "position");
			ck_assert_err(sealed_parse(BYTES(mail.octets, mail.n), &frame), GBA_OK);
			ck_assert_uint_ge(frame.counter, next);
			next = frame.counter + 1;
			ck_assert_err(take(server, &mail), GBA_OK);
		}
		talloc_free(device);
		talloc_free(server);
		device = link_of(SEALED_DEVICE, run == 2); /* asked to make the file, it uses the one that is there */
		server = link_of(SEALED_SERVER, false);
		ck_assert_err(take(device, &command), GBA_E_REPLAY);
		ck_assert_err(take(server, &mail), GBA_E_REPLAY);
	}
	folder_done();
}
END_TEST

START_TEST(files_that_are_not_ours)
{
	struct sealed_keys keys = keys_of(0), others = keys_of(1);
	struct sealed_link *link, *second = NULL;
	char text[128];
	ssize_t n;
	int fd;

	folder_make();
	ck_assert_err(sealed_link_open(test_ctx, file_of("device"), &keys, SEALED_DEVICE, false, &second), GBA_E_NOT_FOUND);
	link = link_of(SEALED_DEVICE, true);
	ck_assert_err(sealed_link_open(test_ctx, file_of("device"), &keys, SEALED_DEVICE, true, &second), GBA_E_BUSY);
	talloc_free(link);
	ck_assert_err(sealed_link_open(test_ctx, file_of("device"), &others, SEALED_DEVICE, true, &second), GBA_E_CORRUPT);
	ck_assert_err(sealed_link_open(test_ctx, file_of("device"), &keys, SEALED_SERVER, true, &second), GBA_E_CORRUPT);
	fd = open(file_of("device"), O_RDWR);
	n = read(fd, text, sizeof(text));
	ck_assert_int_gt(n, 60);
	ck_assert_int_eq(ftruncate(fd, n - 1), 0);
	ck_assert_err(sealed_link_open(test_ctx, file_of("device"), &keys, SEALED_DEVICE, true, &second), GBA_E_CORRUPT);
	ck_assert_int_eq(pwrite(fd, text, (size_t)n, 0), n);
	ck_assert_int_eq(pwrite(fd, "x", 1, n), 1);
	ck_assert_err(sealed_link_open(test_ctx, file_of("device"), &keys, SEALED_DEVICE, true, &second), GBA_E_CORRUPT);
	ck_assert_int_eq(ftruncate(fd, n), 0);
	talloc_free(link_of(SEALED_DEVICE, false));
	ck_assert_int_eq(fchmod(fd, 0644), 0);
	close(fd);
	ck_assert_err(sealed_link_open(test_ctx, file_of("device"), &keys, SEALED_DEVICE, true, &second), GBA_E_DENIED);
	ck_assert_ptr_null(second);
	folder_done();
}
END_TEST

/* A file that cannot be written: nothing is sent beyond the lease, and nothing is taken that could be taken again. */
START_TEST(no_room_to_remember)
{
	struct sealed_link *device, *server;
	struct mail first, mail;
	unsigned int i;

	folder_make();
	device = link_of(SEALED_DEVICE, true);
	server = link_of(SEALED_SERVER, true);
	first = mail_from(server, "configure");
	for (i = 0; i < SEALED_LEASE; i++)
		mail_from(device, "position");
	fixture_folder_remove(folder);
	ck_assert_err(take(device, &first), GBA_E_NOT_FOUND);
	ck_assert_err(sealed_link_send(device, bytes_of("position"), mail.octets, &mail.n), GBA_E_NOT_FOUND);
	ck_assert_int_eq(mkdir(folder, 0700), 0);
	ck_assert_err(take(device, &first), GBA_OK);
	mail = mail_from(device, "position");
	ck_assert_err(take(server, &mail), GBA_OK);
	folder_done();
}
END_TEST

/* The device's end, which has no keys: what comes is handed to the element that has (the link), what that gives out is carried out. */
struct tracker {
	struct sealed_link *element;
	unsigned int looked_at, handed_in, carried_out;
	struct mail answer;
};

static enum gba_err tracker_take(struct tracker *tracker, const struct mail *mail)
{
	struct bytes octets = BYTES(mail->octets, mail->n);
	uint8_t command[SEALED_PLAIN_MAX];
	struct sealed_frame frame;
	enum gba_err err;
	size_t n = 0;

	tracker->looked_at++;
	err = sealed_parse(octets, &frame); /* the checksum, without any key */
	if (err != GBA_OK)
		return err;
	tracker->handed_in++;
	err = sealed_link_receive(tracker->element, octets, command, &n);
	if (err != GBA_OK)
		return err;
	ck_assert_bytes(BYTES(command, n), bytes_of("close panic"), "command");
	tracker->carried_out++;
	tracker->answer = mail_from(tracker->element, "panic closed");
	return GBA_OK;
}

/* Y.OBF I.2.3, all of it: sealed with trust data by the server, checksum at the device, opened and found fresh by the element, carried
 * out, and the answer comes back protected. What fails at one step reaches none behind it.
 * REQ: TEC-2.2.2-a, TEC-2.2.2-c, TEC-2.2.2-d, OBF-I.2.3-1, OBF-I.2.2.1-a, OBF-I.2.2.1-b1, OBF-I.2.2.1-b2, OBF-I.2.2.3-b, OBF-I.2.2.3-c, OBF-I.2-s1 */
START_TEST(a_command_and_its_answer)
{
	struct sealed_keys foreign = keys_of(1);
	uint8_t back[SEALED_PLAIN_MAX];
	struct sealed_link *server;
	struct tracker tracker = { .element = NULL };
	struct mail command, bad;
	size_t n;

	folder_make();
	server = link_of(SEALED_SERVER, true);
	tracker.element = link_of(SEALED_DEVICE, true);
	command = mail_from(server, "close panic");
	bad = command;
	bad.octets[command.n - 1] ^= 1;
	ck_assert_err(tracker_take(&tracker, &bad), GBA_E_CORRUPT);
	ck_assert_uint_eq(tracker.handed_in, 0);
	with_checksum(bad.octets, bad.n); /* the sum made good: it has no key */
	ck_assert_err(tracker_take(&tracker, &bad), GBA_E_DENIED);
	ck_assert_err(sealed_seal(&foreign, SEALED_SERVER, 9, bytes_of("close panic"), bad.octets, &bad.n), GBA_OK);
	ck_assert_err(tracker_take(&tracker, &bad), GBA_E_NOT_FOUND); /* of a server that has other keys */
	for (n = 11; n <= 77; n += 11) { /* neither a command nor data in the clear */
		memcpy(bad.octets + n - 11, "close panic", 11);
		bad.n = n;
		ck_assert_int_ne(tracker_take(&tracker, &bad), GBA_OK);
		ck_assert_int_ne(take(server, &bad), GBA_OK);
	}
	ck_assert_uint_eq(tracker.handed_in, 2);
	ck_assert_uint_eq(tracker.carried_out, 0);
	ck_assert_err(tracker_take(&tracker, &command), GBA_OK);
	ck_assert_uint_eq(tracker.carried_out, 1);
	ck_assert_err(tracker_take(&tracker, &command), GBA_E_REPLAY);
	ck_assert_uint_eq(tracker.carried_out, 1);
	ck_assert_ptr_null(memmem(tracker.answer.octets, tracker.answer.n, "panic", 5));
	ck_assert_err(sealed_link_receive(server, BYTES(tracker.answer.octets, tracker.answer.n), back, &n), GBA_OK);
	ck_assert_bytes(BYTES(back, n), bytes_of("panic closed"), "answer");
	ck_assert_err(take(server, &tracker.answer), GBA_E_REPLAY);
	ck_assert_err(sealed_seal(&foreign, SEALED_DEVICE, 9, bytes_of("panic closed"), bad.octets, &bad.n), GBA_OK);
	ck_assert_err(take(server, &bad), GBA_E_NOT_FOUND); /* another device's */
	folder_done();
}
END_TEST

/* Made by tests/peers/sealed.py: introduction(BTID, index). */
static const struct {
	uint8_t index;
	const char *datagram;
} intro_rows[] = {
	{ 0, "5c939f7c8200782a614756736247386764323979624751674d54497a4e413d3d406273662e686f6d65312e6578616d706c65" },
	{ 3, "6358e1e98203782a614756736247386764323979624751674d54497a4e413d3d406273662e686f6d65312e6578616d706c65" },
	{ 255, "b5a5c7f58218ff782a614756736247386764323979624751674d54497a4e413d3d406273662e686f6d65312e6578616d706c65" },
};

START_TEST(introductions)
{
	uint8_t out[SEALED_INTRO_MAX], longest[SEALED_BTID_MAX + 1], index;
	size_t n = sealed_intro_build(bytes_of(SEALED_BTID), intro_rows[_i].index, out), i, bit;
	struct bytes btid;

	ck_assert_bytes(BYTES(out, n), fixture_hex(intro_rows[_i].datagram), "introduction");
	ck_assert_err(sealed_intro_parse(BYTES(out, n), &btid, &index), GBA_OK);
	ck_assert(bytes_eq_str(btid, SEALED_BTID) && index == intro_rows[_i].index);
	for (i = 0; i < n; i++)
		ck_assert_int_ne(sealed_intro_parse(BYTES(out, i), &btid, &index), GBA_OK);
	for (bit = 0; bit < 8 * n; bit++) {
		out[bit / 8] ^= (uint8_t)(1U << bit % 8);
		ck_assert_err(sealed_intro_parse(BYTES(out, n), &btid, &index), GBA_E_CORRUPT);
		out[bit / 8] ^= (uint8_t)(1U << bit % 8);
	}
	memset(longest, 'x', sizeof(longest));
	n = sealed_intro_build(BYTES(longest, SEALED_BTID_MAX), 255, out);
	ck_assert_uint_eq(n, SEALED_INTRO_MAX);
	ck_assert_err(sealed_intro_parse(BYTES(out, n), &btid, &index), GBA_OK);
	ck_assert_uint_eq(btid.n, SEALED_BTID_MAX);
	ck_assert_uint_eq(sealed_intro_build(BYTES(longest, sizeof(longest)), 0, out), 0);
	ck_assert_uint_eq(sealed_intro_build(BYTES("", 0), 0, out), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("sealed");
	TCase *tc = fixture_tcase("sealed");

	secret_init();
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, ccm_of_rfc_3610);
	tcase_add_loop_test(tc, ccm_of_rfc_9052, 0, 2);
	tcase_add_test(tc, hkdf_of_rfc_5869);
	tcase_add_loop_test(tc, frames_as_the_oracle_makes_them, 0, ROWS(sealed_rows));
	tcase_add_test(tc, ninety_octets_fit_a_short_message);
	tcase_add_test(tc, limits);
	tcase_add_test(tc, a_command_and_its_answer);
	tcase_add_test(tc, no_bit_can_be_changed);
	tcase_add_test(tc, nothing_readable_on_the_way);
	tcase_add_test(tc, window_against_a_list);
	tcase_add_test(tc, a_bad_link);
	tcase_add_loop_test(tc, introductions, 0, ROWS(intro_rows));
	tcase_add_test(tc, restarts);
	tcase_add_test(tc, files_that_are_not_ours);
	tcase_add_test(tc, no_room_to_remember);
	suite_add_tcase(suite, tc);
	return fixture_run(suite);
}
