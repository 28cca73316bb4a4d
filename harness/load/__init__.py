"""When requests are sent, and the loop that sends them."""
