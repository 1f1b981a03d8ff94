# Unit tests: one C program each, speaking TAP.
TESTS_UNIT += test_sandbox
test_sandbox_SRC := tests/unit/test_sandbox.c
TESTS_UNIT += test_pop3_wire test_pop3_children test_pop3_mailbox
test_pop3_wire_SRC := tests/unit/test_pop3_wire.c pop3d/wire.c
test_pop3_children_SRC := tests/unit/test_pop3_children.c pop3d/children.c
test_pop3_mailbox_SRC := tests/unit/test_pop3_mailbox.c $(POP3_MAILBOX_SRC)
