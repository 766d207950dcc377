"""A package, so that what its tests share (a receiver that runs) ends with the last of them."""
