/* SPDX-License-Identifier: Apache-2.0 */
/** Content formats of CoAP and the media types of HTTP they stand for (RFC 7252 12.3, RFC 8949 9.5, RFC 8428 12.3). */
#ifndef GBA_MEDIA_H
#define GBA_MEDIA_H

#include "core/bytes.h"

#define MEDIA_NONE (-1)

/** @return NULL: none of ours */
const char *media_of_format(int format);
/** Parameters are not looked at: text/plain is UTF-8 in CoAP. @return MEDIA_NONE: none of ours */
int media_format(struct bytes media);

#endif
