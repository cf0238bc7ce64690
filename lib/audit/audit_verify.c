/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "audit/audit_priv.h"
#include "core/codec.h"

#define ROTATED_DIGITS 20

static bool is_rotated(const char *name, const char *base)
{
	size_t n = strlen(base);
	const char *digits = name + n + 1;

	return strncmp(name, base, n) == 0 && name[n] == '.' && strlen(digits) == ROTATED_DIGITS &&
	       strspn(digits, "0123456789") == ROTATED_DIGITS;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool keep(TALLOC_CTX *mem_ctx, char ***_files, size_t *_count, char *name)
{
	if (name == NULL)
		return false;
	*_files = talloc_realloc(mem_ctx, *_files, char *, *_count + 1);
	if (*_files == NULL)
		return false;
	(*_files)[(*_count)++] = name;
	return true;
}

enum gba_err audit_files(TALLOC_CTX *mem_ctx, const char *path, char ***_files, size_t *_count)
{
	char *copy = talloc_strdup(mem_ctx, path), *base = talloc_strdup(mem_ctx, path);
	const char *folder;
	struct dirent *entry;
	bool good = true;
	DIR *dir;

	*_files = NULL;
	*_count = 0;
	if (copy == NULL || base == NULL)
		return GBA_E_NOMEM;
	folder = dirname(copy);
	dir = opendir(folder);
	if (dir == NULL)
		return gba_err_from_errno(errno);
	base = basename(base);
	while (good && (entry = readdir(dir)) != NULL) {
		if (is_rotated(entry->d_name, base))
			good = keep(mem_ctx, _files, _count, talloc_asprintf(mem_ctx, "%s/%s", folder, entry->d_name));
	}
	closedir(dir);
	if (good && *_count > 0)
		qsort(*_files, *_count, sizeof(**_files), by_name);
	if (good && access(path, F_OK) == 0)
		good = keep(mem_ctx, _files, _count, talloc_strdup(mem_ctx, path));
	if (!good)
		return GBA_E_NOMEM;
	return *_count > 0 ? GBA_OK : GBA_E_NOT_FOUND;
}

/* What a whole small file holds. */
static enum gba_err slurp(TALLOC_CTX *mem_ctx, const char *path, struct bytes *_text)
{
	uint8_t *buf = talloc_size(mem_ctx, AUDIT_HEAD_LEN + 1);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (buf == NULL || fd < 0) {
		if (fd >= 0)
			close(fd);
		return buf == NULL ? GBA_E_NOMEM : gba_err_from_errno(errno);
	}
	n = read(fd, buf, AUDIT_HEAD_LEN + 1);
	close(fd);
	if (n < 0)
		return GBA_E_IO;
	*_text = BYTES(buf, n);
	return GBA_OK;
}

/* A signed end that must be met on the way. */
struct milestone {
	struct audit_end end;
	const char *name;
	bool met;
};

struct walk {
	TALLOC_CTX *mem_ctx;
	struct audit_report *report;
	struct audit_end end;
	struct milestone milestones[2];
	size_t count;
};

static enum gba_err fault(struct walk *walk, const char *file, uint64_t line, const char *what)
{
	walk->report->fault = what != NULL ? what : gba_strerror(GBA_E_NOMEM);
	walk->report->file = talloc_strdup(walk->mem_ctx, file);
	walk->report->line = line;
	return GBA_E_CORRUPT;
}

static enum gba_err check_milestones(struct walk *walk, const char *file, uint64_t number)
{
	struct milestone *m;

	for (m = walk->milestones; m < walk->milestones + walk->count; m++) {
		if (m->met || m->end.seq != walk->end.seq)
			continue;
		if (memcmp(m->end.hash, walk->end.hash, AUDIT_HASH_LEN) != 0)
			return fault(walk, file, number,
				     talloc_asprintf(walk->mem_ctx, "not the line that was signed in %s", m->name));
		m->met = true;
	}
	return GBA_OK;
}

static enum gba_err check_line(struct walk *walk, const char *file, uint64_t number, struct bytes line)
{
	enum gba_err err = GBA_OK;

	if (line.n == 0 || line.p[line.n - 1] != '\n')
		return fault(walk, file, number, "an unfinished line");
	line.n--;
	if (walk->report->first == 0) {
		err = audit_line_before(line, &walk->end);
		if (err == GBA_OK)
			walk->report->first = walk->end.seq + 1;
	}
	if (err == GBA_OK)
		err = audit_line_check(line, &walk->end);
	if (err == GBA_E_RANGE)
		return fault(walk, file, number,
			     talloc_asprintf(walk->mem_ctx, "line %llu is expected here: lines were removed, added or moved",
					     (unsigned long long)walk->end.seq + 1));
	if (err != GBA_OK)
		return fault(walk, file, number,
			     err == GBA_E_SYNTAX ? "not a line of an audit log" : "changed: its hash does not fit");
	walk->report->last = walk->end.seq;
	if (walk->end.seq > walk->milestones[0].end.seq && audit_line_old(line))
		return fault(walk, file, number, "under no signature: added by another hand, or its writer ended before it signed");
	return check_milestones(walk, file, number);
}

/* Gets every line of a file, with its newline. */
typedef enum gba_err (*line_each)(void *arg, const char *path, uint64_t number, struct bytes line);

static enum gba_err each_line(const char *path, line_each each, void *arg)
{
	FILE *file = fopen(path, "re");
	enum gba_err err = GBA_OK;
	uint64_t number = 0;
	char *text = NULL;
	size_t cap = 0;
	ssize_t n;

	if (file == NULL)
		return gba_err_from_errno(errno);
	while (err == GBA_OK && (n = getline(&text, &cap, file)) >= 0)
		err = each(arg, path, ++number, BYTES(text, n));
	if (err == GBA_OK && ferror(file))
		err = GBA_E_IO;
	free(text);
	fclose(file);
	return err;
}

static enum gba_err walk_line(void *arg, const char *path, uint64_t number, struct bytes line)
{
	return check_line(arg, path, number, line);
}

static enum gba_err add_milestone(struct walk *walk, const char *path, const char *name, const uint8_t public[SIGN_PUBLIC_LEN])
{
	struct milestone *m = &walk->milestones[walk->count];
	struct bytes text;
	enum gba_err err;

	err = slurp(walk->mem_ctx, path, &text);
	if (err == GBA_E_NOT_FOUND)
		return fault(walk, path, 0, "the signed end is missing");
	if (err != GBA_OK)
		return err;
	err = audit_head_read(text, public, &m->end);
	if (err != GBA_OK)
		return fault(walk, path, 1,
			     err == GBA_E_CORRUPT ? "its signature does not fit: changed, or another key" : "not a signed end");
	m->name = name;
	walk->count++;
	return GBA_OK;
}

static enum gba_err read_public(struct walk *walk, const char *path, const char *hex, uint8_t out[SIGN_PUBLIC_LEN])
{
	const char *name = hex == NULL ? talloc_asprintf(walk->mem_ctx, "%s.pub", path) : "public key";
	struct bytes text = bytes_of(hex);
	enum gba_err err;

	if (hex == NULL) {
		err = slurp(walk->mem_ctx, name, &text);
		if (err == GBA_E_NOT_FOUND)
			return fault(walk, name, 0, "the public key is missing");
		if (err != GBA_OK)
			return err;
		if (text.n == 0 || text.p[text.n - 1] != '\n')
			return fault(walk, name, 1, "not a public key: 64 hex digits and a newline are expected");
		text.n--;
	}
	if (hex_decode(text, out, SIGN_PUBLIC_LEN) != GBA_OK)
		return fault(walk, name, 1, "not a public key: 64 hex digits are expected");
	return GBA_OK;
}

static enum gba_err check_met(struct walk *walk, const char *path)
{
	struct milestone *m;

	for (m = walk->milestones; m < walk->milestones + walk->count; m++) {
		if (!m->met && m->end.seq >= walk->report->first)
			return fault(walk, path, 0,
				     talloc_asprintf(walk->mem_ctx, "line %llu, signed in %s, is not there: lines were removed",
						     (unsigned long long)m->end.seq, m->name));
	}
	walk->report->signed_upto = walk->milestones[0].end.seq;
	return GBA_OK;
}

enum gba_err audit_verify(TALLOC_CTX *mem_ctx, const char *path, const char *public_hex, const char *witness,
			  struct audit_report *_report)
{
	struct walk walk = { .mem_ctx = mem_ctx, .report = _report };
	uint8_t public[SIGN_PUBLIC_LEN];
	char **files, *head = talloc_asprintf(mem_ctx, "%s.head", path);
	enum gba_err err;
	size_t count, i;

	*_report = (struct audit_report){ 0 };
	if (head == NULL)
		return GBA_E_NOMEM;
	err = audit_files(mem_ctx, path, &files, &count);
	if (err == GBA_OK)
		err = read_public(&walk, path, public_hex, public);
	if (err == GBA_OK)
		err = add_milestone(&walk, head, "the log's .head", public);
	if (err == GBA_OK && witness != NULL)
		err = add_milestone(&walk, witness, "the witness", public);
	for (i = 0; err == GBA_OK && i < count; i++)
		err = each_line(files[i], walk_line, &walk);
	return err == GBA_OK ? check_met(&walk, path) : err;
}

struct reading {
	TALLOC_CTX *mem_ctx;
	audit_each each;
	void *arg;
	bool stop;
};

static enum gba_err read_line(void *arg, const char *path, uint64_t number, struct bytes line)
{
	struct reading *reading = arg;
	struct audit_end end;
	struct bytes body;
	char *json;

	(void)path;
	(void)number;
	if (reading->stop || line.n == 0 || audit_line_read(BYTES(line.p, line.n - 1), &end, &body) != GBA_OK)
		return GBA_OK;
	json = talloc_asprintf(reading->mem_ctx, "%.*s}", BYTES_FMT(body));
	if (json == NULL)
		return GBA_E_NOMEM;
	reading->stop = !reading->each(reading->arg, bytes_of(json));
	talloc_free(json);
	return GBA_OK;
}

enum gba_err audit_read(TALLOC_CTX *mem_ctx, const char *path, audit_each each, void *arg)
{
	struct reading reading = { mem_ctx, each, arg, false };
	enum gba_err err;
	size_t count, i;
	char **files;

	err = audit_files(mem_ctx, path, &files, &count);
	for (i = 0; err == GBA_OK && !reading.stop && i < count; i++)
		err = each_line(files[i], read_line, &reading);
	return err;
}
