"""What a controller and its hosts say to each other: the grammar both sides hold every word to."""
