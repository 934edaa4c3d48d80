"""One thin entry point a stage: load, call once, write."""
