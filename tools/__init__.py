"""What builds files from this repository, and writes its generated ones."""
