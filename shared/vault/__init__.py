"""The backup vault: recovery points, validation, restore as files, backup jobs."""
