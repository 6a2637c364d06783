"""An admitted Gang becomes pods; its pods become its status."""
