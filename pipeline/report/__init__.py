"""What people read: metrics.json keyed by model, the paper's tables in our numbers, and one self-contained page."""
