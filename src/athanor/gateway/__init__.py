"""What people and pods reach beside the API: workspace proxy, uploads, progress intake."""
