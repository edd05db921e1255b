/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "transport/gss_stub.h"

/*
 * Debian's libssh.a is built with GSSAPI, which has no static library.  coral
 * offers public keys alone, so the calls are never reached; each of them fails
 * as RFC 2744 says.  The parameters are left out: no caller's matter, because
 * in the C ABI the caller clears them away.
 */
#define GSS_FAILURE (13u << 16) /* GSS_S_FAILURE, RFC 2744 section 3.9.1 */

void *const GSS_C_NT_HOSTBASED_SERVICE = NULL;
void *const GSS_C_NT_USER_NAME = NULL;

#define FAILS(name)                                                                                \
	uint32_t name(void)                                                                        \
	{                                                                                          \
		return GSS_FAILURE;                                                                \
	}

FAILS(gss_accept_sec_context)
FAILS(gss_acquire_cred)
FAILS(gss_add_oid_set_member)
FAILS(gss_create_empty_oid_set)
FAILS(gss_display_name)
FAILS(gss_display_status)
FAILS(gss_get_mic)
FAILS(gss_import_name)
FAILS(gss_indicate_mechs)
FAILS(gss_init_sec_context)
FAILS(gss_inquire_cred)
FAILS(gss_inquire_cred_by_mech)
FAILS(gss_release_buffer)
FAILS(gss_release_cred)
FAILS(gss_release_name)
FAILS(gss_release_oid_set)
FAILS(gss_test_oid_set_member)
FAILS(gss_verify_mic)
