/* SPDX-License-Identifier: Apache-2.0 */
/** The device's state folder: sealed files (soft USIM, tokens), plain ones (profiles), and the locks that keep two
 * processes or threads from undoing each other's update. Folder 0700, files 0600. */
#ifndef GBA_UE_STATE_H
#define GBA_UE_STATE_H

#include <stdbool.h>
#include <talloc.h>

#include "core/bytes.h"
#include "core/err.h"
#include "core/why.h"

#define STATE_FILE_MAX (1024 * 1024) /* [octets] larger files are not ours */

struct state;

/** Open the folder, make it and its key-encryption key ("kek") when create. Usable from any thread.
 * @retval GBA_E_NOT_FOUND  no folder and !create
 * @retval GBA_E_DENIED     folder or kek open to others, or not ours */
enum gba_err state_open(TALLOC_CTX *mem_ctx, const char *dir, bool create, struct state **_state, struct why *why);

/** Take the lock `name` ("tokens"); waits at most wait_ms. Excludes threads of this process as well.
 * @param _fd  written on GBA_OK: for state_unlock()
 * @retval GBA_E_TIMEOUT  somebody else holds it */
enum gba_err state_lock(struct state *state, const char *name, unsigned int wait_ms, int *_fd);
void state_unlock(int fd);

/** Whole content of a file; NUL after it (not counted). The chunk is wiped when freed.
 * @retval GBA_E_NOT_FOUND, GBA_E_TOO_LONG, GBA_E_IO */
enum gba_err state_read(TALLOC_CTX *mem_ctx, struct state *state, const char *name, struct bytes *_content);
/** Replace a file so that after a crash either the old or the new content is there: temporary file, fsync, rename,
 * fsync of the folder. GBA_OK means durable. @retval GBA_E_NOSPACE, GBA_E_IO */
enum gba_err state_write(struct state *state, const char *name, struct bytes content);

/** The same for a sealed file; its name is bound to the seal. @retval GBA_E_CORRUPT  altered, or sealed under another
 * key */
enum gba_err state_read_sealed(TALLOC_CTX *mem_ctx, struct state *state, const char *name, struct bytes *_plain);
enum gba_err state_write_sealed(struct state *state, const char *name, struct bytes plain);

/** Path of a file in the folder, for what keeps it open; below mem_ctx. NULL: out of memory. */
char *state_path(TALLOC_CTX *mem_ctx, const struct state *state, const char *name);
enum gba_err state_remove(struct state *state, const char *name);
/** Does the file exist? */
bool state_has(struct state *state, const char *name);
/** Names of files "<prefix><x><suffix>", only the x, sorted; below mem_ctx. */
enum gba_err state_list(TALLOC_CTX *mem_ctx, struct state *state, const char *prefix, const char *suffix,
			char ***_names, size_t *_count);

/** A name people give to a USIM or a profile: 1..31 of letters, digits, '-', '_', '.', not starting with '.'; names
 * files. */
#define STATE_NAME_MAX 31
bool state_name_valid(struct bytes name);

#endif
