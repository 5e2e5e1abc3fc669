"""`kit copy`: which modules a pattern needs, and the service that is made from them."""
