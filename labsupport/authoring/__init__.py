"""Making the course: lessons to notebooks, solved lessons to keys. Needs `solutions/`."""
