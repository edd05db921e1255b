/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "replay/export.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/incbin.h"
#include "base/json.h"
#include "base/sha256.h"
#include "base/str.h"
#include "replay/export_int.h"
#include "replay/export_page.h"
#include "replay/moments.h"
