"""What a copied service has to install: of the kit's own requirements those that its modules import."""

from collections.abc import Iterable, Set
from importlib.metadata import metadata, packages_distributions, requires

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

_KIT = "longjobs-kit"


class Requirements:
    """The kit's requirements, from its metadata. Raises `PackageNotFoundError` where it is not installed."""

    def __init__(self) -> None:
        self._kit = [Requirement(line) for line in requires(_KIT) or []]
        self.python: str = metadata(_KIT)["Requires-Python"]
        self._distributions = packages_distributions()

    def of(self, packages: Iterable[str]) -> list[str]:
        """What installs these top-level packages. Those that the kit does not require itself come with the others."""
        names = {canonicalize_name(found) for package in packages for found in self._distributions.get(package, ())}
        return sorted(str(one) for one in self._kit if not _is_extra(one) and canonicalize_name(one.name) in names)

    def of_extra(self, extra: str) -> list[str]:
        """What an extra of the kit installs."""
        return sorted(
            f"{one.name}{one.specifier}"
            for one in self._kit
            if one.marker and _is_extra(one) and one.marker.evaluate({"extra": extra})
        )

    @property
    def installed(self) -> Set[str]:
        """The top-level packages that are installed beside the kit."""
        return self._distributions.keys()


def _is_extra(requirement: Requirement) -> bool:
    return "extra ==" in str(requirement.marker)
