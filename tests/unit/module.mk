# Unit tests: one C program each, speaking TAP.
TESTS_UNIT += test_sandbox
test_sandbox_SRC := tests/unit/test_sandbox.c
TESTS_UNIT += test_pop3_wire test_children test_pop3_mailbox
test_pop3_wire_SRC := tests/unit/test_pop3_wire.c
test_children_SRC := tests/unit/test_children.c
test_pop3_mailbox_SRC := tests/unit/test_pop3_mailbox.c $(POP3_MAILBOX_SRC)
TESTS_UNIT += test_pop3_surrogate
test_pop3_surrogate_SRC := tests/unit/test_pop3_surrogate.c pop3d/surrogate.c pop3d/surrogate_field.c
TESTS_UNIT += test_maildir test_maildir_copy test_bounce test_dsn
test_maildir_SRC := tests/unit/test_maildir.c
test_maildir_copy_SRC := tests/unit/test_maildir_copy.c deliver/copy.c deliver/failure.c
test_bounce_SRC := tests/unit/test_bounce.c bounce/words.c
test_dsn_SRC := tests/unit/test_dsn.c bounce/notice.c bounce/words.c \
	queue/proto_bounce.c
TESTS_UNIT += test_answer_rules test_answer_text test_answer_memory
test_answer_memory_SRC := tests/unit/test_answer_memory.c deliver/answer_memory.c
test_answer_rules_SRC := tests/unit/test_answer_rules.c deliver/answer_rules.c
test_answer_text_SRC := tests/unit/test_answer_text.c deliver/answer_text.c
TESTS_UNIT += test_smtp_data test_smtp_header test_smtp_params test_smtp_proxy
test_smtp_data_SRC := tests/unit/test_smtp_data.c smtpd/data.c
test_smtp_header_SRC := tests/unit/test_smtp_header.c smtpd/header.c
test_smtp_params_SRC := tests/unit/test_smtp_params.c smtpd/params.c
test_smtp_proxy_SRC := tests/unit/test_smtp_proxy.c smtpd/proxy.c
# Those of the library need nothing but it.
UNIT_LIB := test_num test_str test_pack test_base64 test_addr test_table test_account \
	test_route test_route_rules test_route_graph test_conf test_conf_pass test_buf test_log test_hdr
TESTS_UNIT += $(UNIT_LIB)
$(foreach t,$(UNIT_LIB),$(eval $(t)_SRC := tests/unit/$(t).c))
TESTS_UNIT += test_password test_password_prep test_password_throttle test_scram
test_password_SRC := tests/unit/test_password.c $(AUTH_PASSWORD_SRC)
test_password_LIBS := -lcrypto -lcrypt
test_password_prep_SRC := tests/unit/test_password_prep.c auth/saslprep.c
test_password_throttle_SRC := tests/unit/test_password_throttle.c auth/throttle.c \
	auth/memory.c
test_password_throttle_LIBS := -lcrypto -lm
test_scram_SRC := tests/unit/test_scram.c auth/scram.c $(AUTH_PASSWORD_SRC)
test_scram_LIBS := -lcrypto -lcrypt
TESTS_UNIT += test_app_password
test_app_password_SRC := tests/unit/test_app_password.c auth/app_secret.c
test_app_password_LIBS := -lcrypto
TESTS_UNIT += test_warning_text
test_warning_text_SRC := tests/unit/test_warning_text.c deliver/warning_text.c
TESTS_UNIT += test_trace
test_trace_SRC := tests/unit/test_trace.c tools/trace.c tools/trace_tell.c tools/json.c

# The registry.
TESTS_UNIT += test_registry_valid test_registry_object
test_registry_valid_SRC := tests/unit/test_registry_valid.c $(registry_VALID) registry/schema.c \
	registry/zone.c registry/quality.c registry/worst.c registry/object.c auth/password.c auth/saslprep.c
test_registry_valid_LIBS := -lcrypt -lcrypto
test_registry_object_SRC := tests/unit/test_registry_object.c registry/object.c registry/schema.c \
	$(registry_VALID) registry/zone.c registry/record.c registry/spool.c registry/worst.c auth/password.c auth/saslprep.c
test_registry_object_LIBS := -lcrypt -lcrypto
TESTS_UNIT += test_registry_login
test_registry_login_SRC := tests/unit/test_registry_login.c registry/login.c
TESTS_UNIT += test_queue_sched test_queue_file
test_queue_sched_SRC := tests/unit/test_queue_sched.c queue/sched.c
test_queue_file_SRC := tests/unit/test_queue_file.c queue/envelope.c queue/header.c queue/draft.c queue/hops.c \
	queue/id.c queue/index.c queue/retry.c queue/proto_bounce.c
TESTS_UNIT += test_remote_reply test_remote_sts
test_remote_reply_SRC := tests/unit/test_remote_reply.c remote/reply.c
test_remote_sts_SRC := tests/unit/test_remote_sts.c remote/sts_policy.c
TESTS_UNIT += test_providers test_routes test_group test_srs
TESTS_UNIT += test_fsx
TESTS_UNIT += test_csv
test_csv_SRC := tests/unit/test_csv.c tools/csv.c
TESTS_UNIT += test_secret
test_secret_SRC := tests/unit/test_secret.c tools/secret.c
test_srs_SRC := tests/unit/test_srs.c
test_providers_SRC := tests/unit/test_providers.c
test_routes_SRC := tests/unit/test_routes.c
test_fsx_SRC := tests/unit/test_fsx.c
test_group_SRC := tests/unit/test_group.c queue/group.c
TESTS_UNIT += test_notice_text
test_notice_text_SRC := tests/unit/test_notice_text.c registry/notice_text.c registry/zone.c
TESTS_UNIT += test_zone
test_zone_SRC := tests/unit/test_zone.c registry/zone.c
TESTS_UNIT += test_hold_text
test_hold_text_SRC := tests/unit/test_hold_text.c queue/hold_text.c
TESTS_UNIT += test_outbound
test_outbound_SRC := tests/unit/test_outbound.c queue/outbound.c queue/envelope.c queue/header.c
TESTS_UNIT += test_migrate
test_migrate_SRC := tests/unit/test_migrate.c tools/migrate_parse.c tools/member.c
TESTS_UNIT += test_sync_costs
test_sync_costs_SRC := tests/unit/test_sync_costs.c queue/sync_costs.c
TESTS_UNIT += test_spf
test_spf_SRC := tests/unit/test_spf.c tools/spf.c
