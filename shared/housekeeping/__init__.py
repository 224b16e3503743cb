"""Housekeeping: deletes what the app has made and nobody needs any more, and nothing else."""
