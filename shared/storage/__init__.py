"""Blobs and queues: landing containers, reservations, the ledger, reports, events."""
