"""Declared parameters of operations: what a client may send, checked before the operation runs.

Messages and order of checks are those of spec/ocs-protocol.md, section 6.4.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from ocs.errors import OcsError

__all__ = ["ParamError", "ParamHandler", "check_params", "declared_params", "param"]

F = TypeVar("F", bound=Callable[..., Any])

_RULES = "_ocs_param_rules"


class ParamError(OcsError):
    """A parameter sent with a request is missing, of the wrong type or not allowed."""

    def __init__(self, msg: str) -> None:
        super().__init__(msg)
        self.msg = msg


_REQUIRED: Any = ParamError("")


class ParamHandler:
    """Read and check the parameters of one request.

    Args:
        params: What the client sent; None is the same as no parameters.

    Raises:
        ParamError: `params` is no mapping.
    """

    def __init__(self, params: Mapping[str, Any] | None) -> None:
        if params is None:
            params = {}
        if not isinstance(params, Mapping):
            raise ParamError(
                f"params must be an object of names and values, not {params!r} "
                f"({type(params).__name__})"
            )
        self._params = params
        self._checked: set[str] = set()

    def get(
        self,
        key: str,
        default: Any = _REQUIRED,
        check: Callable[[Any], bool] | None = None,
        cast: Callable[[Any], Any] | None = None,
        type: type | None = None,
        choices: Iterable[Any] | None = None,
        treat_none_as_missing: bool = True,
    ) -> Any:
        """Return the value of `key`, checked.

        Args:
            key: Parameter name.
            default: Value if it is missing; without one it is required.
            check: Tells whether a value is valid.
            cast: Converts the value first.
            type: Class the value must have; ints pass for float and are converted.
            choices: The allowed values.
            treat_none_as_missing: Whether null counts as not given.

        Raises:
            ParamError: Any of the above is not met.
        """
        self._checked.add(key)
        value = self._params.get(key)
        if key not in self._params or (value is None and treat_none_as_missing):
            if default is _REQUIRED:
                raise ParamError(f"Param '{key}' is required and must not be None")
            value = default
        if value is None:
            return None
        if cast is not None:
            value = self._cast(key, value, cast)
        if type is not None:
            value = self._typed(key, value, type)
        if choices is not None and value not in (allowed := list(choices)):
            raise ParamError(f"Param '{key}'={value} is not in allowed set ({allowed})")
        if check is not None:
            self._check(key, value, check)
        return value

    @staticmethod
    def _check(key: str, value: Any, check: Callable[[Any], bool]) -> None:
        why = ""
        try:
            valid = check(value)
        except Exception as error:  # noqa: BLE001 - an author's check may stumble over any value
            valid, why = False, f" {type(error).__name__}: {error}"
        if not valid:
            raise ParamError(f"Param '{key}'={value} failed validity check (see docs?).{why}")

    @staticmethod
    def _cast(key: str, value: Any, cast: Callable[[Any], Any]) -> Any:
        try:
            return cast(value)
        except Exception as error:
            raise ParamError(f"Param '{key}'={value} could not be cast to {cast}.") from error

    @staticmethod
    def _typed(key: str, value: Any, wanted: type) -> Any:
        # Python counts bool as int; a switch sent for a number is a mistake of the client.
        is_bool = isinstance(value, bool)
        if wanted is float and isinstance(value, int) and not is_bool:
            return float(value)
        if wanted is tuple and isinstance(value, list):
            return tuple(value)
        if not isinstance(value, wanted) or (is_bool and wanted in (int, float)):
            raise ParamError(f"Param '{key}'={value} is not of required type ({wanted})")
        return value

    def batch(
        self, instructions: Iterable[tuple[str, Mapping[str, Any]]], check_for_strays: bool = True
    ) -> dict[str, Any]:
        """Read several parameters: pairs of key and keyword arguments of `get`."""
        values = {key: self.get(key, **rules) for key, rules in instructions}
        if check_for_strays:
            self.check_for_strays()
        return values

    def check_for_strays(self, ignore: Iterable[str] = ()) -> None:
        """Refuse parameters that nobody asked for.

        Raises:
            ParamError: There are some besides those in `ignore`.
        """
        strays = [key for key in self._params if key not in self._checked and key not in ignore]
        if strays:
            raise ParamError(f"params included unexpected values: {strays}")


def param(key: str, **kwargs: Any) -> Callable[[F], F]:
    """Declare a parameter of an operation; put one line a parameter above its function.

    ``@param('_')`` declares that there are none; ``@param('_no_check_strays')`` lets others pass
    (they are dropped). Keyword arguments are those of `ParamHandler.get`. The order among other
    decorators does not matter as long as those copy the function's attributes.

    Raises:
        TypeError: A keyword is unknown.
    """
    known = {"default", "check", "cast", "type", "choices", "treat_none_as_missing"}
    if unknown := set(kwargs) - known:
        raise TypeError(f"param({key!r}): unknown {sorted(unknown)}; allowed: {sorted(known)}")

    def declare(func: F) -> F:
        # Decorators apply from the inside out: the newest rule is the one written first.
        rules = [(key, kwargs), *getattr(func, _RULES, [])]
        setattr(func, _RULES, rules)
        return func

    return declare


def declared_params(func: Callable[..., Any]) -> dict[str, Mapping[str, Any]]:
    """Return the parameters that `func` declares, in order: names and keywords of `param`."""
    rules: list[tuple[str, Mapping[str, Any]]] = getattr(func, _RULES, [])
    return {key: rule for key, rule in rules if not key.startswith("_")}


def check_params(func: Callable[..., Any], params: Mapping[str, Any] | None) -> Any:
    """Check `params` against what `func` declares.

    Returns:
        Every declared parameter with its value; `params` untouched if nothing is declared.

    Raises:
        ParamError: They do not fit.
    """
    rules: list[tuple[str, Mapping[str, Any]]] | None = getattr(func, _RULES, None)
    if rules is None:
        return params
    names = {key for key, _ in rules}
    declared = declared_params(func).items()
    # Clients without parameters send null, {} or, some, an empty list.
    handler = ParamHandler(params or {})
    return handler.batch(declared, check_for_strays="_no_check_strays" not in names)
