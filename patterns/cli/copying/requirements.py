"""The requirements of a copied service: those of the kit's requirements that its modules import."""

from collections.abc import Iterable, Set
from importlib.metadata import metadata, packages_distributions, requires

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

_KIT = "longjobs-kit"


class Requirements:
    """The kit's requirements, from its metadata. Raises `PackageNotFoundError` if it is not installed."""

    def __init__(self) -> None:
        self._kit = [Requirement(line) for line in requires(_KIT) or []]
        self.python: str = metadata(_KIT)["Requires-Python"]
        self._distributions = packages_distributions()

    def of(self, packages: Iterable[str]) -> list[str]:
        """The requirements that install these top-level packages. Indirect dependencies are left out."""
        names = {canonicalize_name(name) for package in packages for name in self._distributions.get(package, ())}
        return sorted(
            str(requirement)
            for requirement in self._kit
            if not _is_extra(requirement) and canonicalize_name(requirement.name) in names
        )

    def of_extra(self, extra: str) -> list[str]:
        """The requirements of an extra of the kit."""
        return sorted(
            f"{requirement.name}{requirement.specifier}"
            for requirement in self._kit
            if requirement.marker and _is_extra(requirement) and requirement.marker.evaluate({"extra": extra})
        )

    @property
    def installed(self) -> Set[str]:
        """The names of all installed top-level packages."""
        return self._distributions.keys()


def _is_extra(requirement: Requirement) -> bool:
    return "extra ==" in str(requirement.marker)
