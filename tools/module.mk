# malle: everything from the shell. A command is a file cmd_NAME.c here, a row
# in the table of malle.c and a prototype in malle.h.
PROGS += malle
malle_SRC := tools/malle.c
malle_LIBS := -lcrypto
