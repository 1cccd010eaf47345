"""Real clients and workers: PHP's, Perl's, and Debian's tools."""
