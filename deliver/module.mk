# Delivery into the mailboxes of one domain.
PROGS += malle-local
malle-local_SRC := deliver/local.c deliver/group.c deliver/mailbox.c deliver/copy.c \
	deliver/folder.c deliver/failure.c deliver/answer.c deliver/answer_rules.c deliver/answer_text.c \
	deliver/answer_memory.c deliver/warning.c deliver/warning_text.c
malle-local_STATIC := 1
