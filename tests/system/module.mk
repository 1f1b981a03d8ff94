# What tests/run starts each test by.
TEST_TOOLS += once
once_SRC := tests/system/once.c
