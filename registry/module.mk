# The accounts. Only malle-registryd links Berkeley DB.
PROGS += malle-registryd
registry_VALID := registry/valid.c registry/valid_list.c registry/valid_secret.c registry/valid_time.c registry/grant_words.c
registry_CORE := registry/schema.c $(registry_VALID) registry/object.c registry/record.c \
	registry/quality.c registry/worst.c registry/spool.c registry/store_bdb.c \
	registry/registry.c registry/journal.c registry/tables.c registry/compile.c registry/compare.c registry/build.c registry/admins.c \
	registry/hasher.c registry/operation.c registry/operations.c registry/attributes.c registry/row.c registry/op_domain.c registry/mandatory.c registry/domain_uid.c registry/op_user.c registry/op_import.c registry/op_noted.c registry/op_rename.c registry/mentions.c registry/gone.c registry/folder.c registry/reserved.c registry/judge_password.c \
	registry/op_alias.c registry/op_object.c registry/rights.c registry/grants.c registry/usage.c registry/login.c registry/limits.c registry/op_bulk.c registry/op_undo.c registry/op_admin.c \
	registry/op_mailbox.c registry/op_sent.c registry/op_own.c registry/op_app.c registry/op_code.c registry/purge.c registry/strays.c registry/settle.c registry/zone.c registry/local_day.c \
	registry/notice.c registry/notice_text.c
malle-registryd_SRC := registry/main.c registry/service.c registry/conn.c $(registry_CORE) \
	registry/absence.c auth/password.c auth/saslprep.c auth/app_secret.c
malle-registryd_LIBS := -ldb-5.3 -lcrypt -lcrypto
