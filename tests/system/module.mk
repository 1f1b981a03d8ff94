# What tests/run starts each test by.
TEST_TOOLS += once
once_SRC := tests/system/once.c
# The manager of the queue with a clock that a test moves.
TEST_TOOLS += queued-clock
queued-clock_SRC := $(malle-queued_SRC) tests/system/clock.c
queued-clock_LIBS := -Wl,--wrap=clock_gettime
queued-clock_STATIC := 1
# One mailbox, by the same clock.
TEST_TOOLS += mailbox-clock
mailbox-clock_SRC := $(malle-mailbox_SRC) tests/system/clock.c
mailbox-clock_LIBS := -Wl,--wrap=clock_gettime
mailbox-clock_STATIC := 1
# The judge of passwords, by the same clock.
TEST_TOOLS += authd-clock
authd-clock_SRC := $(malle-authd_SRC) tests/system/clock.c
authd-clock_LIBS := $(malle-authd_LIBS) -Wl,--wrap=clock_gettime
# The keeper of MTA-STS policies, by the same clock.
TEST_TOOLS += sts-clock
sts-clock_SRC := $(malle-sts_SRC) tests/system/clock.c
sts-clock_LIBS := $(malle-sts_LIBS) -Wl,--wrap=clock_gettime
# malle, which waits for the DNS as long as it takes.
TEST_TOOLS += patient-clock
patient-clock_SRC := $(malle_SRC) tests/system/clock.c tests/system/patient.c
patient-clock_LIBS := $(malle_LIBS) -Wl,--wrap=clock_gettime,--wrap=dns_open
# malle-start, by the same clock.
TEST_TOOLS += start-clock
start-clock_SRC := $(malle-start_SRC) tests/system/clock.c
start-clock_LIBS := $(malle-start_LIBS) -Wl,--wrap=clock_gettime
