"""How answers look for people."""
