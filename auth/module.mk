# Passwords and TLS.
