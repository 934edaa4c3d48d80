"""What a run will cost, before it: requests, tokens, hours, memory, disk and spending of every stage."""
