"""What everybody stands on: memory and order, and what a setting may be. It knows no Gearman."""
