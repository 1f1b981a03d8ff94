# What every program shares.
LIB_SRC += lib/slice.c lib/str.c lib/num.c lib/clock.c lib/buf.c lib/pack.c lib/ipc.c lib/log.c \
	lib/addr.c lib/ip.c lib/fsx.c lib/table.c lib/account.c lib/account_tables.c \
	lib/route.c lib/route_steps.c lib/place.c lib/senders.c lib/conf.c \
	lib/maildir.c lib/proc.c lib/date.c lib/base64.c lib/cmd.c \
	lib/proto_queue.c lib/proto_local.c lib/proto_spawn.c lib/proto_auth.c \
	lib/proto_tls.c lib/proto_registry.c
LIB_SRC += lib/proc_ready.c lib/sandbox.c $(if $(SAN),lib/sandbox_none.c,lib/sandbox_linux.c lib/sandbox_filter.c lib/sandbox_narrow.c)
LIB_SRC += lib/hdr.c lib/encode.c lib/letter.c lib/app_password.c
LIB_SRC += lib/wire.c lib/dns.c lib/proto_remote.c
LIB_SRC += lib/fields.c lib/providers.c lib/providers_text.c lib/routes.c
$(B)/lib/providers_text.o: packaging/providers
LIB_SRC += lib/children.c
LIB_SRC += lib/srs.c lib/zone.c
LIB_SRC += lib/conf_pass.c
LIB_SRC += lib/proto_mailbox.c
LIB_SRC += lib/proc_huge.c
