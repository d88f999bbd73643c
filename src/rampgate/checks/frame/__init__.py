"""What the files of checks are made with, and how they are found."""
