/* SPDX-License-Identifier: Apache-2.0 */
#include "naf-adapter/coap/door.h"

#include <curl/curl.h>

#define ANSWER_MAX 65536 /* [octets] */

struct door {
	CURL *curl;
	const char *path;
	unsigned int timeout_ms;
};

static int close_door(struct door *door)
{
	curl_easy_cleanup(door->curl);
	return 0;
}

struct door *door_new(TALLOC_CTX *mem_ctx, const char *path, unsigned int timeout_ms)
{
	struct door *door = talloc_zero(mem_ctx, struct door);

	if (door == NULL)
		return NULL;
	door->curl = curl_easy_init();
	door->path = talloc_strdup(door, path);
	door->timeout_ms = timeout_ms;
	talloc_set_destructor(door, close_door);
	if (door->curl == NULL || door->path == NULL) {
		talloc_free(door);
		return NULL;
	}
	return door;
}

struct reading {
	TALLOC_CTX *mem_ctx;
	uint8_t *p;
	size_t n;
};

static size_t on_body(char *data, size_t size, size_t count, void *arg)
{
	struct reading *in = arg;
	uint8_t *more;

	size *= count;
	if (in->n + size > ANSWER_MAX)
		return 0;
	more = talloc_realloc_size(in->mem_ctx, in->p, in->n + size + 1);
	if (more == NULL)
		return 0;
	memcpy(more + in->n, data, size);
	in->p = more;
	in->n += size;
	return size;
}

static enum gba_err error_of(CURLcode code)
{
	return code == CURLE_OK                   ? GBA_OK
	       : code == CURLE_OPERATION_TIMEDOUT ? GBA_E_TIMEOUT
	       : code == CURLE_WRITE_ERROR        ? GBA_E_TOO_LONG
						  : GBA_E_UNREACHABLE;
}

static void set_request(struct door *door, const char *method, const char *url, struct bytes body)
{
	curl_easy_reset(door->curl); /* connections stay */
	curl_easy_setopt(door->curl, CURLOPT_UNIX_SOCKET_PATH, door->path);
	curl_easy_setopt(door->curl, CURLOPT_URL, url);
	curl_easy_setopt(door->curl, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(door->curl, CURLOPT_PROXY, "");
	curl_easy_setopt(door->curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(door->curl, CURLOPT_TIMEOUT_MS, (long)door->timeout_ms);
	curl_easy_setopt(door->curl, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
	if (body.p != NULL) {
		curl_easy_setopt(door->curl, CURLOPT_POSTFIELDSIZE, (long)body.n);
		curl_easy_setopt(door->curl, CURLOPT_POSTFIELDS, body.p);
	}
	curl_easy_setopt(door->curl, CURLOPT_CUSTOMREQUEST, method);
}

enum gba_err door_ask(struct door *door, TALLOC_CTX *mem_ctx, const char *method, const char *target, const char *impi,
		      struct bytes body, struct door_answer *_answer)
{
	struct reading in = { mem_ctx, NULL, 0 };
	char *url = talloc_asprintf(mem_ctx, "http://application%s", target);
	char *who = talloc_asprintf(mem_ctx, "X-3GPP-Asserted-Identity: \"%s\"", impi);
	struct curl_slist *headers = who != NULL ? curl_slist_append(NULL, who) : NULL;
	long status = 0;
	enum gba_err err;

	if (url == NULL || headers == NULL) {
		curl_slist_free_all(headers);
		return GBA_E_NOMEM;
	}
	set_request(door, method, url, body);
	curl_slist_append(headers, "Content-Type: application/json");
	curl_slist_append(headers, "Expect:");
	curl_easy_setopt(door->curl, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(door->curl, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(door->curl, CURLOPT_WRITEDATA, &in);
	err = error_of(curl_easy_perform(door->curl));
	curl_easy_getinfo(door->curl, CURLINFO_RESPONSE_CODE, &status);
	curl_slist_free_all(headers);
	*_answer = (struct door_answer){ (unsigned int)status, BYTES(in.p, in.n) };
	return err;
}
