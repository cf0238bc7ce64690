/* SPDX-License-Identifier: Apache-2.0 */
/** Bodies of constrained devices: CBOR (RFC 8949) to JSON and back. In a map a key may be a number that stands for a member's name
 * (doc/registry.md has the list): a report fits one datagram. Maps, lists, texts, integers, true, false and null; nothing else. */
#ifndef GBA_CBOR_H
#define GBA_CBOR_H

#include <jansson.h>

#include "core/bytes.h"
#include "core/err.h"

#define CBOR_BODY_MAX  16384 /* [octets] */
#define CBOR_DEPTH_MAX 8

/** @param _json  new reference  @retval GBA_E_SYNTAX  not one item, or an item of another kind, a key twice  @retval GBA_E_NOMEM */
enum gba_err cbor_to_json(struct bytes octets, json_t **_json);
/** @param _octets  malloc()ed @retval GBA_E_RANGE  a real number @retval GBA_E_NOMEM */
enum gba_err cbor_from_json(const json_t *json, struct bytes *_octets);

#endif
