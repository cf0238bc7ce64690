/* SPDX-License-Identifier: Apache-2.0 */
#include "naf-adapter/coap/door.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

#define ANSWER_MAX 65536 /* [octets] */

struct door {
	CURLM *multi;
	struct door_place place;
	const char *base; /* of URLs */
	unsigned int timeout_ms;
};

/* "host:port" or "[host]:port". */
static bool host_and_port(const char *text, struct door_place *place)
{
	const char *colon = strrchr(text, ':');
	size_t n = colon != NULL ? (size_t)(colon - text) : 0;
	unsigned long port;
	char *end;

	if (n > 2 && text[0] == '[' && text[n - 1] == ']') {
		text++;
		n -= 2;
	} else if (colon != NULL && memchr(text, ':', n) != NULL) {
		return false;
	}
	if (n == 0 || n >= sizeof(place->host) || strcspn(text, "/?#@ ") < n || colon[1] < '0' || colon[1] > '9')
		return false;
	port = strtoul(colon + 1, &end, 10);
	if (*end != '\0' || port == 0 || port > 65535)
		return false;
	memcpy(place->host, text, n);
	place->host[n] = '\0';
	place->port = (uint16_t)port;
	return true;
}

bool door_place_read(const char *text, struct door_place *_place)
{
	*_place = (struct door_place){ .kind = DOOR_UNIX };
	if (strncmp(text, "unix:", 5) == 0) {
		_place->path = text + 5;
		return text[5] != '\0';
	}
	_place->kind = strncmp(text, "http://", 7) == 0 ? DOOR_HTTP : DOOR_COAP;
	return (_place->kind == DOOR_HTTP || strncmp(text, "coap://", 7) == 0) && host_and_port(text + 7, _place);
}

static int close_door(struct door *door)
{
	curl_multi_cleanup(door->multi);
	return 0;
}

static char *base_of(TALLOC_CTX *mem_ctx, const struct door_place *place)
{
	bool brackets = strchr(place->host, ':') != NULL;

	if (place->kind == DOOR_UNIX)
		return talloc_strdup(mem_ctx, "http://application");
	return talloc_asprintf(mem_ctx, "http://%s%s%s:%u", brackets ? "[" : "", place->host, brackets ? "]" : "", place->port);
}

struct door *door_new(TALLOC_CTX *mem_ctx, const struct door_place *place, unsigned int timeout_ms)
{
	struct door *door = talloc_zero(mem_ctx, struct door);

	if (door == NULL)
		return NULL;
	door->multi = curl_multi_init();
	door->place = *place;
	door->base = base_of(door, place);
	door->timeout_ms = timeout_ms;
	talloc_set_destructor(door, close_door);
	if (door->multi == NULL || door->base == NULL) {
		talloc_free(door);
		return NULL;
	}
	return door;
}

void door_set_timeout(struct door *door, unsigned int timeout_ms)
{
	door->timeout_ms = timeout_ms;
}

struct exchange {
	struct door *door;
	CURL *curl;
	struct curl_slist *headers;
	door_done *done;
	void *arg;
	TALLOC_CTX *mem_ctx;
	uint8_t *p;
	size_t n;
};

static int exchange_end(struct exchange *x)
{
	if (x->curl != NULL) {
		curl_multi_remove_handle(x->door->multi, x->curl);
		curl_easy_cleanup(x->curl);
	}
	curl_slist_free_all(x->headers);
	return 0;
}

static size_t on_body(char *data, size_t size, size_t count, void *arg)
{
	struct exchange *in = arg;
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

static void set_request(const struct exchange *x, const struct door_request *request, const char *url)
{
	const struct door *door = x->door;
	CURL *curl = x->curl;

	if (door->place.kind == DOOR_UNIX)
		curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, door->place.path);
	curl_easy_setopt(curl, CURLOPT_URL, url);
	curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(curl, CURLOPT_PROXY, "");
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)door->timeout_ms);
	curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
	if (request->body.p != NULL) {
		curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, (long)request->body.n);
		curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request->body.p);
	}
	curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request->method);
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, x->headers);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, x);
	curl_easy_setopt(curl, CURLOPT_PRIVATE, x);
}

/* One more "name: value"; a NULL value is left out. @return false: out of memory, and the list is gone */
static bool put_header(TALLOC_CTX *mem_ctx, struct curl_slist **list, const char *name, const char *value)
{
	char *line = value != NULL ? talloc_asprintf(mem_ctx, "%s: %s", name, value) : NULL;
	struct curl_slist *longer;

	if (value == NULL)
		return true;
	longer = line != NULL ? curl_slist_append(*list, line) : NULL;
	if (longer == NULL) {
		curl_slist_free_all(*list);
		*list = NULL;
		return false;
	}
	*list = longer;
	return true;
}

static struct curl_slist *headers_of(TALLOC_CTX *mem_ctx, const struct door_request *request)
{
	struct curl_slist *list = curl_slist_append(NULL, "Expect:");

	if (list != NULL && put_header(mem_ctx, &list, "X-3GPP-Asserted-Identity", request->who->list) &&
	    put_header(mem_ctx, &list, "X-3GPP-Authorization-Flags", request->who->flags) &&
	    put_header(mem_ctx, &list, "X-Forwarded-User", request->who->user) &&
	    put_header(mem_ctx, &list, "Accept", request->accept) &&
	    put_header(mem_ctx, &list, "Content-Type", request->media))
		return list;
	return NULL;
}

enum gba_err door_begin(struct door *door, TALLOC_CTX *mem_ctx, const struct door_request *request, door_done *done, void *arg)
{
	struct exchange *x = talloc_zero(mem_ctx, struct exchange);
	char *url = talloc_asprintf(mem_ctx, "%s%s", door->base, request->target);

	if (x == NULL || url == NULL)
		return GBA_E_NOMEM;
	*x = (struct exchange){ .door = door, .done = done, .arg = arg, .mem_ctx = mem_ctx };
	talloc_set_destructor(x, exchange_end);
	x->headers = headers_of(mem_ctx, request);
	x->curl = curl_easy_init();
	if (x->headers == NULL || x->curl == NULL)
		return GBA_E_NOMEM;
	set_request(x, request, url);
	return curl_multi_add_handle(door->multi, x->curl) == CURLM_OK ? GBA_OK : GBA_E_NOMEM;
}

static void finish(struct exchange *x, enum gba_err err)
{
	const char *media = NULL;
	long status = 0;
	struct door_answer answer;

	curl_easy_getinfo(x->curl, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(x->curl, CURLINFO_CONTENT_TYPE, &media);
	answer = (struct door_answer){ (unsigned int)status, BYTES(x->p, x->n),
				       media != NULL ? talloc_strdup(x->mem_ctx, media) : NULL };
	x->done(x->arg, err, &answer);
}

void door_process(struct door *door)
{
	struct exchange *x;
	CURLMsg *message;
	int n;

	curl_multi_perform(door->multi, &n);
	while ((message = curl_multi_info_read(door->multi, &n)) != NULL) {
		CURLcode code = message->data.result; /* gone with the handle */

		if (message->msg == CURLMSG_DONE && curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &x) == CURLE_OK)
			finish(x, error_of(code));
	}
}

void door_wait(struct door *door, const int *fds, size_t n, unsigned int timeout_ms)
{
	struct curl_waitfd wait[DOOR_FDS_MAX];
	size_t i;

	for (i = 0; i < n; i++)
		wait[i] = (struct curl_waitfd){ .fd = fds[i], .events = CURL_WAIT_POLLIN };
	curl_multi_poll(door->multi, wait, (unsigned int)n, (int)timeout_ms, NULL);
}
