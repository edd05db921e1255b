/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Many texts looked for at once, a step of bounded cost on average for each byte. */
#include <stdlib.h>
#include <string.h>

#include "record/redactor_int.h"

static int
grow(struct redactor_values *v, size_t more)
{
	size_t room = v->room ? v->room : 64;
	struct redactor_node *node;

	while (room < v->nodes + more)
		room *= 2;
	if (room == v->room)
		return 0;
	node = malloc(room * sizeof *node);
	if (!node)
		return -1;
	if (v->nodes)
		memcpy(node, v->node, v->nodes * sizeof *node);
	else
		node[v->nodes++] = (struct redactor_node){0};
	/* They spell out secrets. */
	if (v->node)
		explicit_bzero(v->node, v->nodes * sizeof *node);
	free(v->node);
	v->node = node;
	v->room = room;
	return 0;
}

static uint16_t
child(const struct redactor_values *v, uint16_t at, unsigned char c)
{
	uint16_t i;

	if (at == 0)
		return v->first[c];
	for (i = v->node[at].child; i; i = v->node[i].sibling)
		if (v->node[i].byte == c)
			break;
	return i;
}

static uint16_t
add_child(struct redactor_values *v, uint16_t at, unsigned char c)
{
	uint16_t i = (uint16_t)v->nodes++;

	v->node[i] = (struct redactor_node){
	    .sibling = v->node[at].child, .depth = (uint16_t)(v->node[at].depth + 1), .byte = c};
	v->node[at].child = i;
	if (at == 0)
		v->first[c] = i;
	return i;
}

int
redactor_values_add(struct redactor_values *v, const char *p, size_t n)
{
	uint16_t at = 0;

	if (n < REDACTOR_VALUE_MIN || n > REDACTOR_VALUE_MAX || v->count >= REDACTOR_VALUES ||
	    v->nodes + n >= REDACTOR_NODES)
		return 0;
	if (grow(v, n + 1) < 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		uint16_t next = child(v, at, (unsigned char)p[i]);

		at = next ? next : add_child(v, at, (unsigned char)p[i]);
	}
	if (!v->node[at].ends)
		v->count++;
	v->node[at].ends = (uint16_t)n;
	return 0;
}

uint16_t
redactor_values_step(const struct redactor_values *v, uint16_t at, unsigned char c)
{
	for (;;) {
		uint16_t next = child(v, at, c);

		if (next || at == 0)
			return next;
		at = v->node[at].back;
	}
}

/* Nodes by depth: the way back of each is known before its children need it. */
int
redactor_values_link(struct redactor_values *v)
{
	uint16_t *queue = malloc((v->nodes + 1) * sizeof *queue);
	size_t head = 0, tail = 0;

	if (!queue)
		return -1;
	if (v->nodes)
		queue[tail++] = 0;
	while (head < tail) {
		uint16_t at = queue[head++];
		struct redactor_node *n = &v->node[at];

		for (uint16_t i = n->child; i; i = v->node[i].sibling) {
			struct redactor_node *c = &v->node[i];

			c->back = at ? redactor_values_step(v, n->back, c->byte) : 0;
			/* A shorter one that ends there as well. */
			if (!c->ends)
				c->ends = v->node[c->back].ends;
			queue[tail++] = i;
		}
	}
	free(queue);
	return 0;
}
