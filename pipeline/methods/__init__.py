"""How a model rewards itself: PSRLM, the baseline SRLM, and other pairings of a round's search."""
