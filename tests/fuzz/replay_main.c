/* Runs a fuzz target over files and folders of inputs: the corpus as a regression test, without a fuzzer. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay_file(const char *path, size_t size)
{
	/* Exactly as large as the input, so that a sanitizer sees a read behind its end. */
	uint8_t *data = malloc(size ? size : 1);
	FILE *file = fopen(path, "rb");

	if (!data || !file || fread(data, 1, size, file) != size) {
		fprintf(stderr, "%s: cannot be read\n", path);
		exit(1);
	}
	fclose(file);
	LLVMFuzzerTestOneInput(data, size);
	free(data);
	return 1;
}

static int replay(const char *path)
{
	struct dirent *entry;
	struct stat status;
	char name[4096];
	DIR *folder;
	int n = 0;

	if (stat(path, &status)) {
		perror(path);
		exit(1);
	}
	if (!S_ISDIR(status.st_mode))
		return replay_file(path, (size_t)status.st_size);
	folder = opendir(path);
	while (folder && (entry = readdir(folder))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
		n += replay(name);
	}
	closedir(folder);
	return n;
}

int main(int argc, char **argv)
{
	int n = 0;

	for (int i = 1; i < argc; i++)
		n += replay(argv[i]);
	printf("%d inputs\n", n);
	return n > 0 ? 0 : 1;
}
