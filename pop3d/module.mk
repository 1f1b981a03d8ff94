# POP3: the login process, and the session after it, linked into malle-spawn.
POP3_MAILBOX_SRC := pop3d/mailbox.c pop3d/maildrop.c pop3d/retrieve.c \
	pop3d/update.c pop3d/reply.c pop3d/wire.c pop3d/capa.c
