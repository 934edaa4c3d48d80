"""SRLM: whole solutions, scored (Yuan et al. 2024)."""
