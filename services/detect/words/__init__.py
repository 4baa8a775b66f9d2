"""What people read of a condition: sentences, and the small words that they are made of."""
