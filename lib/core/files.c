/* SPDX-License-Identifier: Apache-2.0 */
#include "core/files.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/resource.h>
#include <unistd.h>

#define FILES_MAX 1048576 /* nobody needs more, and some limits are infinite */

static size_t allowed(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return 1024; /* POSIX's customary one */
	return limit.rlim_cur < FILES_MAX ? (size_t)limit.rlim_cur : FILES_MAX;
}

size_t files_raise(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max < FILES_MAX ? limit.rlim_max : FILES_MAX;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
	return allowed();
}

int files_share(void)
{
	size_t n = allowed();

	return (int)(n / 2 < FILES_KEPT ? n - n / 2 : n - FILES_KEPT);
}

int files_for_peers(void)
{
	size_t n = allowed();

	return (int)(n / 4 < FILES_OWN ? n - n / 4 : n - FILES_OWN);
}

int files_lowest(void)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return INT_MAX;
	close(fd);
	return fd;
}
