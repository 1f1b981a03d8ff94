# malle: everything from the shell. A command is a file cmd_NAME.c here, a row
# in the table of malle.c and a prototype in malle.h.
PROGS += malle
malle_SRC := tools/malle.c
malle_LIBS := -lcrypto

# malle-inject: sendmail(8) for local programs, with its names.
PROGS += malle-inject
malle-inject_SRC := tools/inject.c tools/submission.c
progs: $(BIN)/sendmail $(BIN)/mailq $(BIN)/newaliases
$(BIN)/sendmail $(BIN)/mailq $(BIN)/newaliases: $(BIN)/malle-inject
	@ln -sf malle-inject $@
