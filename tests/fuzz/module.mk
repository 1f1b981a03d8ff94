# Fuzz targets: one entry function each; see HACKING.md.
