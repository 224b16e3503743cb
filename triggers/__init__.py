"""Where restores begin: thin, they parse and hand over."""
