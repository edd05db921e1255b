/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_BASE_YAML_H
#define CORAL_BASE_YAML_H

/*
 * The YAML that a person writes, as a JSON tree.  Data only: no aliases,
 * anchors, tags, duplicate keys or second document.
 */
#include <jansson.h>
#include <stddef.h>
#include "base/err.h"

#define YAML_DEPTH_MAX 32
#define YAML_SIZE_MAX (1024 * 1024)

/*
 * Plain true, false, null, integers (no leading zero) and nothing at all get
 * their JSON type; every other scalar is a string.  A text without content is
 * an empty object.  `name` is for messages.  NULL and ERR_CONFIG; `what`
 * begins with NAME:LINE:COLUMN.
 */
json_t *yaml_parse(const char *text, size_t n, const char *name, struct err *e);

#endif
