/* SPDX-License-Identifier: Apache-2.0 */
/* How many connections each address has, over all threads. A balanced tree: nobody can make it slow by choosing addresses. */
#include <search.h>
#include <stdlib.h>

#include "http/server_priv.h"

struct http_source {
	struct in6_addr address; /* IPv4: mapped */
	unsigned int connections;
};

static int by_address(const void *a, const void *b)
{
	const struct http_source *left = a, *right = b;

	return memcmp(&left->address, &right->address, sizeof(left->address));
}

static void address_of(const struct sockaddr *peer, struct in6_addr *_address)
{
	static const uint8_t mapped[] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

	if (peer->sa_family == AF_INET6) {
		*_address = ((const struct sockaddr_in6 *)peer)->sin6_addr;
		return;
	}
	memcpy(_address->s6_addr, mapped, sizeof(mapped));
	memcpy(_address->s6_addr + sizeof(mapped), &((const struct sockaddr_in *)peer)->sin_addr, 4);
}

/* The one in the tree; a new one if there is none. */
static struct http_source *source_of(struct http_server *server, const struct sockaddr *peer)
{
	struct http_source *fresh = calloc(1, sizeof(*fresh)), **place;

	if (fresh == NULL)
		return NULL;
	address_of(peer, &fresh->address);
	place = (struct http_source **)tsearch(fresh, &server->sources, by_address);
	if (place == NULL || *place != fresh) {
		free(fresh);
		return place != NULL ? *place : NULL;
	}
	return fresh;
}

struct http_source *http_source_enter(struct http_server *server, const struct sockaddr *peer)
{
	struct http_source *source = source_of(server, peer);

	if (source == NULL || source->connections >= server->max_per_source)
		return NULL; /* none is left empty: one that is new may have a connection */
	source->connections++;
	return source;
}

void http_source_leave(struct http_server *server, struct http_source *source)
{
	if (source == NULL || --source->connections > 0)
		return;
	tdelete(source, &server->sources, by_address);
	free(source);
}
