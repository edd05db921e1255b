/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_TRANSPORT_PRIVMSG_H
#define CORAL_TRANSPORT_PRIVMSG_H

/*
 * What a transport may ask its broker, one SOCK_SEQPACKET message each: type
 * (u8), then the fields named here (strings are u16 length and bytes, no NUL).
 * The broker answers in order.  The permission bits are in coral-privsep(7).
 */
#include <stddef.h>
#include <sys/types.h>
#include "base/buf.h"

#define PM_MAX (320 * 1024)

enum privmsg_type {
	/* transport to broker */
	PM_HEARTBEAT = 1, /* no fields, no answer; at least every 3 s */
	PM_SIGN,	  /* rest: an exchange hash; the host key signs -> PM_SIGNED */
	PM_KEY,		  /* str key type, str blob: may this key try? -> PM_YES, PM_NO */
	PM_VERIFY,	  /* str signature, rest: the signed data -> PM_YES, PM_NO */
	PM_OPEN,	  /* u32 channel, rest: request_encode() -> PM_STREAM, PM_REFUSED */
	/* broker to transport */
	PM_YES = 64,
	PM_NO,
	PM_SIGNED,  /* rest: the ed25519 signature, 64 bytes */
	PM_STREAM,  /* u32 channel; one descriptor: the stream to the keeper */
	PM_REFUSED, /* u32 channel, rest: err_encode() */
};

#endif
