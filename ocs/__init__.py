"""Observatory control: what an agent or a client is made of."""

from ocs.base import OpCode, ResponseCode

__all__ = ["ERROR", "OK", "TIMEOUT", "OpCode", "ResponseCode", "__version__"]

__version__ = "0.1.0"

OK = ResponseCode.OK.value
ERROR = ResponseCode.ERROR.value
TIMEOUT = ResponseCode.TIMEOUT.value
