/* SPDX-License-Identifier: Apache-2.0 */
#include "coap/media.h"

static const struct {
	int format;
	const char *media;
} formats[] = {
	{ 0, "text/plain;charset=utf-8" },
	{ 40, "application/link-format" },
	{ 41, "application/xml" },
	{ 42, "application/octet-stream" },
	{ 50, "application/json" },
	{ 60, "application/cbor" },
	{ 110, "application/senml+json" },
	{ 112, "application/senml+cbor" },
};
#define FORMATS (sizeof(formats) / sizeof(formats[0]))

const char *media_of_format(int format)
{
	size_t i;

	for (i = 0; i < FORMATS; i++) {
		if (formats[i].format == format)
			return formats[i].media;
	}
	return NULL;
}

/* What stands before the parameters. */
static struct bytes type_of(struct bytes media)
{
	size_t n = 0;

	while (n < media.n && media.p[n] != ';' && media.p[n] != ' ')
		n++;
	return BYTES(media.p, n);
}

int media_format(struct bytes media)
{
	size_t i;

	for (i = 0; i < FORMATS; i++) {
		if (bytes_eq_nocase(type_of(bytes_of(formats[i].media)), type_of(media)))
			return formats[i].format;
	}
	return MEDIA_NONE;
}
