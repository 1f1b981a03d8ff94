# Sending to other servers.
PROGS += malle-remote
malle-remote_SRC := remote/main.c remote/carrier.c remote/transaction.c remote/content.c remote/session.c \
	remote/tls.c remote/tls_ticket.c remote/stream.c remote/reply.c remote/resolver.c remote/sts_find.c \
	remote/authorities.c
# The linker warns of getaddrinfo in a static program; nothing here calls it.
malle-remote_LIBS := -Wl,--no-warnings -lssl -lcrypto
malle-remote_STATIC := 1

# Fetches MTA-STS policies: the only one with a web client in it.
PROGS += malle-sts
malle-sts_SRC := remote/sts.c remote/sts_cache.c remote/sts_fetch.c remote/sts_policy.c \
	remote/authorities.c
malle-sts_LIBS := -lcurl
