/* A configuration file of anyone: parsed; what is taken must come back from its canonical text as it was. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool holds)
{
	if (!holds)
		abort();
}

static void read_back(const struct config *config)
{
	struct config again;
	char *text, *text_again;

	config_init(&again);
	expect(!config_text(config, NULL, &text));
	expect(!config_parse(&again, text, "canonical", NULL));
	expect(!memcmp(config, &again, sizeof again));
	expect(!config_text(&again, NULL, &text_again));
	expect(!strcmp(text, text_again));
	free(text);
	free(text_again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config config;
	struct error err;
	char *text = malloc(size + 1);

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	config_init(&config);
	if (!config_parse(&config, text, "fuzz", &err)) {
		read_back(&config);
		config_check(&config, &err);
	}
	config_init(&config);
	if (!config_set(&config, text, &err))
		read_back(&config);
	free(text);
	return 0;
}
