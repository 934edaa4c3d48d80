"""What `psr plan` assumes of the embedded world: measured in default runs (profile tiny, seeds 1 and 2)."""

ASSUMED = {
    "candidates": 1.77,  # of width 4, EFT search with M0
    "compared": 0.042,  # 0.038 to 0.046: most states of so small a model have one candidate alone
    "later_compared": 0.022,  # M3 0.030, M4 0.014
    "needed": 0.85,
    "varied": 0.24,
    "revisited": 0.05,
    "expanded": 0.87,
    "layers": 0.43,
    "decided": 0.9,  # 0.88, 0.92
    "pairs": 0.36,  # 0.33 to 0.39
    "later_pairs": 0.2,  # M3 0.30, M4 0.09 to 0.13
    "readable": 0.0,  # M0 judges 3-shot and gives no verdict
    "thinking": 0.0,
}
