"""Other preference pairs from the search of a round."""
