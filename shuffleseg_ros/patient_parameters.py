"""Parameter services of a node that goes on with its other work while a new value is prepared."""

import threading

from rclpy.parameter import Parameter
from rclpy.parameter_service import ParameterService
from rclpy.task import Future


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
        done = Future(executor=self._get_node().executor)
        done.add_done_callback(lambda _: None)  # a task of the executor, which wakes it

        def prepare():
            try:
                self._prepare(parameters)
            finally:
                done.set_result(None)

        threading.Thread(target=prepare, daemon=True).start()
        await done
