"""Mathematics: problems from files and the Hub, boxed answers, graded by text, number and algebra."""
