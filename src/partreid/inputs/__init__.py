"""From a stored image and its stored labels to the tensors that a network takes."""
