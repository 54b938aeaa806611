"""What ``python -m lstm_mnist`` does. Nothing here is called by a reader or a notebook's lesson."""
