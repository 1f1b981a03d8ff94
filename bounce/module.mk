# Delivery status notifications.
PROGS += malle-bounce
malle-bounce_SRC := bounce/bounce.c bounce/notice.c bounce/words.c \
	queue/proto_bounce.c
