"""The `psr` command."""
