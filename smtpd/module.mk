# malle-smtpd: receives mail on the ports 25, 465 and 587.
PROGS += malle-smtpd
malle-smtpd_SRC := smtpd/main.c smtpd/listen.c smtpd/session.c smtpd/reply.c \
	smtpd/transaction.c smtpd/content.c smtpd/login.c smtpd/starttls.c \
	smtpd/trace.c smtpd/params.c smtpd/data.c smtpd/header.c smtpd/proxy.c
malle-smtpd_STATIC := 1
malle-smtpd_HUGE := 1
