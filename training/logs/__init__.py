"""What a training says of itself: metrics, lines for people, trackers."""
