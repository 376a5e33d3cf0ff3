"""What ``jaxloss zoo`` shows: the list of hand-made losses, and a page on each."""
