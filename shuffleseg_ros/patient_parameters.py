"""Parameter services of a node that goes on with its other work while a new value is prepared."""

import threading

from rclpy.parameter import Parameter
from rclpy.parameter_service import ParameterService

_LOOK = 0.002  # seconds that the executor stays with a waiting service before it looks elsewhere


class PatientParameterService(ParameterService):
    """rclpy's services, which call `prepare(parameters)` on a thread before they set parameters.

    parameters is a list of rclpy.parameter.Parameter; `prepare` must not raise: what is wrong with
    a value comes out when it is set. Meanwhile the executor serves all that is not in the node's
    default callback group. The node is made with start_parameter_services=False.
    """

    def __init__(self, node, prepare):
        self._prepare = prepare
        super().__init__(node)

    async def _set_parameters_callback(self, request, response):
        await self._prepared(request)
        return super()._set_parameters_callback(request, response)

    async def _set_parameters_atomically_callback(self, request, response):
        await self._prepared(request)
        return super()._set_parameters_atomically_callback(request, response)

    async def _prepared(self, request):
        parameters = [Parameter.from_parameter_msg(message) for message in request.parameters]
        thread = threading.Thread(target=self._prepare, args=(parameters,), daemon=True)
        thread.start()
        await _Ended(thread)


class _Ended:
    """Awaits a thread. rclpy's executors poll what waits, so each look takes a little time."""

    def __init__(self, thread):
        self._thread = thread

    def __await__(self):
        while self._thread.is_alive():
            self._thread.join(_LOOK)
            yield
