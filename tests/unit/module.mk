# Unit tests: one C program each, speaking TAP.
TESTS_UNIT += test_sandbox
test_sandbox_SRC := tests/unit/test_sandbox.c
