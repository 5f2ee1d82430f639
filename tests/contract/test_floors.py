import tomllib

from tests.contract.copies import ROOT

# Beside the packages, without code that others import.
NO_PACKAGES = {"build", "deploy", "dist", "docs", "requirements", "var"}


def test_every_package_stands_on_a_floor() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    packages = {path.parent.name for path in ROOT.glob("[a-z]*/__init__.py")} - NO_PACKAGES
    layers = " ".join(
        layer for each in settings["contracts"] if each["type"] == "layers" for layer in each["layers"]
    )

    assert sorted(packages - set(settings["root_packages"])) == []
    assert sorted(packages - set(layers.replace("(", " ").replace(")", " ").replace(":", " ").split())) == []
