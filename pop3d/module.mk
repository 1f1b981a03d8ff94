# POP3: the login process, and the session after it, linked into malle-spawn.
POP3_MAILBOX_SRC := pop3d/mailbox.c pop3d/maildrop.c pop3d/retrieve.c \
	pop3d/update.c pop3d/reply.c pop3d/capa.c \
	pop3d/surrogate.c pop3d/surrogate_field.c

PROGS += malle-pop3d
malle-pop3d_SRC := pop3d/main.c pop3d/login.c pop3d/capa.c
malle-pop3d_STATIC := 1
malle-pop3d_HUGE := 1
