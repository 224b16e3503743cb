"""What calls functions: HTTP requests, queue messages, blobs and timers."""
