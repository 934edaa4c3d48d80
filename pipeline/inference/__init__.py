"""Engines behind one small protocol, and the event loop that drives them; the one package that imports vLLM."""
