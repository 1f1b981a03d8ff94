# Unit tests: one C program each, speaking TAP.
