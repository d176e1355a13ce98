"""What a person sees of a long job."""
