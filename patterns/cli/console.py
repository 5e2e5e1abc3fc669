"""Where the commands print: standard output, and standard error for what is not their result."""

from rich.console import Console

# Without emoji: rich would turn the `:-1:` in an address into a picture.
out = Console(highlight=False, emoji=False)
err = Console(stderr=True, highlight=False, emoji=False)
