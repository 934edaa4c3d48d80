"""What `psr plan` assumes of the embedded world: measured in default runs (profile tiny, three seeds)."""

ASSUMED = {
    "candidates": 1.77,  # of width 4, EFT search with M0
    "compared": 0.113,  # 0.109 to 0.115: most states of so small a model have one candidate alone
    "later_compared": 0.084,  # 0.074 to 0.092
    "needed": 0.76,
    "varied": 0.24,  # first waves of 3: M2 0.41, M3 0.15, M4 0.16
    "revisited": 0.12,
    "expanded": 0.87,
    "layers": 0.53,
    "decided": 0.76,
    "pairs": 0.31,
    "later_pairs": 0.036,  # 0.019 to 0.063, 34 to 114 pairs: after the first DPO candidates hardly differ
    "readable": 0.0,  # M0 judges 3-shot and gives no verdict
    "thinking": 0.0,
}
