# One mailbox: measured, read, filled, purged.
PROGS += malle-mailbox
malle-mailbox_SRC := mailbox/main.c mailbox/box.c mailbox/show.c mailbox/headers.c mailbox/write.c \
	mailbox/remove.c mailbox/usage.c
malle-mailbox_STATIC := 1
