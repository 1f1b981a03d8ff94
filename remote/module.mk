# Sending to other servers.
PROGS += malle-remote
malle-remote_SRC := remote/main.c remote/carrier.c remote/transaction.c remote/content.c remote/session.c \
	remote/tls.c remote/stream.c remote/reply.c remote/resolver.c remote/sts_find.c
# The linker warns of getaddrinfo in a static program; nothing here calls it.
malle-remote_LIBS := -Wl,--no-warnings -lssl -lcrypto
malle-remote_STATIC := 1
