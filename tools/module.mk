# malle: everything from the shell. A command is a file cmd_NAME.c here, a row
# in the table of malle.c and a prototype in malle.h.
PROGS += malle
malle_SRC := tools/malle.c tools/cmd_trace.c tools/trace.c tools/trace_tell.c tools/cmd_check.c \
	tools/check_cert.c tools/json.c
malle_SRC += tools/account.c tools/place.c tools/secret.c tools/cmd_domain.c tools/cmd_user.c tools/cmd_app.c tools/cmd_alias.c \
	tools/cmd_import.c tools/import_ask.c tools/import_room.c tools/csv.c $(AUTH_PASSWORD_SRC) \
	tools/cmd_relay.c tools/cmd_client.c tools/code.c tools/cmd_suffix.c tools/cmd_robot.c tools/password.c tools/cmd_dump.c tools/cmd_journal.c
malle_SRC += tools/cmd_queue.c queue/filter.c
malle_SRC += tools/welcome.c tools/sheet.c
malle_SRC += tools/domain_check.c tools/dns_check.c tools/dns_check_spf.c tools/spf.c
malle_SRC += tools/user_usage.c tools/user_check.c tools/post.c tools/sent.c
malle_SRC += tools/cmd_mailbox.c tools/box.c tools/backup.c tools/restore.c tools/member.c \
	mailbox/headers.c
malle_SRC += tools/cmd_migrate.c tools/migrate_old.c tools/migrate_parse.c tools/migrate_vpopmail.c \
	tools/migrate_passwd.c tools/migrate_account.c tools/migrate_limits.c tools/migrate_list.c
malle_LIBS := -lcrypto -lcrypt -larchive

# malle-inject: sendmail(8) for local programs, with its names.
PROGS += malle-inject
malle-inject_SRC := tools/inject.c tools/submission.c
progs: $(BIN)/sendmail $(BIN)/mailq $(BIN)/newaliases
$(BIN)/sendmail $(BIN)/mailq $(BIN)/newaliases: $(BIN)/malle-inject
	@ln -sf malle-inject $@

# The supervisor.
PROGS += malle-start
malle-start_SRC := tools/start.c tools/start_folders.c tools/start_ports.c \
	tools/start_plan.c tools/start_run.c tools/start_loop.c tools/start_state.c \
	tools/start_log.c

# Forks who owns a mailbox; the POP3 session after login is linked in.
PROGS += malle-spawn
malle-spawn_HUGE := 1
malle-spawn_SRC := tools/spawn.c tools/spawn_child.c $(POP3_MAILBOX_SRC)
malle-spawn_STATIC := 1

# Runs the administrator's programs after a change.
PROGS += malle-hooks
malle-hooks_SRC := tools/hooks.c tools/hooks_feed.c tools/hooks_run.c
malle-hooks_STATIC := 1
