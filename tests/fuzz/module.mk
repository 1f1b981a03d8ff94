# Fuzz targets: one entry function each; see HACKING.md.
FUZZERS += fuzz_smtp_data fuzz_smtp_params
fuzz_smtp_data_SRC := tests/fuzz/fuzz_smtp_data.c tests/fuzz/driver.c \
	smtpd/data.c smtpd/header.c
fuzz_smtp_params_SRC := tests/fuzz/fuzz_smtp_params.c tests/fuzz/driver.c \
	smtpd/params.c smtpd/proxy.c
FUZZERS += fuzz_pop3_wire
fuzz_pop3_wire_SRC := tests/fuzz/fuzz_pop3_wire.c tests/fuzz/driver.c pop3d/wire.c
