/* SPDX-License-Identifier: Apache-2.0 */
/* Notices as letters: one RFC 5322 file each, for whatever mail system takes them from the folder. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/codec.h"
#include "rest/notice.h"

#define LINE 57 /* [octets] of a base64 line: 76 characters (RFC 2045 6.8) */

json_t *notice_json(const struct notice *notice)
{
	char at[TIME_TEXT_LEN + 1];
	json_t *body = json_loads(notice->body, 0, NULL);

	time_format(notice->created, at);
	return json_pack("{s:I, s:s, s:s, s:{s:s, s:I}, s:o}", "id", (json_int_t)notice->id, "event", notice->event,
			 "at", at, "about", "kind", notice->about_kind, "id", (json_int_t)notice->about, "data",
			 body != NULL ? body : json_object());
}

static void date(FILE *out, time_t when)
{
	static const char *const days[] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
	static const char *const months[] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
					      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
	struct tm tm;

	gmtime_r(&when, &tm); /* names in English whatever the locale */
	fprintf(out, "Date: %s, %02d %s %d %02d:%02d:%02d +0000\r\n", days[tm.tm_wday], tm.tm_mday, months[tm.tm_mon],
		tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

/* Base64: the text may have any character and lines of any length. */
static void body(FILE *out, struct bytes text)
{
	char line[BASE64_LEN(LINE) + 1];
	size_t n;

	for (; text.n > 0; text = BYTES(text.p + n, text.n - n)) {
		n = text.n < LINE ? text.n : LINE;
		base64_encode(BYTES(text.p, n), line);
		fprintf(out, "%s\r\n", line);
	}
}

/* Addresses were checked when they were stored: no line end gets in here. */
static bool letter(FILE *out, const struct notice_conf *conf, const struct notice *notice)
{
	const char *at = strchr(conf->mail_from, '@');
	json_t *root = notice_json(notice);
	char *text = root != NULL ? json_dumps(root, JSON_INDENT(2) | JSON_PRESERVE_ORDER) : NULL;

	json_decref(root);
	if (text == NULL)
		return false;
	fprintf(out, "From: %s\r\n", conf->mail_from);
	if (notice->address[0] != '\0')
		fprintf(out, "To: %s\r\n", notice->address);
	else
		fprintf(out, "To: %s%s\r\n", notice->drop, at != NULL ? at : "@localhost");
	date(out, notice->created);
	fprintf(out, "Message-ID: <notice-%lld-%lld%s>\r\nSubject: %s\r\n", (long long)notice->id,
		(long long)notice->created, at != NULL ? at : "@localhost", notice->event);
	fputs("MIME-Version: 1.0\r\nContent-Type: application/json; charset=utf-8\r\nContent-Disposition: inline\r\n"
	      "Content-Transfer-Encoding: base64\r\nAuto-Submitted: auto-generated\r\n\r\n",
	      out);
	body(out, bytes_of(text));
	free(text);
	return true;
}

static enum gba_err write_letter(const char *path, const struct notice_conf *conf, const struct notice *notice)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640);
	FILE *out = fd >= 0 ? fdopen(fd, "w") : NULL;
	bool good;

	if (out == NULL) {
		if (fd >= 0)
			close(fd);
		return gba_err_from_errno(errno);
	}
	errno = EIO;
	good = letter(out, conf, notice) && fflush(out) == 0 && fsync(fd) == 0;
	if (fclose(out) == 0 && good)
		return GBA_OK;
	return gba_err_from_errno(errno);
}

enum gba_err mail_drop(const struct notice_conf *conf, const struct notice *notice)
{
	char folder[PATH_MAX], tmp[PATH_MAX + 64], path[PATH_MAX + 64];
	enum gba_err err;

	if (notice->drop[0] == '.' || strchr(notice->drop, '/') != NULL)
		return GBA_E_DENIED; /* a name, not a way out of the folder */
	snprintf(folder, sizeof(folder), "%s/%s", conf->mail_drop, notice->drop);
	if (mkdir(folder, 0750) != 0 && errno != EEXIST)
		return gba_err_from_errno(errno);
	snprintf(tmp, sizeof(tmp), "%s/.%lld.tmp", folder, (long long)notice->id);
	snprintf(path, sizeof(path), "%s/%lld.eml", folder, (long long)notice->id);
	err = write_letter(tmp, conf, notice);
	if (err == GBA_OK && rename(tmp, path) != 0)
		err = gba_err_from_errno(errno);
	if (err != GBA_OK)
		unlink(tmp);
	return err;
}
