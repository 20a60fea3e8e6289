"""Public classes and functions are documented by numpydoc's rules."""

import inspect
from enum import Enum

import pytest
from numpydoc.docscrape import ClassDoc
from numpydoc.validate import validate

import solvenet

# All rules of numpydoc, except:
LEFT_OUT = {
    "ES01",  # an extended summary: one line is often enough
    "EX01",  # an example for everything: the doctests have those that help
    "SA01",  # a "See Also" for everything
    "GL01",  # the summary on the second line: here it follows the quotes
    "PR08",  # capital letters: "eps of the first layer" is one of the paper's symbols
}
# A short docstring, such as "Return the number of units.", may do without any section.
SECTIONS = {"PR01", "RT01", "YD01"}


def public_objects() -> dict[str, object]:
    """Return classes, functions and their public members that solvenet itself defines."""
    out: dict[str, object] = {}
    for name in solvenet.__all__:
        thing = getattr(solvenet, name)
        if not (inspect.isclass(thing) or inspect.isfunction(thing)):
            continue
        full_name = f"{thing.__module__}.{thing.__qualname__}"
        out[full_name] = thing
        if inspect.isclass(thing):
            for member, value in inspect.getmembers(thing):
                function = value.fget if isinstance(value, property) else value
                home = getattr(function, "__module__", None) or ""
                ours = inspect.isfunction(function) and home.startswith("solvenet.")
                if ours and not member.startswith("_"):
                    out[f"{full_name}.{member}"] = function
    return out


PUBLIC = public_objects()
CLASSES = [
    name for name, thing in PUBLIC.items() if inspect.isclass(thing) and not issubclass(thing, Enum)
]


@pytest.mark.parametrize("name", PUBLIC)
def test_docstring_is_well_formed(name: str) -> None:
    found = validate(name)
    left_out = set(LEFT_OUT)
    if inspect.isclass(PUBLIC[name]):
        left_out |= {"PR01", "PR02"}  # the next test: fields may be "Attributes"
    elif "----" not in found["docstring"]:
        left_out |= SECTIONS
    assert [error for error in found["errors"] if error[0] not in left_out] == []


@pytest.mark.parametrize("name", CLASSES)
def test_every_parameter_of_a_class_is_documented_and_no_other(name: str) -> None:
    thing = PUBLIC[name]
    assert isinstance(thing, type)
    parameters = set(inspect.signature(thing).parameters)
    doc = ClassDoc(thing)

    def documented(section: str) -> set[str]:
        return {part.strip() for entry in doc[section] for part in entry.name.split(",")}

    assert parameters - documented("Parameters") - documented("Attributes") == set()
    assert documented("Parameters") - parameters == set()
