/* SPDX-License-Identifier: Apache-2.0 */
/* Replays a corpus where libFuzzer is not linked: every file of $FUZZ_CORPUS/<name of the target>, or the files named. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay_file(const char *path)
{
	FILE *in = fopen(path, "rb");
	struct stat st;
	uint8_t *data;
	size_t n;

	if (in == NULL || fstat(fileno(in), &st) != 0) {
		perror(path);
		return 1;
	}
	data = malloc((size_t)st.st_size + 1);
	n = data != NULL ? fread(data, 1, (size_t)st.st_size, in) : 0;
	fclose(in);
	LLVMFuzzerTestOneInput(data, n);
	free(data);
	return 0;
}

/* "…/fuzz_ident" -> "ident" */
static const char *target_name(const char *program)
{
	const char *name = strrchr(program, '/');

	name = name != NULL ? name + 1 : program;
	if (strncmp(name, "lt-", 3) == 0)
		name += 3;
	return strncmp(name, "fuzz_", 5) == 0 ? name + 5 : name;
}

static int replay_corpus(const char *corpus, const char *target)
{
	char folder[1024], path[2048];
	struct dirent *entry;
	int failed = 0, files = 0;
	DIR *dir;

	snprintf(folder, sizeof(folder), "%s/%s", corpus, target);
	dir = opendir(folder);
	if (dir == NULL) {
		perror(folder);
		return 1;
	}
	while ((entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
		failed += replay_file(path);
		files++;
	}
	closedir(dir);
	printf("%s: %d inputs\n", target, files);
	return failed != 0 || files == 0;
}

int main(int argc, char **argv)
{
	const char *corpus = getenv("FUZZ_CORPUS");
	int i, failed = 0;

	for (i = 1; i < argc; i++)
		failed += replay_file(argv[i]);
	if (argc == 1)
		failed = replay_corpus(corpus != NULL ? corpus : "tests/fuzz/corpus", target_name(argv[0]));
	return failed != 0;
}
