# One mailbox: measured, read, filled, purged.
PROGS += malle-mailbox
malle-mailbox_SRC := mailbox/main.c mailbox/box.c mailbox/show.c mailbox/headers.c mailbox/write.c \
	mailbox/known.c mailbox/remove.c mailbox/usage.c mailbox/strays.c mailbox/strays_text.c deliver/copy.c
malle-mailbox_STATIC := 1
