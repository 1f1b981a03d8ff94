# What the crash tests run.
TEST_TOOLS += killer
killer_SRC := tests/crash/killer.c
