"""`make docs`: write the parts of the documentation that are made from the code."""

from local.docs import errors, settings
from local.docs.pages import FOLDER

GENERATED = {"settings.md": settings.written, "errors.md": errors.written}


def main() -> None:
    """Write them."""
    for name, written in GENERATED.items():
        page = FOLDER / name
        page.write_text(written(page.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    main()
