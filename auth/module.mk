# Passwords and TLS.
PROGS += malle-authd malle-tls

AUTH_PASSWORD_SRC := auth/password.c auth/saslprep.c
malle-authd_SRC := auth/authd.c auth/loop.c auth/login.c auth/check.c \
	auth/verdict.c auth/accounts.c auth/throttle.c auth/memory.c \
	auth/scram.c auth/workers.c auth/app_secret.c $(AUTH_PASSWORD_SRC)
malle-authd_LIBS := -lcrypto -lcrypt -lm

malle-tls_SRC := auth/tls.c auth/tls_keys.c auth/tls_session.c auth/tls_relay.c \
	auth/tls_memory.c auth/tls_random.c
# The linker warns of getaddrinfo in a static program; nothing here calls it.
malle-tls_LIBS := -Wl,--no-warnings -lssl -lcrypto
malle-tls_STATIC := 1
malle-tls_HUGE := 1
