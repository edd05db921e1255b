/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORAL_TRANSPORT_GSS_STUB_H
#define CORAL_TRANSPORT_GSS_STUB_H

/* The symbols of GSSAPI that libssh.a leaves open.  Nothing of coral calls them. */
#include <stddef.h>
#include <stdint.h>

extern void *const GSS_C_NT_HOSTBASED_SERVICE;
extern void *const GSS_C_NT_USER_NAME;

uint32_t gss_accept_sec_context(void);
uint32_t gss_acquire_cred(void);
uint32_t gss_add_oid_set_member(void);
uint32_t gss_create_empty_oid_set(void);
uint32_t gss_display_name(void);
uint32_t gss_display_status(void);
uint32_t gss_get_mic(void);
uint32_t gss_import_name(void);
uint32_t gss_indicate_mechs(void);
uint32_t gss_init_sec_context(void);
uint32_t gss_inquire_cred(void);
uint32_t gss_inquire_cred_by_mech(void);
uint32_t gss_release_buffer(void);
uint32_t gss_release_cred(void);
uint32_t gss_release_name(void);
uint32_t gss_release_oid_set(void);
uint32_t gss_test_oid_set_member(void);
uint32_t gss_verify_mic(void);

#endif
