"""The command line of Flex Restore: a client of its HTTP API, and of nothing else in this repository."""

__version__ = "0.1.0"
