/* SPDX-License-Identifier: Apache-2.0 */
#include "dia/dia.h"
