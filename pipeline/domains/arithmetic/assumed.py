"""What `psr plan` assumes of the embedded world: measured in the default run (profile tiny, seed 1)."""

ASSUMED = {
    "candidates": 1.77,  # of width 4, EFT search with M0
    "compared": 0.094,  # M2 0.115, M3 0.081, M4 0.087: most states of so small a model have one candidate alone
    "needed": 0.76,
    "varied": 0.24,  # first waves of 3: M2 0.41, M3 0.15, M4 0.16
    "revisited": 0.12,
    "expanded": 0.87,
    "layers": 0.53,
    "decided": 0.76,
    "pairs": 0.31,
    "later_pairs": 0.035,  # after the first DPO candidates hardly differ
    "readable": 0.0,  # M0 judges 3-shot and gives no verdict
    "thinking": 0.0,
}
