"""The demo: a source server full of data, a backup, one queue message, and a comparison of source and target."""
