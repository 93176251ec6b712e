"""What runs the networks: batches in, arrays out."""
