/* SPDX-License-Identifier: Apache-2.0 */
#include "rest/report.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define BUFFER	  65536		/* [octets] in memory */
#define HEAD_ROOM 256		/* [octets] kept before the rows for what is known at the end; blanks in JSON mean nothing */
#define DISK_LEFT (256ull << 20) /* [octets] for everybody else */

struct report {
	bool lines, full;
	int64_t rows;
	struct rest_file *file; /* below the call's answer, or ours; NULL: all is in the buffer */
	size_t n;
	char buffer[BUFFER];
};

static int file_close(struct rest_file *file)
{
	if (file->fd >= 0)
		close(file->fd);
	return 0;
}

static int unnamed_open(void)
{
	const char *folder = getenv("TMPDIR") != NULL ? getenv("TMPDIR") : "/var/tmp";
	char path[256];
	int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR))
		return fd;
	snprintf(path, sizeof(path), "%s/gba-report-XXXXXX", folder); /* file systems without it */
	fd = mkostemp(path, O_CLOEXEC);
	if (fd >= 0)
		unlink(path);
	return fd;
}

static enum gba_err file_open(struct report *report)
{
	struct rest_file *file = talloc(report, struct rest_file);

	if (file == NULL)
		return GBA_E_NOMEM;
	*file = (struct rest_file){ unnamed_open(), 0 };
	if (file->fd < 0) {
		talloc_free(file);
		return GBA_E_IO;
	}
	talloc_set_destructor(file, file_close);
	report->file = file;
	return GBA_OK;
}

static enum gba_err write_all(struct rest_file *file, const char *text, size_t n)
{
	ssize_t done;

	for (; n > 0; text += done, n -= (size_t)done) {
		done = pwrite(file->fd, text, n, (off_t)file->octets);
		if (done < 0 && errno == EINTR)
			done = 0;
		if (done < 0)
			return gba_err_from_errno(errno);
		file->octets += (uint64_t)done;
	}
	return GBA_OK;
}

static bool disk_full(int fd)
{
	struct statvfs disk;

	return fstatvfs(fd, &disk) == 0 && (uint64_t)disk.f_bavail * disk.f_frsize < DISK_LEFT;
}

static enum gba_err flush(struct report *report)
{
	enum gba_err err = report->file == NULL ? file_open(report) : GBA_OK;

	if (err == GBA_OK)
		err = write_all(report->file, report->buffer, report->n);
	if (err != GBA_OK)
		return err;
	report->n = 0;
	report->full = disk_full(report->file->fd);
	return GBA_OK;
}

static enum gba_err put(struct report *report, const char *text, size_t n)
{
	enum gba_err err = report->n + n > BUFFER ? flush(report) : GBA_OK;

	if (err != GBA_OK)
		return err;
	if (n > BUFFER)
		return write_all(report->file, text, n);
	memcpy(report->buffer + report->n, text, n);
	report->n += n;
	return GBA_OK;
}

struct report *report_new(TALLOC_CTX *mem_ctx, bool lines)
{
	struct report *report = talloc(mem_ctx, struct report);

	if (report == NULL)
		return NULL;
	memset(report, 0, offsetof(struct report, buffer));
	report->lines = lines;
	report->n = lines ? 0 : HEAD_ROOM;
	memset(report->buffer, ' ', report->n);
	return report;
}

enum gba_err report_row(struct report *report, struct bytes row)
{
	enum gba_err err = !report->lines && report->rows > 0 ? put(report, ",\n", 2) : GBA_OK;

	if (err == GBA_OK)
		err = put(report, (const char *)row.p, row.n);
	if (err == GBA_OK && report->lines)
		err = put(report, "\n", 1);
	report->rows += err == GBA_OK;
	return err;
}

int64_t report_rows(const struct report *report)
{
	return report->rows;
}

bool report_full(const struct report *report)
{
	return report->full;
}

/* "{...members,"rejections":[" and blanks, where room was kept for it. */
static enum gba_err head_put(struct report *report, const char *summary)
{
	char head[HEAD_ROOM + 1];
	int n = snprintf(head, sizeof(head), "%.*s,\"rejections\":[", (int)strlen(summary) - 1, summary);

	if (n < 0 || n >= HEAD_ROOM)
		return GBA_E_TOO_LONG;
	if (report->file == NULL) {
		memmove(report->buffer + n, report->buffer + HEAD_ROOM, report->n - HEAD_ROOM);
		memcpy(report->buffer, head, (size_t)n);
		report->n -= HEAD_ROOM - (size_t)n;
		return GBA_OK;
	}
	memset(head + n, ' ', HEAD_ROOM - (size_t)n);
	head[HEAD_ROOM - 1] = '\n';
	return pwrite(report->file->fd, head, HEAD_ROOM, 0) == HEAD_ROOM ? GBA_OK : GBA_E_IO;
}

enum gba_err report_reply(struct report *report, struct rest_call *call, json_t *summary)
{
	char *text = json_dumps(summary, REST_JSON_FLAGS);
	enum gba_err err = text == NULL ? GBA_E_NOMEM : report->lines ? put(report, text, strlen(text)) : head_put(report, text);

	free(text);
	if (err == GBA_OK)
		err = report->lines ? put(report, "\n", 1) : put(report, "]}\n", 3);
	if (err == GBA_OK && report->file != NULL)
		err = flush(report);
	if (err != GBA_OK)
		return err;
	rest_body(call, 200, report->lines ? REST_NDJSON : REST_JSON, BYTES(report->buffer, report->n));
	call->reply.file = report->file;
	return GBA_OK;
}
