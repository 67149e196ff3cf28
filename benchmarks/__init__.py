"""What the figures in the documents come from: measured, side by side, inside one run."""
