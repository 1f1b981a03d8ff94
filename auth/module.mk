# Passwords and TLS.
PROGS += malle-authd

AUTH_PASSWORD_SRC := auth/password.c auth/saslprep.c
malle-authd_SRC := auth/authd.c auth/loop.c auth/login.c auth/check.c \
	auth/verdict.c auth/accounts.c auth/throttle.c auth/memory.c \
	auth/scram.c auth/workers.c $(AUTH_PASSWORD_SRC)
malle-authd_LIBS := -lcrypto -lcrypt -lm
