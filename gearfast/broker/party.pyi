"""The broker's side of a peer, and the clients that wait for a job. There is nothing here for Python."""
