"""What is drawn, computed: positions and lengths as numbers, which the templates turn into SVG."""
