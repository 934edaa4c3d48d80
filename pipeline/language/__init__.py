"""The step contract and the prompts."""
