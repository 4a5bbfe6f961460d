"""Handlers whose calls are told to containers' access logs."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from tane.services.object.domain import access_log
from tane.services.object.domain.s3.errors import known
from tane.web.errors import ApiError
from tane.web.request import Request, Response
from tane.web.routes import Route


def logged(route: Route) -> Route:
    """The same route; what its calls come to is written down where a container it was about wants that."""
    handler: Callable[..., Any] = route.handler
    if inspect.iscoroutinefunction(handler):

        @functools.wraps(handler)
        async def waits(request: Request) -> Any:
            try:
                answer = await handler(request)
            except ApiError as error:
                _tell(request, error.status, None, error)
                raise
            _tell(request, 200, answer)
            return answer

        return replace(route, handler=waits)

    @functools.wraps(handler)
    def runs(request: Request) -> Any:
        try:
            answer = handler(request)
        except ApiError as error:
            _tell(request, error.status, None, error)
            raise
        _tell(request, 200, answer)
        return answer

    return replace(route, handler=runs)


def _tell(request: Request, status: int, answer: Any, error: ApiError | None = None) -> None:
    for wanted in access_log.wishes(request):
        size = 0
        if isinstance(answer, Response):
            status = answer.status or status
            size = answer.length or (len(answer.body) if isinstance(answer.body, bytes) else 0)
        told = known(error) if error is not None and access_log.is_s3(request) else error
        status, code = (told.status, str(getattr(told, "code", ""))) if told is not None else (status, "")
        access_log.write(request.core, wanted, access_log.line(request, wanted, status, size, code))
