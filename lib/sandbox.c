/* sandbox.c - what every platform's sandbox shares: names, report. */
/* SPDX-License-Identifier: ISC */
#include "lib/sandbox.h"

#include <stddef.h>

#include "lib/log.h"

static struct sandbox_got applied;

static const char *const names[SANDBOX_ROLES] = {
	[SANDBOX_SMTPD] = "smtpd",
	[SANDBOX_POP3D] = "pop3d",
	[SANDBOX_MAILBOX] = "mailbox",
	[SANDBOX_LOCAL] = "local",
	[SANDBOX_QUEUED] = "queued",
	[SANDBOX_AUTHD] = "authd",
	[SANDBOX_TLS] = "tls",
	[SANDBOX_BOUNCE] = "bounce",
	[SANDBOX_REGISTRYD] = "registryd",
	[SANDBOX_SPAWN] = "spawn",
	[SANDBOX_REMOTE] = "remote",
	[SANDBOX_HOOKS] = "hooks",
};

const char *
sandbox_name(enum sandbox_role role)
{
	return (size_t)role < SANDBOX_ROLES ? names[role] : "?";
}

const struct sandbox_got *
sandbox_applied(void)
{
	return &applied;
}

void
sandbox_remember(const struct sandbox_got *got)
{
	applied = *got;
}

void
sandbox_log(enum sandbox_role role, const struct sandbox_got *got)
{
	/* A missing part is worth a notice: nobody may take it for granted. */
	log_event(got->landlock && got->seccomp ? LOG_INFO_ : LOG_NOTICE_, NULL,
	    "sandbox", "role=%s landlock=%d seccomp=%s", sandbox_name(role),
	    got->landlock_abi, got->seccomp ? "yes" : "no");
}
