"""Errors, records, tables, parameters, journals: what everything else stands on."""
