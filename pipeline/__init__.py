"""A dataset factory for Process-based Self-Rewarding Language Models (arXiv 2503.03746)."""
