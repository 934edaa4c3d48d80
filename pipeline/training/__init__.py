"""Training: the base from scratch, and with TRL (this package alone imports it) the PRM, SFT and step-wise DPO."""
