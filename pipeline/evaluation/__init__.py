"""Accuracy, references and test-time scaling."""
