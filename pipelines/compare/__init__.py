"""Two or more recipes, one verdict: which corpus makes the better model of the same budget."""
