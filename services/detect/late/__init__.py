"""Late and corrected data: who must be judged again, how, and what is told of it."""
