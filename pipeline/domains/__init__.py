"""What problems are about: how an answer is read and graded, and where problems come from."""
