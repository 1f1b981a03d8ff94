# Fuzz targets: one entry function each; see HACKING.md.
FUZZERS += fuzz_smtp_data fuzz_smtp_params
fuzz_smtp_data_SRC := tests/fuzz/fuzz_smtp_data.c tests/fuzz/driver.c \
	smtpd/data.c smtpd/header.c
fuzz_smtp_params_SRC := tests/fuzz/fuzz_smtp_params.c tests/fuzz/driver.c \
	smtpd/params.c smtpd/proxy.c
FUZZERS += fuzz_pop3_wire
fuzz_pop3_wire_SRC := tests/fuzz/fuzz_pop3_wire.c tests/fuzz/driver.c
FUZZERS += fuzz_surrogate
fuzz_surrogate_SRC := tests/fuzz/fuzz_surrogate.c tests/fuzz/driver.c \
	pop3d/surrogate.c pop3d/surrogate_field.c
FUZZ_LIB := fuzz_addr fuzz_hdr fuzz_ipc fuzz_record fuzz_table fuzz_conf
FUZZERS += $(FUZZ_LIB) fuzz_submission fuzz_trace
$(foreach f,$(FUZZ_LIB),$(eval $(f)_SRC := tests/fuzz/$(f).c tests/fuzz/driver.c))
fuzz_submission_SRC := tests/fuzz/fuzz_submission.c tests/fuzz/driver.c tools/submission.c
fuzz_trace_SRC := tests/fuzz/fuzz_trace.c tests/fuzz/driver.c tools/trace.c tools/trace_tell.c \
	tools/json.c
FUZZERS += fuzz_notice fuzz_maildir
fuzz_notice_SRC := tests/fuzz/fuzz_notice.c tests/fuzz/driver.c bounce/notice.c \
	bounce/words.c
fuzz_maildir_SRC := tests/fuzz/fuzz_maildir.c tests/fuzz/driver.c deliver/copy.c
FUZZERS += fuzz_answer
fuzz_answer_SRC := tests/fuzz/fuzz_answer.c tests/fuzz/driver.c deliver/answer_rules.c \
	deliver/answer_text.c
FUZZERS += fuzz_reply fuzz_sts_policy
fuzz_reply_SRC := tests/fuzz/fuzz_reply.c tests/fuzz/driver.c remote/reply.c
fuzz_sts_policy_SRC := tests/fuzz/fuzz_sts_policy.c tests/fuzz/driver.c remote/sts_policy.c
FUZZERS += fuzz_migrate
fuzz_migrate_SRC := tests/fuzz/fuzz_migrate.c tests/fuzz/driver.c tools/migrate_parse.c tools/member.c
FUZZERS += fuzz_spf
fuzz_spf_SRC := tests/fuzz/fuzz_spf.c tests/fuzz/driver.c tools/spf.c
