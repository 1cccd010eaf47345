"""One connection's talk, bytes in and out, the turn of the loop, listeners, and the contract of plugins."""
