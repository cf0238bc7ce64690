/* SPDX-License-Identifier: Apache-2.0 */
/* Notices by HTTPS. The address is looked at when the connection is made, after DNS: a name that points inside is
 * refused. */
#include "rest/webhook_priv.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/codec.h"
#include "core/secret.h"
#include "crypto/hash.h"

static bool in4_good(uint32_t a)
{
	static const struct {
		uint32_t net, mask;
	} special[] = {
  /* RFC 6890 */
		{ 0x00000000, 0xff000000 }, { 0x0a000000, 0xff000000 }, { 0x64400000, 0xffc00000 },
		{ 0x7f000000, 0xff000000 }, { 0xa9fe0000, 0xffff0000 }, { 0xac100000, 0xfff00000 },
		{ 0xc0000000, 0xffffff00 }, { 0xc0000200, 0xffffff00 }, { 0xc0a80000, 0xffff0000 },
		{ 0xc6120000, 0xfffe0000 }, { 0xc6336400, 0xffffff00 }, { 0xcb007100, 0xffffff00 },
		{ 0xe0000000, 0xe0000000 }, /* multicast and above */
	};
	size_t i;

	for (i = 0; i < sizeof(special) / sizeof(special[0]); i++) {
		if ((a & special[i].mask) == special[i].net)
			return false;
	}
	return true;
}

static bool in6_good(const struct in6_addr *a)
{
	uint32_t v4;

	memcpy(&v4, &a->s6_addr[12], sizeof(v4));
	if (IN6_IS_ADDR_V4MAPPED(a) || IN6_IS_ADDR_V4COMPAT(a))
		return in4_good(ntohl(v4));
	if (a->s6_addr[0] == 0x00 && a->s6_addr[1] == 0x64) /* 64:ff9b::/96, 64:ff9b:1::/48: NAT64 */
		return false;
	if (a->s6_addr[0] == 0x20 && a->s6_addr[1] == 0x01 && a->s6_addr[2] == 0x0d && a->s6_addr[3] == 0xb8) /* documentation */
		return false;
	return (a->s6_addr[0] & 0xe0) == 0x20 &&                                          /* global unicast, */
	       !(a->s6_addr[0] == 0x20 && a->s6_addr[1] == 0x02) &&                       /* not 6to4, */
	       !(a->s6_addr[0] == 0x20 && a->s6_addr[1] == 0x01 && a->s6_addr[2] < 0x02); /* nor 2001::/23 */
}

bool webhook_address_good(const struct notice_conf *conf, const void *sockaddr)
{
	const struct sockaddr *any = sockaddr;

	if (conf->inside)
		return true;
	if (any->sa_family == AF_INET)
		return in4_good(ntohl(((const struct sockaddr_in *)sockaddr)->sin_addr.s_addr));
	return any->sa_family == AF_INET6 && in6_good(&((const struct sockaddr_in6 *)sockaddr)->sin6_addr);
}

static curl_socket_t on_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
	struct webhook *hook = arg;

	(void)purpose;
	if (webhook_address_good(hook->conf, &address->addr))
		return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
	hook->refused = true;
	return CURL_SOCKET_BAD;
}

static size_t on_body(char *data, size_t size, size_t n, void *arg)
{
	struct webhook *hook = arg;
	size_t room = sizeof(hook->said) - hook->n_said, take = size * n < room ? size * n : room;

	memcpy(hook->said + hook->n_said, data, take);
	hook->n_said += take;
	return size * n; /* the rest is of no interest */
}

char *webhook_receiver(TALLOC_CTX *mem_ctx, const char *url)
{
	CURLU *parts = curl_url();
	char *host = NULL, *port = NULL, *text;

	if (curl_url_set(parts, CURLUPART_URL, url, 0) == CURLUE_OK &&
	    curl_url_get(parts, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
	    curl_url_get(parts, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) == CURLUE_OK)
		text = talloc_asprintf(mem_ctx, "%s:%s", host, port);
	else
		text = talloc_strdup(mem_ctx, url);
	for (char *c = text; c != NULL && *c != '\0'; c++) /* a host has many spellings */
		*c = *c >= 'A' && *c <= 'Z' ? (char)(*c - 'A' + 'a') : *c;
	curl_free(host);
	curl_free(port);
	curl_url_cleanup(parts);
	return text;
}

enum gba_err webhook_new(const struct notice_conf *conf, struct webhook **_hook)
{
	struct webhook *hook = talloc_zero(NULL, struct webhook);

	if (hook == NULL || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
		talloc_free(hook);
		return GBA_E_NOMEM;
	}
	hook->conf = conf;
	hook->curl = curl_easy_init();
	*_hook = hook;
	return hook->curl != NULL ? GBA_OK : GBA_E_NOMEM;
}

void webhook_free(struct webhook *hook)
{
	if (hook == NULL)
		return;
	if (hook->curl != NULL)
		curl_easy_cleanup(hook->curl);
	curl_slist_free_all(hook->headers);
	curl_global_cleanup();
	talloc_free(hook);
}

static void prepare(struct webhook *hook, const struct webhook_order *order)
{
	CURL *curl = hook->curl;

	curl_easy_reset(curl);
	curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, hook->fault);
	curl_easy_setopt(curl, CURLOPT_URL, order->url);
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "https");
	curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(curl, CURLOPT_PROXY, "");
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)hook->conf->timeout);
	curl_easy_setopt(curl, CURLOPT_MAXFILESIZE, 65536L);
	curl_easy_setopt(curl, CURLOPT_OPENSOCKETFUNCTION, on_socket);
	curl_easy_setopt(curl, CURLOPT_OPENSOCKETDATA, hook);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, hook);
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, hook->headers);
	curl_easy_setopt(curl, CURLOPT_POSTFIELDS, order->body);
	curl_easy_setopt(curl, CURLOPT_FORBID_REUSE, 1L);
	if (hook->conf->ca[0] != '\0')
		curl_easy_setopt(curl, CURLOPT_CAINFO, hook->conf->ca);
}

static struct curl_slist *signature_add(struct curl_slist *list, const char *key, const char *body)
{
	uint8_t mac[HASH_MAX];
	char hex[2 * HASH_MAX + 1], when[24], line[128];
	struct bytes pieces[3];

	snprintf(when, sizeof(when), "%lld", (long long)clock_now());
	pieces[0] = bytes_of(when);
	pieces[1] = bytes_of(".");
	pieces[2] = bytes_of(body);
	hmac_pieces(HASH_SHA256, bytes_of(key), pieces, 3, mac);
	hex_encode(BYTES(mac, sizeof(mac)), hex);
	snprintf(line, sizeof(line), "GBA-Signature: t=%s,v1=%s", when, hex);
	return curl_slist_append(list, line);
}

static struct curl_slist *headers_new(const struct webhook_order *order)
{
	char line[1024];
	struct curl_slist *list;

	snprintf(line, sizeof(line), "Content-Type: %s", order->type);
	list = curl_slist_append(NULL, line);
	if (order->authorization != NULL) {
		snprintf(line, sizeof(line), "Authorization: %s", order->authorization);
		list = curl_slist_append(list, line);
		SECRET_WIPE(line);
	}
	return order->key != NULL ? signature_add(list, order->key, order->body) : list;
}

/* "err" and "description" of a refusal (RFC 8935 2.3), printable characters only. */
static void refusal_add(const struct webhook *hook, char *why, size_t cap)
{
	json_t *root = json_loadb(hook->said, hook->n_said, JSON_REJECT_DUPLICATES, NULL);
	const char *err = json_string_value(json_object_get(root, "err"));
	const char *text = json_string_value(json_object_get(root, "description"));
	size_t at = strlen(why), i;

	if (err != NULL)
		snprintf(why + at, cap - at, ": %.40s%s%.120s", err, text != NULL ? ": " : "", text != NULL ? text : "");
	for (i = at; why[i] != '\0'; i++) {
		if (why[i] < ' ' || why[i] > '~')
			why[i] = '?';
	}
	json_decref(root);
}

void webhook_begin(struct webhook *hook, const struct webhook_order *order)
{
	hook->headers = headers_new(order);
	hook->refused = false;
	hook->n_said = 0;
	hook->fault[0] = '\0';
	prepare(hook, order);
}

static enum gba_err verdict(const struct webhook *hook, CURLcode code, char *why, size_t cap)
{
	long status = 0;

	curl_easy_getinfo(hook->curl, CURLINFO_RESPONSE_CODE, &status);
	if (code == CURLE_OK && status >= 200 && status < 300)
		return GBA_OK;
	if (hook->refused) {
		snprintf(why, cap, "its address is loopback, private or otherwise special (webhook-private)");
		return GBA_E_DENIED;
	}
	if (code == CURLE_OK) {
		snprintf(why, cap, "answered %ld", status);
		if (status == 400)
			refusal_add(hook, why, cap);
		return GBA_E_PEER;
	}
	snprintf(why, cap, "%s", hook->fault[0] != '\0' ? hook->fault : curl_easy_strerror(code));
	return code == CURLE_OPERATION_TIMEDOUT ? GBA_E_TIMEOUT : GBA_E_UNREACHABLE;
}

enum gba_err webhook_end(struct webhook *hook, CURLcode code, char *why, size_t cap)
{
	enum gba_err err = verdict(hook, code, why, cap);

	curl_slist_free_all(hook->headers);
	hook->headers = NULL;
	return err;
}

enum gba_err webhook_send(struct webhook *hook, const struct webhook_order *order, char *why, size_t cap)
{
	webhook_begin(hook, order);
	return webhook_end(hook, curl_easy_perform(hook->curl), why, cap);
}

enum gba_err webhook_post(struct webhook *hook, const struct notice *notice, const char *key, char *why, size_t cap)
{
	json_t *root = notice_json(notice);
	char *body = root != NULL ? json_dumps(root, JSON_COMPACT | JSON_PRESERVE_ORDER) : NULL;
	const struct webhook_order order = { .url = notice->url, .type = "application/json", .body = body, .key = key };
	enum gba_err err = body != NULL ? webhook_send(hook, &order, why, cap) : GBA_E_NOMEM;

	json_decref(root);
	free(body);
	return err;
}
