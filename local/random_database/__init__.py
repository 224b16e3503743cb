"""Random databases that are valid by construction: SQL for a server's admin who is no superuser, and no two alike."""
