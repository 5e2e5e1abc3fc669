"""The consoles of the commands: results go to standard output, everything else to standard error."""

from rich.console import Console

# Without emoji, because rich would replace the `:-1:` in an address.
out = Console(highlight=False, emoji=False)
err = Console(stderr=True, highlight=False, emoji=False)
