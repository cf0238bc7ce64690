/* SPDX-License-Identifier: Apache-2.0 */
/* What http_load's connections say: Ub as a UE with MILENAGE does it (TS 24.109 clause 4, RFC 3310). The card's check of AUTN
 * is left out: its cost is the UE's, not the BSF's, and the floor's challenge would not pass it. */
#include <stdio.h>
#include <string.h>

#include "core/codec.h"
#include "crypto/gba_keys.h"
#include "crypto/hash.h"
#include "crypto/milenage.h"
#include "http_load.h"

#define MD5_HEX	   33
#define IMPI_ROOM  256
#define NONCE_ROOM 256

static void impi_of(const struct http_conf *conf, uint64_t i, char out[IMPI_ROOM])
{
	const char *mark = strstr(conf->impi, "%u");

	if (mark == NULL)
		snprintf(out, IMPI_ROOM, "%s", conf->impi);
	else
		snprintf(out, IMPI_ROOM, "%.*s%010u%s", (int)(mark - conf->impi), conf->impi, (unsigned int)(i % conf->users),
			 mark + 2);
}

static void md5_hex(const struct bytes *pieces, size_t count, char out[MD5_HEX])
{
	uint8_t md5[16];

	hash_pieces(HASH_MD5, pieces, count, md5);
	hex_encode(BYTES(md5, sizeof(md5)), out);
}

/* name="value" of a header, without looking into other values: good enough for what a BSF sends. */
static bool quoted(const char *head, const char *name, char *out, size_t room)
{
	const char *at = strstr(head, name), *end;

	if (at == NULL)
		return false;
	at += strlen(name);
	end = strchr(at, '"');
	if (end == NULL || (size_t)(end - at) >= room)
		return false;
	memcpy(out, at, (size_t)(end - at));
	out[end - at] = '\0';
	return true;
}

/* Three texts: a header line, or nothing. */
#define NAMED(conf)                                                                                                    \
	(conf)->application != NULL ? "Y3056-Application: " : "", (conf)->application != NULL ? (conf)->application : "", \
		(conf)->application != NULL ? "\r\n" : ""

static size_t first_request(const struct http_conf *conf, const char *impi, char *out)
{
	return (size_t)snprintf(out, HTTP_ROOM,
				"GET / HTTP/1.1\r\nHost: %s\r\nUser-Agent: bench 3gpp-gba-tmpi\r\nAccept: */*\r\n%s%s%s"
				"Authorization: Digest username=\"%s\", realm=\"%s\", nonce=\"\", uri=\"/\", response=\"\"\r\n\r\n",
				conf->host, NAMED(conf), impi, conf->host);
}

/* HA1 = MD5(IMPI:realm:RES), HA2 = MD5(GET:/:MD5("")), response = MD5(HA1:nonce:nc:cnonce:auth-int:HA2) */
static void digest(const struct http_conf *conf, const char *impi, const char *nonce, const uint8_t *res,
		   char response[MD5_HEX])
{
	const struct bytes a1[] = { bytes_of(impi), bytes_of(":"), bytes_of(conf->host), bytes_of(":"), BYTES(res, 8) };
	const struct bytes a2 = bytes_of("GET:/:d41d8cd98f00b204e9800998ecf8427e");
	char ha1[MD5_HEX], ha2[MD5_HEX];

	md5_hex(a1, 5, ha1);
	md5_hex(&a2, 1, ha2);
	const struct bytes all[] = { bytes_of(ha1), bytes_of(":"), bytes_of(nonce),
				     bytes_of(":00000001:0a4f113b9c2d7e60:auth-int:"), bytes_of(ha2) };
	md5_hex(all, 5, response);
}

static enum http_next second_request(const struct http_conf *conf, const char *impi, const char *head, char *out,
				     size_t *_len)
{
	char nonce[NONCE_ROOM], opaque[NONCE_ROOM], response[MD5_HEX];
	struct milenage_out aka;
	uint8_t octets[128];
	size_t n;

	if (!quoted(head, "nonce=\"", nonce, sizeof(nonce)) || !quoted(head, "opaque=\"", opaque, sizeof(opaque)) ||
	    base64_decode(bytes_of(nonce), octets, sizeof(octets), &n) != GBA_OK || n < 32)
		return HTTP_BAD;
	milenage_f2345(conf->k, conf->opc, octets, &aka);
	digest(conf, impi, nonce, aka.res, response);
	*_len = (size_t)snprintf(out, HTTP_ROOM,
				 "GET / HTTP/1.1\r\nHost: %s\r\nUser-Agent: bench 3gpp-gba-tmpi\r\nAccept: */*\r\n%s%s%s"
				 "Authorization: Digest username=\"%s\", realm=\"%s\", nonce=\"%s\", uri=\"/\", qop=auth-int, "
				 "nc=00000001, cnonce=\"0a4f113b9c2d7e60\", response=\"%s\", opaque=\"%s\", "
				 "algorithm=AKAv1-MD5\r\n\r\n",
				 conf->host, NAMED(conf), impi, conf->host, nonce, response, opaque);
	return HTTP_SEND;
}

/* A line of the token file: B-TID, IMPI, Ks = CK || IK. */
static void token_write(const struct http_conf *conf, FILE *out, uint64_t i, struct bytes btid)
{
	uint8_t rand[RAND_LEN], ks[GBA_KS_LEN];
	char impi[IMPI_ROOM], hex[HEX_LEN(GBA_KS_LEN) + 1];
	struct milenage_out aka;

	if (btid_parse(btid, rand, NULL) != GBA_OK)
		return;
	impi_of(conf, i, impi);
	milenage_f2345(conf->k, conf->opc, rand, &aka);
	gba_ks(aka.ck, aka.ik, ks);
	hex_encode(BYTES(ks, sizeof(ks)), hex);
	fprintf(out, "%.*s %s %s\n", BYTES_FMT(btid), impi, hex);
}

static enum http_next bootstrapped(const struct http_conf *conf, uint64_t i, const struct http_response *response)
{
	static FILE *out;
	const char *btid = memmem(response->body, response->body_len, "<btid>", 6), *end;

	if (response->status != 200 || btid == NULL)
		return HTTP_BAD;
	if (conf->tokens == NULL)
		return HTTP_DONE;
	if (out == NULL)
		out = fopen(conf->tokens, "w");
	btid += 6;
	end = memchr(btid, '<', response->body_len - (size_t)(btid - response->body));
	if (out == NULL || end == NULL)
		return HTTP_BAD;
	token_write(conf, out, i, BYTES(btid, (size_t)(end - btid)));
	return HTTP_DONE;
}

enum http_next http_script(const struct http_conf *conf, unsigned int turn, uint64_t i,
			      const struct http_response *response, char *out, size_t *_len)
{
	char impi[IMPI_ROOM];

	if (turn == 2)
		return bootstrapped(conf, i, response);
	impi_of(conf, i, impi);
	if (turn == 1)
		return response->status == 401 ? second_request(conf, impi, response->head, out, _len) : HTTP_BAD;
	*_len = first_request(conf, impi, out);
	return HTTP_SEND;
}
