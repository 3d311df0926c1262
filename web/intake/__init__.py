"""Projects that are handed in: unpacked, cloned or named, and never trusted."""
