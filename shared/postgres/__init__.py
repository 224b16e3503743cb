"""The target server: tools, scripts, archives, loads, verification."""
